/* The uploads of data sets, but for their bytes (upload_stream.c). */
#include "service/common/log.h"
#include "service/http/dataset_import.h"
#include "service/http/handlers.h"
#include "service/http/page.h"
#include "service/store/space.h"

#include <stdlib.h>

/* ---- GET ---- */

enum status handle_upload_list(struct request *request, struct reply *reply, struct error *err) {
    struct page page;
    struct upload_list uploads = {.count = 0};
    enum status status = page_parse(&page, request, ID_PREFIX_UPLOAD, err);
    if (!status)
        status = uploads_list(&uploads, request->app->config, page.after, page.limit, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < uploads.count; i++)
        upload_card_add_json(&uploads.item[i], str_json_item(out));
    page_end(out, uploads.next);
    upload_list_release(&uploads);
    return STATUS_OK;
}

/* Answers with an upload. */
static enum status reply_upload(const struct request *request, struct reply *reply, int code,
                                const char *id, struct error *err) {
    struct upload_card card;
    enum status status = uploads_find(&card, request->app->config, id, err);
    if (!status)
        upload_card_add_json(&card, reply_json(reply, code));
    return status;
}

enum status handle_upload_show(struct request *request, struct reply *reply, struct error *err) {
    enum status status = reply_upload(request, reply, HTTP_OK, request->arg, err);
    return status;
}

/* ---- POST ---- */

enum status handle_upload_create(struct request *request, struct reply *reply, struct error *err) {
    const struct config *config = request->app->config;
    struct upload_request asked;
    char id[ID_BYTES];
    enum status status =
        upload_request_decode(&asked, request->body, request->body_len, request->wrong, err);
    if (!status)
        status = space_check(config->data, config->min_free_bytes, err);
    if (!status)
        status = uploads_create(config, &request->app->ids, asked.name, id, err);
    if (!status)
        status = reply_upload(request, reply, HTTP_CREATED, id, err);
    if (status)
        return status;
    log_info("upload_begun", log_text("upload", id), log_text("dataset", asked.name),
             request_by(request));
    reply_header(reply, "Location", "/uploads/%s", id);
    return STATUS_OK;
}

static void finish_free(void *state) {
    import_release(state);
    free(state);
}

enum status handle_upload_finish(struct request *request, struct reply *reply, struct error *err) {
    (void)reply;
    struct upload_card card;
    enum status status = uploads_find(&card, request->app->config, request->arg, err);
    if (status)
        return status;
    struct import *import = xcalloc(1, sizeof *import);
    request->state = import;
    request->release = finish_free;
    str_copy(import->upload, sizeof import->upload, card.id);
    str_copy(import->asked.name, sizeof import->asked.name, card.name);
    import_start(import, request);
    return STATUS_OK;
}

/* ---- DELETE ---- */

enum status handle_upload_remove(struct request *request, struct reply *reply, struct error *err) {
    enum status status = uploads_remove(request->app->config, request->arg, err);
    if (status)
        return status;
    log_info("upload_removed", log_text("upload", request->arg), request_by(request));
    reply->code = HTTP_NO_CONTENT;
    return STATUS_OK;
}
