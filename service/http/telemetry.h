/*
 * telemetry.h - what the service counts about itself, and how Prometheus reads it.
 *
 * Names follow Prometheus's conventions: a prefix, base units, _total for counters.
 *
 * Ownership: telemetry_create ... telemetry_free.
 * Threads:   any number count; all counters are atomic.
 */
#ifndef SERVICE_HTTP_TELEMETRY_H
#define SERVICE_HTTP_TELEMETRY_H

#include "engine/base/str.h"

struct route;
struct telemetry;

struct telemetry *telemetry_create(void);         /* All counts are 0. */
void telemetry_free(struct telemetry *telemetry); /* NULL is allowed. */

/* A request has been answered; code 0: the client left before. route NULL: no such path. */
void telemetry_request(struct telemetry *telemetry, const struct route *route, int code,
                       double seconds);

/* Pictures have been classified. */
void telemetry_predictions(struct telemetry *telemetry, int pictures);

/* Appends all counters in the text format, and the process's memory and CPU time. */
void telemetry_add_text(const struct telemetry *telemetry, struct str *out);

/* Appends the two comment lines that go before a metric's samples. */
void telemetry_add_help(struct str *out, const char *name, const char *type, const char *help);

#endif
