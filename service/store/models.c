#include "service/store/models.h"

#include "engine/base/str.h"
#include "service/store/evaluations.h"
#include "service/store/folders.h"
#include "service/store/publish.h"
#include "service/store/stored_error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIND "models"
#define WEIGHTS "model.safetensors"
#define CARD "model.json"
#define EVALUATION "evaluation.json" /* of a training folder */

void model_id_of_job(char out[ID_BYTES], const char *job_id) {
    CHECK(str_has_prefix(job_id, ID_PREFIX_JOB));
    struct str id = STR_INIT;
    str_addf(&id, ID_PREFIX_MODEL "%s", job_id + strlen(ID_PREFIX_JOB));
    CHECK(str_copy(out, ID_BYTES, str_text(&id)));
    str_release(&id);
}

static enum status read_model(struct model *model, struct error *err) {
    char path[FILE_PATH_BYTES], *text = NULL;
    size_t len = 0;
    enum status status = file_join(model->weights, model->folder, WEIGHTS, err);
    if (!status)
        status = file_join(path, model->folder, CARD, err);
    if (!status)
        status = file_read(path, CARD_MAX_FILE_BYTES, &text, &len, err);
    if (!status)
        status = model_card_decode(&model->card, text, len, err);
    free(text);
    return status;
}

/* Only a well-formed id becomes part of a path. */
enum status models_check(const char *data, const char *id, struct error *err) {
    char folder[FILE_PATH_BYTES];
    if (!id_is_valid(id, ID_PREFIX_MODEL))
        return error_set(err, STATUS_NOT_FOUND, "there is no model %s", id);
    enum status status = folder_path(folder, data, KIND, id, err);
    if (!status && !file_is_dir(folder))
        return error_set(err, STATUS_NOT_FOUND, "there is no model %s", id);
    return status;
}

enum status models_find(struct model *model, const char *data, const char *id, struct error *err) {
    memset(model, 0, sizeof *model);
    enum status status = models_check(data, id, err);
    if (status)
        return status;
    status = folder_path(model->folder, data, KIND, id, err);
    if (!status)
        status = read_model(model, err);
    if (!status)
        return STATUS_OK;
    status = stored_error(model->folder, status, err);
    model_release(model);
    error_wrap(err, status, "model %s", id);
    return status;
}

void model_release(struct model *model) {
    model_card_release(&model->card);
    memset(model, 0, sizeof *model);
}

static enum status read_item(void *item, const void *ctx, const char *name, struct error *err) {
    return models_find(item, ctx, name, err);
}

enum status models_list(struct model_list *list, const char *data, const char *after, int limit,
                        struct error *err) {
    const struct folder_page page = {data,      KIND, after, true, limit, sizeof *list->item,
                                     read_item, data};
    struct folder_items found;
    enum status status = folder_read_page(&page, &found, err);
    *list = (struct model_list){.item = found.item, .count = found.count};
    str_copy(list->next, sizeof list->next, found.next);
    return status;
}

void model_list_release(struct model_list *list) {
    for (int i = 0; i < list->count; i++)
        model_release(&list->item[i]);
    free(list->item);
    memset(list, 0, sizeof *list);
}

enum status models_create(const char *data, struct model_card *card, models_fill_fn *fill,
                          void *ctx, struct error *err) {
    struct publication publication;
    struct str text = STR_INIT;
    enum status status = publication_begin(&publication, data, KIND, card->id, err);
    if (!status)
        status = fill(ctx, publication.tmp_folder, card, err);
    if (!status) {
        model_card_add_json(card, &text);
        status = publication_add(&publication, CARD, str_text(&text), err);
    }
    status = publication_end(&publication, status, err);
    str_release(&text);
    return status;
}

/* Folders of older versions have none. */
static enum status link_evaluation(const struct publication *publication, const char *folder,
                                   const char *dataset, struct error *err) {
    const struct evaluation_key key = {dataset, SPLIT_TEST};
    char path[FILE_PATH_BYTES], name[FILE_PATH_BYTES];
    enum status status = file_join(path, folder, EVALUATION, err);
    if (status || !file_exists(path))
        return status;
    status = evaluation_file_name(name, &key, err);
    return status ? status : publication_link(publication, folder, EVALUATION, name, err);
}

enum status models_publish(const char *data, const char *folder, const struct model_card *card,
                           struct error *err) {
    struct publication publication;
    struct str text = STR_INIT;
    model_card_add_json(card, &text);
    enum status status = publication_begin(&publication, data, KIND, card->id, err);
    if (!status)
        status = publication_link(&publication, folder, WEIGHTS, WEIGHTS, err);
    if (!status)
        status = link_evaluation(&publication, folder, card->dataset, err);
    if (!status)
        status = publication_add(&publication, CARD, str_text(&text), err);
    status = publication_end(&publication, status, err);
    str_release(&text);
    /* The id is that of the job: who was first published the same. */
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

enum status models_withdraw(const char *data, const char *id, char gone[FILE_PATH_BYTES],
                            struct error *err) {
    enum status status = models_check(data, id, err);
    return status ? status : folder_withdraw(data, KIND, id, gone, err);
}
