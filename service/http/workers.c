#include "service/store/workers.h"
#include "service/http/app.h"
#include "service/http/handlers.h"
#include "service/http/page.h"

void handle_worker_list(struct request *request, struct reply *reply) {
    struct worker_list workers = {0};
    struct error err;
    enum status status = request_check_query(request, "", &err);
    if (!status)
        status = workers_list(request->app->pool, &workers, &err);
    if (status) {
        request_fail(request, reply, &err, NULL);
        return;
    }
    struct str *out = reply_json(reply, HTTP_OK);
    page_begin(out);
    for (int i = 0; i < workers.count; i++) {
        page_separate(out, i);
        worker_card_add_json(&workers.item[i], out);
    }
    page_end(out, "");
    worker_list_release(&workers);
}
