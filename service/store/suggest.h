/*
 * suggest.h - "did you mean" for the name of a data set that is not there.
 *
 * Threads: any.
 */
#ifndef SERVICE_STORE_SUGGEST_H
#define SERVICE_STORE_SUGGEST_H

#include "engine/base/status.h"

/* Appends the registered name that is nearest to this one to err's message, if one is near. */
void suggest_dataset(const char *data, const char *name, struct error *err);

#endif
