/*
 * eval.c - `distill eval`: accuracy and loss of a model on a split of a data set.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"

#include "engine/data/loader.h"
#include "engine/session/predictor.h"
#include "engine/spec/loss.h"

#include <stdlib.h>

enum { SPLIT_TRAIN, SPLIT_TEST };

struct eval_command {
    char model[SPEC_TEXT_BYTES], dataset[SPEC_TEXT_BYTES];
    int split;
    int64_t limit;
    int device;
    int64_t threads;
};

#define ROW(member) FIELD_MEMBER(struct eval_command, member)

static const struct field rows[] = {
    OPTION_MODEL(struct eval_command),
    {ROW(dataset), .type = FIELD_TEXT, .max = 500, .doc = "The folder of the data set."},
    {ROW(split), .type = FIELD_ENUM, .choices = "train test", .fallback = "test",
     .doc = "Which pictures."},
    {ROW(limit), .type = FIELD_INT, .min = 0, .max = 1e9, .fallback = "0",
     .doc = "Use only the first so many pictures; 0 means all."},
    OPTION_DEVICE(struct eval_command),
    OPTION_THREADS(struct eval_command),
};
static const struct field_table table = OPTION_TABLE("eval", rows);

struct sums {
    double loss, top1, top5;
};

static enum status check_match(const struct model_info *info, const struct dataset *dataset,
                               struct error *err) {
    bool resized = !dataset->height || info->resize_size;
    if ((!resized && (info->height != dataset->height || info->width != dataset->width)) ||
        info->channels != dataset->channels)
        return error_set(err, STATUS_INVALID, "the model takes %dx%dx%d, the pictures are %dx%dx%d",
                         info->height, info->width, info->channels, dataset->height, dataset->width,
                         dataset->channels);
    if (info->classes != dataset->classes)
        return error_set(err, STATUS_INVALID, "the model has %d classes, the data set %d",
                         info->classes, dataset->classes);
    return STATUS_OK;
}

static void add_rows(struct sums *sums, const float *logits, const int32_t *labels, int count,
                     int classes) {
    static const struct loss_terms cross_entropy = {.ce_weight = 1, .tau = 1, .scale = 1};
    for (int i = 0; i < count; i++) {
        struct loss_row row = loss_reference(&cross_entropy, logits + (size_t)i * (size_t)classes,
                                             NULL, labels[i], classes, NULL);
        sums->loss += row.loss;
        sums->top1 += row.rank < 1;
        sums->top5 += row.rank < 5;
    }
}

static enum status evaluate(struct predictor *predictor, const struct dataset *dataset,
                            const struct split *split, struct sums *sums, struct error *err) {
    int classes = dataset->classes;
    struct loader_plan plan = {.dataset = dataset,
                               .split = split,
                               .input = model_input(predictor_info(predictor)),
                               .batch = PREDICTOR_MAX_BATCH,
                               .end = loader_batches(split->count, PREDICTOR_MAX_BATCH)};
    plan.threads = loader_threads(&plan);
    struct loader *loader;
    float *logits = xcalloc(PREDICTOR_MAX_BATCH * (size_t)classes, sizeof *logits);
    enum status status = loader_create(&loader, &plan, err);
    for (int64_t i = 0; i < plan.end && !status; i++) {
        struct loader_batch batch;
        status = loader_next(loader, &batch, err);
        if (!status)
            status = predictor_logits(predictor, batch.images, batch.rows, logits, err);
        if (!status)
            add_rows(sums, logits, batch.labels, batch.rows, classes);
    }
    loader_free(loader);
    free(logits);
    return status;
}

static void print_result(const struct split *split, const struct sums *sums) {
    struct line line = {0};
    double n = (double)split->count;
    line_integer(&line, "pictures", split->count);
    line_number(&line, "loss", sums->loss / n);
    line_number(&line, "top1", sums->top1 / n);
    line_number(&line, "top5", sums->top5 / n);
    line_print(&line);
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct eval_command *command = options;
    struct predictor *predictor = NULL;
    struct dataset dataset = {0};
    struct sums sums = {0};
    (void)names;
    enum status status = dataset_open(&dataset, command->dataset, NULL, err);
    if (status)
        return status;
    struct split split = command->split == SPLIT_TEST ? dataset.test : dataset.train;
    split_limit(&split, command->limit);
    status = predictor_create(&predictor, command->model, (enum device_kind)command->device,
                              (int)command->threads, err);
    if (!status)
        status = check_match(predictor_info(predictor), &dataset, err);
    if (!status)
        status = evaluate(predictor, &dataset, &split, &sums, err);
    if (!status)
        print_result(&split, &sums);
    predictor_free(predictor);
    dataset_close(&dataset);
    return status;
}

const struct command command_eval = {
    .name = "eval",
    .sentence = "Measures a model's accuracy and loss on a data set.",
    .required = "model dataset",
    .table = &table,
    .options_bytes = sizeof(struct eval_command),
    .run = run,
};
