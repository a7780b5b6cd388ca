#include "service/http/handlers.h"

#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/http/dataset_import.h"
#include "service/http/page.h"
#include "service/store/space.h"

#include <stdlib.h>

enum status handle_dataset_list(struct request *request, struct reply *reply, struct error *err) {
    struct page page;
    struct dataset_list datasets = {0};
    enum status status = page_parse(&page, request, NULL, err);
    if (!status)
        status = datasets_list(&datasets, request->app->config->data, page.after, page.limit, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < datasets.count; i++)
        dataset_card_add_json(&datasets.item[i].card, str_json_item(out));
    page_end(out, datasets.next);
    dataset_list_release(&datasets);
    return STATUS_OK;
}

enum status handle_dataset_show(struct request *request, struct reply *reply, struct error *err) {
    struct dataset_entry entry = {0};
    enum status status = datasets_find(&entry, request->app->config->data, request->arg, err);
    if (!status)
        dataset_card_add_json(&entry.card, reply_json(reply, HTTP_OK));
    dataset_entry_release(&entry);
    return status;
}

/* ---- POST /datasets ---- */

void import_release(struct import *import) {
    dataset_entry_release(&import->entry);
}

static void import_free(void *state) {
    import_release(state);
    free(state);
}

static enum status run_import(struct chore *chore, struct error *err) {
    struct import *import = (struct import *)chore;
    const struct config *config = chore->request->app->config;
    if (import->upload[0])
        return uploads_finish(config, import->upload, &import->entry, err);
    return datasets_import(config->data, config->import_roots, config->datasets_bytes,
                           &import->asked, &import->entry, err);
}

static enum status reply_import(struct request *request, struct reply *reply, struct error *err) {
    const struct import *import = request->state;
    enum status status = chore_result(&import->chore, err);
    if (status) {
        request_blame(request, &dataset_request_table, &import->asked, NULL, err);
        return status;
    }
    const struct dataset_card *card = &import->entry.card;
    log_info("dataset_imported", log_text("dataset", card->name),
             log_int("train", card->train_count), log_int("test", card->test_count),
             request_by(request));
    dataset_card_add_json(card, reply_json(reply, HTTP_CREATED));
    reply_header(reply, "Location", "/datasets/%s", card->name);
    return STATUS_OK;
}

void import_start(struct import *import, struct request *request) {
    chore_start(&import->chore, request, request->app->imports, run_import, reply_import);
}

enum status handle_dataset_create(struct request *request, struct reply *reply, struct error *err) {
    const char *name = request_query(request, "name");
    if (request->sink.take)
        return finish_dataset_archive(request, reply, err);
    if (name) /* the body has it */
        return request_refuse(request, "name", name, NULL, err);
    struct import *import = xcalloc(1, sizeof *import);
    request->state = import;
    request->release = import_free;
    enum status status = dataset_request_decode(&import->asked, request->body, request->body_len,
                                                request->wrong, err);
    const struct config *config = request->app->config;
    if (!status)
        status = space_check(config->data, config->min_free_bytes, err);
    if (!status)
        import_start(import, request);
    return status;
}
