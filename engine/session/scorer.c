#include "engine/session/scorer.h"

#include "engine/base/mem.h"
#include "engine/spec/loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A picture that was taken for another class. */
struct mistake {
    int32_t label, predicted;
};

struct scorer {
    int classes;
    int64_t count, capacity;
    double loss, brier;
    int64_t top1, top5;
    struct class_score *class_score; /* [classes] */
    struct mistake *mistake;         /* [capacity] */
    int64_t n_mistakes;
    struct bin_sums {
        int64_t count, right;
        double confidence;
    } bin[EVALUATION_BINS];
    int n_worst;
    struct worst_picture worst[EVALUATION_WORST];
};

enum status scorer_create(struct scorer **out, int64_t pictures, int classes, struct error *err) {
    void *mistakes = NULL;
    *out = NULL;
    enum status status = mem_alloc_large(&mistakes, (size_t)pictures * sizeof(struct mistake),
                                         "answers for a split", err);
    if (status)
        return status;
    struct scorer *scorer = xcalloc(1, sizeof *scorer);
    scorer->classes = classes;
    scorer->capacity = pictures;
    scorer->class_score = xcalloc((size_t)classes, sizeof *scorer->class_score);
    scorer->mistake = mistakes;
    *out = scorer;
    return STATUS_OK;
}

void scorer_free(struct scorer *scorer) {
    if (!scorer)
        return;
    free(scorer->class_score);
    mem_free_large(scorer->mistake);
    free(scorer);
}

/* ---- one picture ---- */

/* The best class with its probability, and the squared distance of all of them and the label. */
static void look(const float *logits, int label, int classes, struct scored *scored,
                 double *distance) {
    double sum = 0;
    int best = 0;
    for (int c = 1; c < classes; c++)
        best = logits[c] > logits[best] ? c : best;
    for (int c = 0; c < classes; c++)
        sum += exp((double)logits[c] - (double)logits[best]);
    *distance = 0;
    for (int c = 0; c < classes; c++) {
        double miss = exp((double)logits[c] - (double)logits[best]) / sum - (c == label);
        *distance += miss * miss;
    }
    scored->predicted = best;
    scored->score = 1 / sum;
}

/* Is a a worse picture than b? Of equal ones the first is. */
static bool is_worse(const struct worst_picture *a, const struct worst_picture *b) {
    return a->loss > b->loss || (a->loss >= b->loss && a->offset < b->offset);
}

static void add_worst(struct scorer *scorer, const struct worst_picture *picture) {
    int at = scorer->n_worst < EVALUATION_WORST ? scorer->n_worst++ : EVALUATION_WORST;
    for (; at > 0 && is_worse(picture, &scorer->worst[at - 1]); at--)
        if (at < EVALUATION_WORST)
            scorer->worst[at] = scorer->worst[at - 1];
    if (at < EVALUATION_WORST)
        scorer->worst[at] = *picture;
}

static void add_bin(struct scorer *scorer, const struct scored *scored) {
    int index = (int)ceil(scored->score * EVALUATION_BINS) - 1;
    index = index < 0 ? 0 : index >= EVALUATION_BINS ? EVALUATION_BINS - 1 : index;
    struct bin_sums *bin = &scorer->bin[index];
    bin->count++;
    bin->right += scored->top1;
    bin->confidence += scored->score;
}

static void count_answer(struct scorer *scorer, int label, const struct scored *scored) {
    scorer->class_score[label].count++;
    scorer->class_score[label].right += scored->top1;
    scorer->class_score[scored->predicted].answered++;
    if (!scored->top1)
        scorer->mistake[scorer->n_mistakes++] = (struct mistake){label, scored->predicted};
}

enum status scorer_add(struct scorer *scorer, int64_t offset, int label, const float *logits,
                       struct scored *scored, struct error *err) {
    static const struct loss_terms cross_entropy = {.ce_weight = 1, .tau = 1, .scale = 1};
    CHECK(scorer->count < scorer->capacity && label >= 0 && label < scorer->classes);
    struct loss_row row =
        loss_reference(&cross_entropy, logits, NULL, label, scorer->classes, NULL);
    if (!row.finite || !isfinite(row.loss))
        return error_set(err, STATUS_DIVERGED, "the loss of picture %lld is not finite",
                         (long long)offset);
    struct scored own = {.loss = row.loss, .top1 = row.rank < 1, .top5 = row.rank < 5};
    double distance;
    look(logits, label, scorer->classes, &own, &distance);
    scorer->count++;
    scorer->loss += own.loss;
    scorer->brier += distance;
    scorer->top1 += own.top1;
    scorer->top5 += own.top5;
    count_answer(scorer, label, &own);
    add_bin(scorer, &own);
    const struct worst_picture picture = {offset, label, own.predicted, own.score, own.loss};
    add_worst(scorer, &picture);
    if (scored)
        *scored = own;
    return STATUS_OK;
}

