#include "service/http/handlers.h"

#include "service/http/app.h"

void handle_health(struct request *request, struct reply *reply) {
    (void)request;
    str_add(reply_json(reply, HTTP_OK), "{\"status\":\"ok\"}");
}

void handle_ready(struct request *request, struct reply *reply) {
    struct error err;
    if (pool_ping(request->app->pool, &err))
        reply_error(reply, &err);
    else
        str_add(reply_json(reply, HTTP_OK), "{\"status\":\"ready\"}");
}
