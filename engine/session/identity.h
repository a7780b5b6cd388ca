/*
 * identity.h - the engine's identity as runs record it. Private to engine/session.
 *
 * Threads: pure.
 */
#ifndef ENGINE_SESSION_IDENTITY_H
#define ENGINE_SESSION_IDENTITY_H

#include "engine/backend/backend.h"
#include "engine/session/trainer.h"

/* "distilld 0.1.0, cpu oneDNN 3.1.0 avx2, glibc 2.36": this version on that device. */
void identity_of_device(const struct device *device, char out[TRAINER_IDENTITY_BYTES]);

#endif
