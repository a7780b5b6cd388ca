#include "service/http/handlers.h"

#include "service/http/app.h"

enum status handle_health(struct request *request, struct reply *reply, struct error *err) {
    (void)request, (void)err;
    str_add(reply_json(reply, HTTP_OK), "{\"status\":\"ok\"}");
    return STATUS_OK;
}

enum status handle_ready(struct request *request, struct reply *reply, struct error *err) {
    enum status status = pool_ping(request->app->pool, err);
    if (!status)
        str_add(reply_json(reply, HTTP_OK), "{\"status\":\"ready\"}");
    return status;
}
