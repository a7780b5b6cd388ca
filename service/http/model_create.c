/* POST /models: weights that are uploaded become a model. */
#include "service/http/handlers.h"

#include "api/codec.h"
#include "engine/session/model_import.h"
#include "service/common/log.h"
#include "service/http/app.h"
#include "service/http/chore.h"
#include "service/store/datasets.h"
#include "service/store/model_card.h"
#include "service/store/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An upload that has arrived; reading, checking and writing it takes as long as its bytes. */
struct upload {
    struct chore chore; /* first */
    struct import_spec spec;
    struct model_info info;
    struct misfits misfits;
    struct model_card card;
};

static void upload_free(void *state) {
    struct upload *upload = state;
    model_info_release(&upload->info);
    model_card_release(&upload->card);
    free(upload);
}

/* ---- what the query says ---- */

static void take_card(struct model_info *info, const struct dataset_card *card) {
    str_copy(info->dataset, sizeof info->dataset, card->name);
    info->height = (int)card->height;
    info->width = (int)card->width;
    if (!info->height)
        import_info_set_middle(info);
    info->channels = (int)card->channels;
    info->classes = (int)card->classes;
    for (int i = 0; i < info->channels && i < MODEL_MAX_CHANNELS; i++) {
        info->mean[i] = (float)card->mean[i];
        info->deviation[i] = (float)card->deviation[i];
    }
    info->class_names = xcalloc((size_t)card->class_names.count, sizeof *info->class_names);
    for (int i = 0; i < card->class_names.count; i++)
        info->class_names[i] = xstrdup(card->class_names.item[i]);
}

/* A registered data set, or one that is known by its name; never a folder of the server's. */
static enum status find_dataset(struct upload *upload, const char *data, struct error *err) {
    struct dataset_entry entry = {0};
    const char *name = upload->spec.dataset;
    if (!name[0])
        return STATUS_OK;
    enum status status = datasets_find(&entry, data, name, err);
    if (!status)
        take_card(&upload->info, &entry.card);
    else if (status == STATUS_NOT_FOUND)
        import_info_of_known(&upload->info, name);
    dataset_entry_release(&entry);
    if (status != STATUS_NOT_FOUND)
        return status;
    if (upload->info.channels)
        return STATUS_OK;
    error_set_field(err, STATUS_INVALID, "dataset", "there is no data set %s", name);
    suggest_dataset(data, name, err);
    return STATUS_INVALID;
}

static enum status complete(struct upload *upload, const char *data, struct error *err) {
    enum status status = zoo_check(upload->spec.architecture, "architecture", err);
    if (!status)
        status = find_dataset(upload, data, err);
    return status ? status : import_info_complete(&upload->info, &upload->spec, err);
}

/* ---- the weights ---- */

/* A file that cannot be used is a wrong value of the request. */
static enum status blame_weights(enum status status, struct error *err) {
    struct error cause = *err;
    if (cause.field[0] || (status != STATUS_CORRUPT && status != STATUS_INVALID &&
                           status != STATUS_TOO_LARGE && status != STATUS_UNSUPPORTED))
        return status;
    return error_set_field(err, STATUS_INVALID, "weights", "%s", cause.message);
}

static enum status fill(void *ctx, const char *folder, struct model_card *card, struct error *err) {
    struct upload *upload = ctx;
    struct error own = {0}; /* blame_weights() reads it */
    enum status status = model_import(upload->chore.request->body_path, &upload->info, folder,
                                      &upload->misfits, &own);
    if (status) {
        status = blame_weights(status, &own);
        *err = own;
        return status;
    }
    str_copy(card->name, sizeof card->name, upload->spec.name);
    str_copy(card->dataset, sizeof card->dataset, upload->info.dataset);
    clock_format(clock_wall_ms(), card->created);
    card->loss = card->top1 = card->top5 = card->best_top1 = NAN;
    card->reproducible = true;
    return model_card_describe(card, folder, err);
}

static enum status run_upload(struct chore *chore, struct error *err) {
    struct upload *upload = (struct upload *)chore;
    struct app *app = chore->request->app;
    id_make(&app->ids, ID_PREFIX_MODEL, upload->card.id);
    return models_create(app->config->data, &upload->card, fill, upload, err);
}

/* ---- the answer ---- */

/* Every tensor that does not fit, as far as the list goes; first, whose weights they are. */
static void blame_misfits(const struct upload *upload, struct field_errors *errors) {
    struct str name = STR_INIT;
    if (str_equal(upload->chore.err.field, "architecture"))
        fields_blame(&import_spec_table, &upload->spec, &upload->chore.err, errors);
    for (int i = 0; i < upload->misfits.listed; i++) {
        const struct misfit *item = &upload->misfits.item[i];
        str_clear(&name);
        str_add_json(&name, item->tensor);
        field_errors_add(errors, "weights", str_text(&name), item->detail, NULL);
    }
    str_release(&name);
}

static enum status reply_upload(struct request *request, struct reply *reply, struct error *err) {
    const struct upload *upload = request->state;
    enum status status = chore_result(&upload->chore, err);
    if (status && misfits_total(&upload->misfits))
        blame_misfits(upload, request->wrong);
    else if (status)
        request_blame(request, &import_spec_table, &upload->spec, NULL, err);
    if (status)
        return status;
    const struct model_card *card = &upload->card;
    log_info("model_uploaded", log_text("model", card->id),
             log_text("architecture", card->architecture), log_int("bytes", card->weights_bytes),
             request_by(request));
    model_card_add_json(card, reply_json(reply, HTTP_CREATED));
    reply_header(reply, "Location", "/models/%s", card->id);
    return STATUS_OK;
}

enum status handle_model_create(struct request *request, struct reply *reply, struct error *err) {
    (void)reply;
    struct upload *upload = xcalloc(1, sizeof *upload);
    request->state = upload;
    request->release = upload_free;
    enum status status =
        request_query_fields(request, &import_spec_table, FIELD_CLI, &upload->spec, err);
    if (status)
        return status;
    status = complete(upload, request->app->config->data, err);
    if (status)
        request_blame(request, &import_spec_table, &upload->spec, NULL, err);
    else
        chore_start(&upload->chore, request, request->app->imports, run_upload, reply_upload);
    return status;
}
