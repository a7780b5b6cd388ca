#include "engine/spec/evaluation.h"

#include "engine/base/mem.h"

#include <math.h>
#include <stdlib.h>

#define COUNT(member, sentence)                                                                    \
    { ROW(member), .type = FIELD_INT, .max = 1e15, .doc = sentence }
#define SHARE(member, sentence)                                                                    \
    { ROW(member), .type = FIELD_FLOAT, .max = 1, .doc = sentence }
#define TABLE(name, rows)                                                                          \
    { name, rows, (int)(sizeof(rows) / sizeof *(rows)) }

#define ROW(member) FIELD_MEMBER(struct evaluation, member)
static const struct field evaluation_rows[] = {
    COUNT(count, "Pictures that were classified."),
    {ROW(loss), .type = FIELD_FLOAT, .max = INFINITY,
     .doc = "Mean cross entropy with the labels: the negative log-likelihood."},
    SHARE(top1, "Share of pictures classified rightly."),
    SHARE(top5, "Share of pictures with the right class among the best five."),
    SHARE(ece, "Expected calibration error: mean distance of confidence and accuracy in the bins."),
    {ROW(brier), .type = FIELD_FLOAT, .max = 2,
     .doc = "Brier score: mean squared distance of the probabilities and the label, summed over "
            "classes."},
    {ROW(precision), .type = FIELD_TEXT, .min = 1, .max = 7, .flags = FIELD_REQUIRED,
     .doc = "Numbers it was computed with, as in a job."},
    {ROW(dataset_sha256), .type = FIELD_TEXT, .min = 1, .max = SHA256_HEX_BYTES - 1,
     .flags = FIELD_REQUIRED, .doc = "SHA-256 of the data set then."},
};
#undef ROW
const struct field_table evaluation_table = TABLE("evaluation", evaluation_rows);

#define ROW(member) FIELD_MEMBER(struct class_score, member)
static const struct field class_rows[] = {
    COUNT(index, "Number of the class, from 0."),
    COUNT(count, "Pictures of it."),
    COUNT(right, "Of them, classified rightly."),
    COUNT(answered, "Pictures that were taken for it, rightly or not."),
    SHARE(top1, "Share of its pictures classified rightly (recall); null without any."),
    SHARE(precision, "Share of the pictures taken for it that are of it; null without any."),
};
#undef ROW
const struct field_table class_score_table = TABLE("class", class_rows);

#define ROW(member) FIELD_MEMBER(struct confusion, member)
static const struct field confusion_rows[] = {
    COUNT(index, "Number of the class, from 0."),
    COUNT(predicted_index, "Number of the class that it was taken for."),
    COUNT(count, "Pictures of the one that were taken for the other."),
};
#undef ROW
const struct field_table confusion_table = TABLE("confusion", confusion_rows);

#define ROW(member) FIELD_MEMBER(struct confidence_bin, member)
static const struct field bin_rows[] = {
    SHARE(from, "Where the bin begins; it is 1/15 wide."),
    COUNT(count, "Pictures whose best class has a probability in it."),
    SHARE(confidence, "Mean of these probabilities; null without pictures."),
    SHARE(accuracy, "Share of these pictures classified rightly; null without any."),
};
#undef ROW
const struct field_table confidence_bin_table = TABLE("bin", bin_rows);

#define ROW(member) FIELD_MEMBER(struct worst_picture, member)
static const struct field worst_rows[] = {
    COUNT(offset, "Place in the split, as of a sample."),
    COUNT(index, "Number of its class, from 0."),
    COUNT(predicted_index, "Number of the class that it was taken for."),
    SHARE(score, "Probability of the class that it was taken for."),
    {ROW(loss), .type = FIELD_FLOAT, .max = INFINITY, .doc = "Its cross entropy."},
};
#undef ROW
const struct field_table worst_picture_table = TABLE("picture", worst_rows);

void evaluation_release(struct evaluation *evaluation) {
    free(evaluation->class_score);
    free(evaluation->confusion);
    *evaluation = (struct evaluation){0};
}

/* ---- JSON ---- */

static void add_name(const char *key, const struct evaluation_view *view, int64_t index,
                     struct str *out) {
    if (!view)
        return;
    str_add_json(str_json_key(out, key), view->class_names[index]);
}