enum status scorer_add_batch(struct scorer *scorer, const struct evaluator_batch *batch,
                             struct error *err) {
    enum status status = STATUS_OK;
    for (int i = 0; i < batch->rows && !status; i++)
        status = scorer_add(scorer, batch->first + i, batch->labels[i],
                            batch->logits + (size_t)i * (size_t)scorer->classes, NULL, err);
    return status;
}

/* ---- the evaluation ---- */

struct scorer_means scorer_means(const struct scorer *scorer) {
    double n = (double)scorer->count;
    return (struct scorer_means){scorer->loss / n, (double)scorer->top1 / n,
                                 (double)scorer->top5 / n};
}

static double ratio(int64_t part, int64_t whole) {
    return whole ? (double)part / (double)whole : NAN;
}

static void end_classes(const struct scorer *scorer, struct evaluation *out) {
    out->n_classes = scorer->classes;
    out->class_score = xcalloc((size_t)scorer->classes, sizeof *out->class_score);
    for (int c = 0; c < scorer->classes; c++) {
        struct class_score *score = &out->class_score[c];
        *score = scorer->class_score[c];
        score->index = c;
        score->top1 = ratio(score->right, score->count);
        score->precision = ratio(score->right, score->answered);
    }
}

static void end_bins(const struct scorer *scorer, struct evaluation *out) {
    out->ece = 0;
    for (int i = 0; i < EVALUATION_BINS; i++) {
        const struct bin_sums *sums = &scorer->bin[i];
        double n = (double)sums->count;
        out->bin[i] =
            (struct confidence_bin){.from = (double)i / EVALUATION_BINS,
                                    .count = sums->count,
                                    .confidence = sums->count ? sums->confidence / n : NAN,
                                    .accuracy = ratio(sums->right, sums->count)};
        out->ece += fabs(sums->confidence - (double)sums->right) / (double)scorer->count;
    }
}

static int by_classes(const void *a, const void *b) {
    const struct mistake *x = a, *y = b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return x->predicted < y->predicted ? -1 : x->predicted > y->predicted;
}

static int by_count(const void *a, const void *b) {
    const struct confusion *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return x->predicted_index < y->predicted_index ? -1 : 1;
}

/* Equal mistakes stand together once they are sorted. */
static void end_confusions(struct scorer *scorer, struct evaluation *out) {
    struct mistake *mistake = scorer->mistake;
    int64_t n = scorer->n_mistakes;
    int kinds = 0;
    if (n)
        qsort(mistake, (size_t)n, sizeof *mistake, by_classes);
    for (int64_t i = 0; i < n; i++)
        kinds += i == 0 || by_classes(&mistake[i - 1], &mistake[i]) != 0;
    struct confusion *confusion = xcalloc((size_t)kinds + 1, sizeof *confusion);
    int last = -1;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || by_classes(&mistake[i - 1], &mistake[i]) != 0)
            confusion[++last] = (struct confusion){mistake[i].label, mistake[i].predicted, 0};
        confusion[last].count++;
    }
    if (kinds)
        qsort(confusion, (size_t)kinds, sizeof *confusion, by_count);
    bool all = scorer->classes <= EVALUATION_MATRIX_CLASSES || kinds <= EVALUATION_CONFUSIONS;
    out->n_confusions = all ? kinds : EVALUATION_CONFUSIONS;
    out->confusion = confusion;
}

void scorer_end(struct scorer *scorer, struct evaluation *out) {
    struct scorer_means means = scorer_means(scorer);
    *out = (struct evaluation){.count = scorer->count,
                               .loss = means.loss,
                               .top1 = means.top1,
                               .top5 = means.top5,
                               .brier = scorer->brier / (double)scorer->count,
                               .n_worst = scorer->n_worst};
    memcpy(out->worst, scorer->worst, sizeof out->worst);
    end_classes(scorer, out);
    end_confusions(scorer, out);
    end_bins(scorer, out);
}
