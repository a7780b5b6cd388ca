#include "service/worker/card.h"

#include "service/store/model_card.h"
#include "service/store/models.h"

#include <string.h>

static void describe_spec(struct model_card *card, const struct job *job) {
    const struct train_spec *spec = &job->spec;
    struct str text = STR_INIT;
    model_id_of_job(card->id, job->id);
    clock_format(clock_wall_ms(), card->created);
    str_copy(card->job, sizeof card->job, job->id);
    str_copy(card->name, sizeof card->name, spec->name);
    str_copy(card->dataset, sizeof card->dataset, spec->dataset);
    str_copy(card->teacher, sizeof card->teacher, spec->teacher);
    card->spec = xcalloc(1, sizeof *card->spec);
    *card->spec = *spec;
    field_add_text(field_find(&train_spec_table, "method"), spec, &text);
    str_copy(card->method, sizeof card->method, str_text(&text));
    str_clear(&text);
    field_add_text(field_find(&train_spec_table, "precision"), spec, &text);
    str_copy(card->precision, sizeof card->precision, str_text(&text));
    str_release(&text);
}

static void describe_result(struct model_card *card, const struct train_result *result) {
    card->epoch = result->last.epoch;
    card->loss = result->last.loss;
    card->top1 = result->last.top1;
    card->top5 = result->last.top5;
    card->best_epoch = result->best.epoch;
    card->best_top1 = result->best.top1;
    card->reproducible = result->reproducible;
    str_copy(card->engine, sizeof card->engine, result->identity);
    str_copy(card->dataset_sha256, sizeof card->dataset_sha256, result->dataset_sha256);
}

enum status card_of_run(struct model_card *card, const struct job *job,
                        const struct train_result *result, const char *folder, struct error *err) {
    memset(card, 0, sizeof *card);
    describe_spec(card, job);
    describe_result(card, result);
    return model_card_describe(card, folder, err);
}
