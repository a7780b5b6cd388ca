/* GET /datasets/{name}/samples: some pictures of a data set. */
#include "service/http/samples.h"
#include "api/limits.h"
#include "engine/base/mem.h"
#include "engine/data/sample.h"
#include "service/http/app.h"
#include "service/http/chore.h"
#include "service/http/handlers.h"
#include "service/store/datasets.h"
#include "service/store/stored_error.h"

#include <stdlib.h>

/* Opening a data set compares its digest, so a thread of the crew does it. */
struct sampling {
    struct chore chore; /* first */
    bool of_test;
    int64_t offset, limit;
    struct str answer;
};

static void sampling_free(void *state) {
    struct sampling *sampling = state;
    str_release(&sampling->answer);
    free(sampling);
}

enum status sample_add_png(const struct dataset *dataset, const struct split *split, int64_t offset,
                           struct str *out, struct error *err) {
    struct picture picture;
    void *png = NULL;
    size_t len = 0;
    enum status status = sample_picture(dataset, split, offset, &picture, err);
    if (!status)
        status = picture_encode_png(&picture, &png, &len, err);
    if (!status) {
        str_addf(out, ",\"height\":%d,\"width\":%d,\"image\":\"", picture.height, picture.width);
        str_add_base64(out, png, len);
        str_add(out, "\"");
    }
    free(png);
    picture_release(&picture);
    return status;
}

static enum status add_sample(const struct dataset *dataset, const struct split *split,
                              int64_t offset, struct str *out, struct error *err) {
    int32_t label = split->labels[offset];
    str_addf(out, "{\"offset\":%lld,\"label\":", (long long)offset);
    str_add_json(out, dataset->class_names[label]);
    str_addf(out, ",\"index\":%d", (int)label);
    enum status status = sample_add_png(dataset, split, offset, out, err);
    str_add(out, "}");
    return status;
}

static enum status add_samples(const struct sampling *sampling, const struct dataset *dataset,
                               struct str *out, struct error *err) {
    const struct split *split = sampling->of_test ? &dataset->test : &dataset->train;
    int64_t end = sampling->offset + sampling->limit;
    enum status status = STATUS_OK;
    if (end > split->count)
        end = split->count;
    str_add(out, "{\"items\":[");
    for (int64_t i = sampling->offset; i < end && !status; i++)
        status = add_sample(dataset, split, i, str_json_item(out), err);
    str_addf(out, "],\"count\":%lld,\"next\":", (long long)split->count);
    if (end < split->count)
        str_addf(out, "%lld}", (long long)end);
    else
        str_add(out, "null}");
    return status;
}

static enum status run_sampling(struct chore *chore, struct error *err) {
    struct sampling *sampling = (struct sampling *)chore;
    const struct request *request = chore->request;
    struct dataset_entry entry = {0};
    struct dataset dataset = {0};
    enum status status = datasets_find(&entry, request->app->config->data, request->arg, err);
    if (!status)
        status = stored_error(entry.folder,
                              dataset_open(&dataset, entry.folder, entry.card.name, err), err);
    if (!status)
        status = add_samples(sampling, &dataset, &sampling->answer, err);
    dataset_close(&dataset);
    dataset_entry_release(&entry);
    return status;
}

static enum status reply_samples(struct request *request, struct reply *reply, struct error *err) {
    const struct sampling *sampling = request->state;
    enum status status = chore_result(&sampling->chore, err);
    if (!status)
        str_add_bytes(reply_json(reply, HTTP_OK), str_text(&sampling->answer),
                      sampling->answer.len);
    return status;
}

enum status handle_dataset_samples(struct request *request, struct reply *reply,
                                   struct error *err) {
    (void)reply;
    struct sampling *sampling = xcalloc(1, sizeof *sampling);
    request->state = sampling;
    request->release = sampling_free;
    sampling->of_test = request_query_value(request, "split") == SPLIT_TEST;
    sampling->offset = request_query_value(request, "offset");
    sampling->limit = request_query_value(request, "limit");
    enum status status = datasets_check(request->app->config->data, request->arg, err);
    if (!status)
        chore_start(&sampling->chore, request, request->app->loaders, run_sampling, reply_samples);
    return status;
}