static void add_classes(const struct evaluation *evaluation, const struct evaluation_view *view,
                        struct str *out) {
    str_add(str_json_key(out, "classes"), "[");
    for (int i = 0; i < evaluation->n_classes; i++) {
        fields_add_open(&class_score_table, &evaluation->class_score[i], 0, str_json_item(out));
        add_name("label", view, i, out);
        str_add(out, "}");
    }
    str_add(out, "]");
}

static void add_bins(const struct evaluation *evaluation, struct str *out) {
    str_add(str_json_key(out, "bins"), "[");
    for (int i = 0; i < EVALUATION_BINS; i++)
        fields_add_json(&confidence_bin_table, &evaluation->bin[i], 0, str_json_item(out));
    str_add(out, "]");
}

static void add_worst(const struct evaluation *evaluation, const struct evaluation_view *view,
                      struct str *out) {
    str_add(str_json_key(out, "worst"), "[");
    for (int i = 0; i < evaluation->n_worst; i++) {
        const struct worst_picture *picture = &evaluation->worst[i];
        fields_add_open(&worst_picture_table, picture, 0, str_json_item(out));
        add_name("label", view, picture->index, out);
        add_name("predicted", view, picture->predicted_index, out);
        if (view && view->picture)
            view->picture(view->ctx, i, out);
        str_add(out, "}");
    }
    str_add(out, "]");
}

static void add_confusions(const struct evaluation *evaluation, const struct evaluation_view *view,
                           struct str *out) {
    int count = evaluation->n_confusions;
    count = count < EVALUATION_CONFUSIONS ? count : EVALUATION_CONFUSIONS;
    str_add(str_json_key(out, "confusions"), "[");
    for (int i = 0; i < count; i++) {
        const struct confusion *confusion = &evaluation->confusion[i];
        fields_add_open(&confusion_table, confusion, 0, str_json_item(out));
        add_name("label", view, confusion->index, out);
        add_name("predicted", view, confusion->predicted_index, out);
        str_add(out, "}");
    }
    str_add(out, "]");
}

/* In files three numbers each: there may be many. */
static void add_triples(const struct evaluation *evaluation, struct str *out) {
    str_add(str_json_key(out, "confusions"), "[");
    for (int i = 0; i < evaluation->n_confusions; i++) {
        const struct confusion *confusion = &evaluation->confusion[i];
        str_addf(str_json_item(out), "[%lld,%lld,%lld]", (long long)confusion->index,
                 (long long)confusion->predicted_index, (long long)confusion->count);
    }
    str_add(out, "]");
}

static void add_matrix(const struct evaluation *evaluation, struct str *out) {
    size_t n = (size_t)evaluation->n_classes;
    int64_t *cell = xcalloc(n * n + 1, sizeof *cell);
    for (size_t i = 0; i < n; i++)
        cell[i * n + i] = evaluation->class_score[i].right;
    for (int i = 0; i < evaluation->n_confusions; i++) {
        const struct confusion *confusion = &evaluation->confusion[i];
        cell[(size_t)confusion->index * n + (size_t)confusion->predicted_index] = confusion->count;
    }
    str_add(str_json_key(out, "confusion"), "[[");
    for (size_t i = 0; i < n * n; i++) {
        str_add(out, i && i % n == 0 ? "],[" : "");
        str_addf(str_json_item(out), "%lld", (long long)cell[i]);
    }
    str_add(out, "]]");
    free(cell);
}

void evaluation_add_stored(const struct evaluation *evaluation, struct str *out) {
    fields_add_open(&evaluation_table, evaluation, 0, out);
    add_classes(evaluation, NULL, out);
    add_triples(evaluation, out);
    add_bins(evaluation, out);
    add_worst(evaluation, NULL, out);
    str_add(out, "}\n");
}

void evaluation_add_open(const struct evaluation *evaluation, const struct evaluation_view *view,
                         struct str *out) {
    fields_add_open(&evaluation_table, evaluation, 0, out);
    add_classes(evaluation, view, out);
    add_confusions(evaluation, view, out);
    add_bins(evaluation, out);
    add_worst(evaluation, view, out);
    if (view->matrix && evaluation->n_classes <= EVALUATION_MATRIX_CLASSES)
        add_matrix(evaluation, out);
}
