/*
 * eval.c - `distill eval`: how well a model classifies a split of a data set.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"

#include "engine/session/scorer.h"

#include <stdio.h>
#include <stdlib.h>

enum report_kind { REPORT_LINE, REPORT_JSON, REPORT_FULL };

struct eval_command {
    char model[SPEC_TEXT_BYTES], dataset[SPEC_TEXT_BYTES];
    int split; /* enum split_kind */
    int64_t limit;
    int report; /* enum report_kind */
    int precision;
    int device;
    int64_t threads;
};

#define ROW(member) FIELD_MEMBER(struct eval_command, member)

static const struct field rows[] = {
    OPTION_MODEL(struct eval_command),
    {ROW(dataset), .type = FIELD_TEXT, .max = 500, .doc = "The folder of the data set."},
    {ROW(split), .type = FIELD_ENUM, .choices = split_names, .fallback = "test",
     .doc = "Which pictures."},
    {ROW(limit), .type = FIELD_INT, .min = 0, .max = 1e9, .fallback = "0",
     .doc = "Use only the first so many pictures; 0 means all."},
    {ROW(report), .type = FIELD_ENUM, .choices = FIELD_WORDS("line", "json", "full"),
     .fallback = "line",
     .doc =
         "Loss and accuracy alone; also classes, confusions, calibration and the worst pictures; "
         "also the whole matrix of confusion."},
    {ROW(precision), .type = FIELD_ENUM, .choices = precision_names, .fallback = "f32",
     .doc = "Numbers to compute with; tf32 is for device cuda alone."},
    OPTION_DEVICE(struct eval_command),
    OPTION_THREADS(struct eval_command),
};
static const struct field_table table = FIELD_TABLE("eval", rows);

static enum status add_batch(void *ctx, const struct evaluator_batch *batch, struct error *err) {
    return scorer_add_batch(ctx, batch, err);
}

static void print_line(const struct evaluation *evaluation) {
    struct line line = {0};
    line_integer(&line, "pictures", evaluation->count);
    line_number(&line, "loss", evaluation->loss);
    line_number(&line, "top1", evaluation->top1);
    line_number(&line, "top5", evaluation->top5);
    line_print(&line);
}

static void print_json(const struct evaluation *evaluation, const struct dataset *dataset,
                       bool matrix) {
    const struct evaluation_view view = {.class_names = dataset->class_names, .matrix = matrix};
    struct str out = STR_INIT;
    evaluation_add_open(evaluation, &view, &out);
    str_add(&out, "}");
    puts(str_text(&out));
    str_release(&out);
}

static void print_report(struct scorer *scorer, const struct eval_command *command,
                         const struct dataset *dataset) {
    struct evaluation evaluation;
    scorer_end(scorer, &evaluation);
    str_copy(evaluation.precision, sizeof evaluation.precision,
             precision_names[command->precision]);
    str_copy(evaluation.dataset_sha256, sizeof evaluation.dataset_sha256, dataset->sha256);
    if (command->report == REPORT_LINE)
        print_line(&evaluation);
    else
        print_json(&evaluation, dataset, command->report == REPORT_FULL);
    evaluation_release(&evaluation);
}

static enum status evaluate(const struct eval_command *command, struct predictor *predictor,
                            const struct dataset *dataset, struct error *err) {
    struct split split = command->split == SPLIT_TEST ? dataset->test : dataset->train;
    struct scorer *scorer = NULL;
    split_limit(&split, command->limit);
    enum status status = scorer_create(&scorer, split.count, dataset->classes, err);
    if (!status)
        status = evaluator_run(predictor, dataset, &split, add_batch, scorer, err);
    if (!status)
        print_report(scorer, command, dataset);
    scorer_free(scorer);
    return status;
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct eval_command *command = options;
    struct dataset dataset = {0};
    struct predictor *predictor = NULL;
    (void)names;
    enum status status = train_spec_check_precision(command->precision, command->device, err);
    if (!status) /* before the data set, which may take minutes */
        status = predictor_create(&predictor, command->model, (enum device_kind)command->device,
                                  (int)command->threads, (enum precision)command->precision, err);
    if (!status)
        status = dataset_open(&dataset, command->dataset, NULL, err);
    if (!status)
        status = evaluate(command, predictor, &dataset, err);
    dataset_close(&dataset);
    predictor_free(predictor);
    return status;
}

const struct command command_eval = {
    .name = "eval",
    .sentence = "Measures a model's accuracy and loss on a data set.",
    .required = {"model", "dataset"},
    .table = &table,
    .options_bytes = sizeof(struct eval_command),
    .run = run,
};
