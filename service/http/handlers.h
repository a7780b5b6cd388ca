/*
 * handlers.h - one function for each line of api/routes.def: handle_<handler>(request, reply, err).
 *
 * What each does is the sentence of its route. They are in one file a resource.
 *
 * Threads: called by any thread of the server, several at once.
 */
#ifndef SERVICE_HTTP_HANDLERS_H
#define SERVICE_HTTP_HANDLERS_H

#include "service/http/request.h"

#define ROUTE(method, path, role, handler, doc)                                                    \
    enum status handle_##handler(struct request *request, struct reply *reply, struct error *err);
#include "api/routes.def"

/* What a body that is taken as it comes is given to; see route_begin(). */
enum status begin_upload_file(struct request *request, struct reply *reply, struct error *err);
enum status begin_dataset_archive(struct request *request, struct reply *reply, struct error *err);

/* It has come. */
enum status finish_dataset_archive(struct request *request, struct reply *reply, struct error *err);

#endif
