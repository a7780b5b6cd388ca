/*
 * handlers.h - one function for each line of api/routes.def: handle_<handler>(request, reply).
 *
 * What each does is the sentence of its route. They are in one file a resource.
 *
 * Threads: called by any thread of the server, several at once.
 */
#ifndef SERVICE_HTTP_HANDLERS_H
#define SERVICE_HTTP_HANDLERS_H

#include "service/http/request.h"

#define ROUTE(method, path, role, handler, doc)                                                    \
    void handle_##handler(struct request *request, struct reply *reply);
#include "api/routes.def"
#undef ROUTE

#endif
