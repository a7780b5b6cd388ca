#include "service/store/workers.h"
#include "service/http/app.h"
#include "service/http/handlers.h"
#include "service/http/page.h"

enum status handle_worker_list(struct request *request, struct reply *reply, struct error *err) {
    struct worker_list workers = {0};
    enum status status = workers_list(request->app->pool, &workers, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < workers.count; i++)
        worker_card_add_json(&workers.item[i], str_json_item(out));
    page_end(out, "");
    worker_list_release(&workers);
    return STATUS_OK;
}
