/*
 * cors.h - lets web pages of other origins use the service, where the setting cors_origins says so.
 *
 * Threads: pure functions over a reply.
 */
#ifndef SERVICE_HTTP_CORS_H
#define SERVICE_HTTP_CORS_H

#include "service/http/reply.h"

/* Adds to an answer what a page of this origin (NULL: no page asks) needs to read it; nothing when
 * no origins are set. */
void cors_add(const char *origins, const char *origin, struct reply *reply);

/* Answers the question that a browser asks first, of a resource that knows these methods. */
void cors_answer_preflight(const char *allow, struct reply *reply);

#endif
