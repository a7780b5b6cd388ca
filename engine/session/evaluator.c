#include "engine/session/evaluator.h"

#include "engine/data/loader.h"

#include <stdlib.h>

enum status evaluator_check(const struct model_info *info, struct network_size pictures,
                            struct error *err) {
    bool resized = !pictures.height || info->resize_size;
    bool sizes = info->height == pictures.height && info->width == pictures.width;
    if ((!resized && !sizes) || info->channels != pictures.channels)
        return error_set(err, STATUS_INVALID, "the model takes %dx%dx%d, the pictures are %dx%dx%d",
                         info->height, info->width, info->channels, pictures.height, pictures.width,
                         pictures.channels);
    if (info->classes != pictures.classes)
        return error_set(err, STATUS_INVALID, "the model has %d classes, the data set %d",
                         info->classes, pictures.classes);
    return STATUS_OK;
}

int64_t evaluator_batches(int64_t pictures) {
    return loader_batches(pictures, PREDICTOR_MAX_BATCH);
}

static struct loader_plan plan_of(struct predictor *predictor, const struct dataset *dataset,
                                  const struct split *split) {
    struct loader_plan plan = {.dataset = dataset,
                               .split = split,
                               .input = model_input(predictor_info(predictor)),
                               .batch = PREDICTOR_MAX_BATCH,
                               .end = evaluator_batches(split->count)};
    plan.threads = loader_threads(&plan);
    return plan;
}

enum status evaluator_run(struct predictor *predictor, const struct dataset *dataset,
                          const struct split *split, evaluator_fn *each, void *ctx,
                          struct error *err) {
    const struct network_size pictures = {dataset->height, dataset->width, dataset->channels,
                                          dataset->classes};
    const struct loader_plan plan = plan_of(predictor, dataset, split);
    struct loader *loader = NULL;
    enum status status = evaluator_check(predictor_info(predictor), pictures, err);
    if (status)
        return status;
    float *logits = xcalloc(PREDICTOR_MAX_BATCH * (size_t)dataset->classes, sizeof *logits);
    status = loader_create(&loader, &plan, err);
    for (int64_t i = 0; i < plan.end && !status; i++) {
        struct loader_batch batch;
        status = loader_next(loader, &batch, err);
        if (!status)
            status = predictor_logits(predictor, batch.images, batch.rows, logits, err);
        const struct evaluator_batch done = {i * PREDICTOR_MAX_BATCH, batch.rows, batch.labels,
                                             logits};
        if (!status)
            status = each(ctx, &done, err);
    }
    loader_free(loader);
    free(logits);
    return status;
}
