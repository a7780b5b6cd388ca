/* GET /models/{id}/evaluation: how well a model does on a split of a data set. */
#include "api/ids.h"
#include "engine/base/mem.h"
#include "service/http/app.h"
#include "service/http/chore.h"
#include "service/http/handlers.h"
#include "service/http/samples.h"
#include "service/store/aliases.h"
#include "service/store/datasets.h"
#include "service/store/evaluations.h"
#include "service/store/stored_error.h"

#include <stdlib.h>

/* An evaluation on its way. Opening a data set for its pictures compares its digest, so a thread of
 * the crew does it. */
struct viewing {
    struct chore chore; /* first */
    struct model model;
    char dataset_name[CARD_TEXT_BYTES];
    enum split_kind split;
    bool matrix, images;
    struct evaluation evaluation;
    struct dataset dataset; /* open, for images */
    struct str answer;
};

static void viewing_free(void *state) {
    struct viewing *viewing = state;
    model_release(&viewing->model);
    evaluation_release(&viewing->evaluation);
    str_release(&viewing->answer);
    free(viewing);
}

/* ---- the answer ---- */

static void add_picture(void *ctx, int rank, struct str *out) {
    struct viewing *viewing = ctx;
    const struct split *split =
        viewing->split == SPLIT_TEST ? &viewing->dataset.test : &viewing->dataset.train;
    int64_t offset = viewing->evaluation.worst[rank].offset;
    if (viewing->chore.status || offset >= split->count)
        return;
    viewing->chore.status =
        sample_add_png(&viewing->dataset, split, offset, out, &viewing->chore.err);
}

static void compose(struct viewing *viewing) {
    const struct evaluation_view view = {
        .class_names = viewing->model.card.class_names.item,
        .matrix = viewing->matrix,
        .picture = viewing->images ? add_picture : NULL,
        .ctx = viewing,
    };
    struct str *out = &viewing->answer;
    evaluation_add_open(&viewing->evaluation, &view, out);
    str_addf(out, ",\"model\":\"%s\",\"dataset\":", viewing->model.card.id);
    str_add_json(out, viewing->dataset_name);
    str_addf(out, ",\"split\":\"%s\"}", split_names[viewing->split]);
}

static enum status reply_viewing(struct request *request, struct reply *reply, struct error *err) {
    const struct viewing *viewing = request->state;
    enum status status = chore_result(&viewing->chore, err);
    if (!status)
        str_add_bytes(reply_json(reply, HTTP_OK), str_text(&viewing->answer), viewing->answer.len);
    return status;
}

/* The pictures must be those that were classified. */
static enum status open_dataset(struct viewing *viewing, struct error *err) {
    struct dataset_entry entry = {0};
    const char *data = viewing->chore.request->app->config->data;
    enum status status = datasets_find(&entry, data, viewing->dataset_name, err);
    if (!status && !str_equal(entry.card.sha256, viewing->evaluation.dataset_sha256))
        status = error_set(err, STATUS_CONFLICT,
                           "data set %s is another one than when the model was evaluated",
                           viewing->dataset_name);
    if (!status)
        status = stored_error(
            entry.folder, dataset_open(&viewing->dataset, entry.folder, entry.card.name, err), err);
    dataset_entry_release(&entry);
    return status;
}

static enum status run_viewing(struct chore *chore, struct error *err) {
    struct viewing *viewing = (struct viewing *)chore;
    chore->status = open_dataset(viewing, err);
    if (!chore->status)
        compose(viewing);
    dataset_close(&viewing->dataset);
    return chore->status;
}

/* ---- the question ---- */

static enum status check_confusion(const struct viewing *viewing, struct error *err) {
    if (!viewing->matrix || viewing->model.card.classes <= EVALUATION_MATRIX_CLASSES)
        return STATUS_OK;
    return request_refuse(viewing->chore.request, "confusion", "full",
                          "largest, for a model of more than 1000 classes", err);
}

/* The model's own data set, if nothing is said. */
static enum status read_dataset(struct viewing *viewing, struct error *err) {
    const char *name = request_query(viewing->chore.request, "dataset");
    if (name && (!dataset_name_is_valid(name) ||
                 !str_copy(viewing->dataset_name, sizeof viewing->dataset_name, name)))
        return request_refuse(viewing->chore.request, "dataset", name, "the name of a data set",
                              err);
    if (!name)
        str_copy(viewing->dataset_name, sizeof viewing->dataset_name, viewing->model.card.dataset);
    return STATUS_OK;
}

static enum status find_evaluation(struct viewing *viewing, struct error *err) {
    const struct evaluation_key key = {viewing->dataset_name, viewing->split};
    const char *id = viewing->model.card.id, *name = viewing->dataset_name;
    bool named = dataset_name_is_valid(name);
    enum status status = STATUS_NOT_FOUND;
    if (named)
        status = evaluation_find(&viewing->evaluation, viewing->model.folder, &key, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, status,
                         "model %s has no evaluation on the %s split of %s%s; POST /jobs with "
                         "method predict, this model and a data set makes one",
                         id, split_names[key.split], named ? "data set " : "its data set",
                         named ? name : "");
    if (!status && viewing->evaluation.n_classes != viewing->model.card.class_names.count)
        status = error_set(err, STATUS_CORRUPT, "the evaluation of %s is of other classes", id);
    return status;
}

static enum status read_question(struct viewing *viewing, struct error *err) {
    struct request *request = viewing->chore.request;
    viewing->split = (enum split_kind)request_query_value(request, "split");
    viewing->matrix = request_query_value(request, "confusion");
    viewing->images = request_query_value(request, "images");
    enum status status =
        aliases_find_model(&viewing->model, request->app->config->data, request->arg, err);
    if (!status)
        status = check_confusion(viewing, err);
    if (!status)
        status = read_dataset(viewing, err);
    return status ? status : find_evaluation(viewing, err);
}

enum status handle_model_evaluation(struct request *request, struct reply *reply,
                                    struct error *err) {
    struct viewing *viewing = xcalloc(1, sizeof *viewing);
    viewing->chore.request = request;
    request->state = viewing;
    request->release = viewing_free;
    enum status status = read_question(viewing, err);
    if (status)
        return status;
    if (viewing->images) {
        chore_start(&viewing->chore, request, request->app->loaders, run_viewing, reply_viewing);
        return STATUS_OK;
    }
    compose(viewing);
    return reply_viewing(request, reply, err);
}
