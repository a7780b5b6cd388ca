/*
 * fuzz.h - what libFuzzer calls, and replay.c over the committed inputs.
 *
 * A target reads any bytes, must not crash, leak or hang, and aborts when a promise is broken.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "engine/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len); /* Always 0. */

#endif
