/*
 * origins.h - which web pages may use the service: the setting cors_origins.
 *
 * "", "*", or origins separated by commas: "https://a.example,http://localhost:5173". An origin is
 * written as browsers send it: scheme, host in lower case, and the port where it is not the usual
 * one.
 *
 * Errors:  INVALID with field "cors_origins" and the item that is wrong.
 * Threads: pure functions.
 */
#ifndef SERVICE_COMMON_ORIGINS_H
#define SERVICE_COMMON_ORIGINS_H

#include "engine/base/str.h"

#include <stdbool.h>

enum { ORIGIN_MAX_CHARS = 180 };

/* The setting is well formed. */
MUST_CHECK enum status origins_check(const char *list, struct error *err);

/* The setting names this origin, or all. */
bool origins_have(const char *list, const char *origin);

#endif
