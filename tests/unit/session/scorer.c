/* Evaluations against numbers that are computed by hand, and against a plainly written second way.
 */
#include "engine/session/scorer.h"

#include "tests/support/t.h"

#include "engine/base/mem.h"
#include "engine/base/rng.h"

enum { CLASSES = 3, MANY = 500, MANY_CLASSES = 7 };

static void end(struct scorer *scorer, struct evaluation *out) {
    scorer_end(scorer, out);
    str_copy(out->precision, sizeof out->precision, "f32");
    scorer_free(scorer);
}

/* Logits are logarithms, so the probabilities are 1/2 1/4 1/4, 1/8 3/4 1/8, 1/4 1/4 1/2, and the
 * same once more. */
static void score_small(struct evaluation *out) {
    const float ln2 = 0.69314718f, ln6 = 1.79175947f;
    const float logits[][CLASSES] = {{ln2, 0, 0}, {0, ln6, 0}, {0, 0, ln2}, {ln2, 0, 0}};
    const int labels[] = {0, 1, 1, 2};
    struct scorer *scorer;
    struct scored scored;
    T_INT(scorer_create(&scorer, 4, CLASSES, NULL), STATUS_OK);
    for (int i = 0; i < 4; i++)
        T_INT(scorer_add(scorer, 10 + i, labels[i], logits[i], &scored, NULL), STATUS_OK);
    T_INT(scored.predicted, 0);
    T_CHECK(!scored.top1 && scored.top5);
    T_NEAR(scored.score, 0.5, 1e-7);
    T_NEAR(scored.loss, log(4), 1e-7);
    end(scorer, out);
}

static void test_by_hand(void) {
    struct evaluation found;
    score_small(&found);
    T_INT(found.count, 4);
    T_NEAR(found.top1, 0.5, 0);
    T_NEAR(found.top5, 1, 0);
    T_NEAR(found.loss, (log(2) + log(4.0 / 3) + 2 * log(4)) / 4, 1e-7);
    /* 1/4 + 2/16, 1/16 + 2/64, 1/16 + 9/16 + 1/4, 1/4 + 1/16 + 9/16 */
    T_NEAR(found.brier, (0.375 + 0.09375 + 0.875 + 0.875) / 4, 1e-7);
    /* bin of 1/2: three pictures, one right; bin of 3/4: one, right */
    T_NEAR(found.ece, fabs(1.5 - 1) / 4 + fabs(0.75 - 1) / 4, 1e-7);
    T_INT(found.bin[7].count, 3);
    T_NEAR(found.bin[7].accuracy, 1.0 / 3, 1e-12);
    T_INT(found.bin[11].count, 1);
    T_NEAR(found.bin[11].confidence, 0.75, 1e-7);
    T_CHECK(isnan(found.bin[0].accuracy));
    T_NEAR(found.class_score[1].top1, 0.5, 0);
    T_NEAR(found.class_score[0].precision, 0.5, 0);
    T_NEAR(found.class_score[2].top1, 0, 0);
    T_INT(found.class_score[0].answered, 2);
    evaluation_release(&found);
}

static void test_confusions_and_worst(void) {
    struct evaluation found;
    score_small(&found);
    T_INT(found.n_confusions, 2);
    T_INT(found.confusion[0].index, 1); /* of equal counts the lower class first */
    T_INT(found.confusion[0].predicted_index, 2);
    T_INT(found.confusion[1].index, 2);
    T_INT(found.confusion[1].predicted_index, 0);
    T_INT(found.n_worst, 4);
    T_INT(found.worst[0].offset, 12); /* of equal losses the earlier picture first */
    T_INT(found.worst[1].offset, 13);
    T_INT(found.worst[3].offset, 11);
    evaluation_release(&found);
}

/* ---- many pictures ---- */

static float logits[MANY][MANY_CLASSES];
static int labels[MANY];

static void make_many(void) {
    for (int i = 0; i < MANY; i++) {
        labels[i] = (i * 5) % MANY_CLASSES;
        for (int c = 0; c < MANY_CLASSES; c++) {
            uint32_t word = rng_philox(9, (uint32_t)(i * MANY_CLASSES + c), 0, RNG_TEST, 0).word[0];
            logits[i][c] = 4 * rng_unit(word) + 2 * (c == labels[i]);
        }
    }
}

static int best_of(const float *row) {
    int best = 0;
    for (int c = 1; c < MANY_CLASSES; c++)
        best = row[c] > row[best] ? c : best;
    return best;
}

static void score_many(struct evaluation *out) {
    struct scorer *scorer;
    make_many();
    T_INT(scorer_create(&scorer, MANY, MANY_CLASSES, NULL), STATUS_OK);
    for (int i = 0; i < MANY; i++)
        T_INT(scorer_add(scorer, i, labels[i], logits[i], NULL, NULL), STATUS_OK);
    T_NEAR(scorer_means(scorer).top1, 0.5, 0.5);
    end(scorer, out);
}

static void test_many(void) {
    struct evaluation found;
    int64_t matrix[MANY_CLASSES][MANY_CLASSES] = {{0}}, right = 0, wrong = 0;
    score_many(&found);
    for (int i = 0; i < MANY; i++)
        matrix[labels[i]][best_of(logits[i])]++;
    for (int c = 0; c < MANY_CLASSES; c++) {
        T_INT(found.class_score[c].right, matrix[c][c]);
        right += matrix[c][c];
    }
    for (int i = 0; i < found.n_confusions; i++) {
        const struct confusion *at = &found.confusion[i];
        T_INT(at->count, matrix[at->index][at->predicted_index]);
        T_CHECK(i == 0 || at->count <= at[-1].count);
        wrong += at->count;
    }
    T_INT(right + wrong, MANY);
    T_NEAR(found.top1, (double)right / MANY, 0);
    T_INT(found.n_worst, EVALUATION_WORST);
    for (int i = 1; i < found.n_worst; i++)
        T_CHECK(found.worst[i].loss <= found.worst[i - 1].loss);
    evaluation_release(&found);
}

static void test_same_bytes(void) {
    struct str text[2] = {STR_INIT, STR_INIT};
    for (int i = 0; i < 2; i++) {
        struct evaluation found;
        score_many(&found);
        evaluation_add_stored(&found, &text[i]);
        evaluation_release(&found);
    }
    T_STR(str_text(&text[0]), str_text(&text[1]));
    for (int i = 0; i < 2; i++)
        str_release(&text[i]);
}

static void test_view(void) {
    char text[][8] = {"ant", "bee", "\"c\""}, *names[] = {text[0], text[1], text[2]};
    const struct evaluation_view view = {.class_names = names, .matrix = true};
    struct evaluation found;
    struct str out = STR_INIT;
    score_small(&found);
    evaluation_add_open(&found, &view, &out);
    T_CONTAINS(str_text(&out), "\"confusion\":[[1,0,0],[0,1,1],[1,0,0]]");
    T_CONTAINS(str_text(&out), "\"label\":\"bee\",\"predicted\":\"\\\"c\\\"\"");
    str_release(&out);
    evaluation_release(&found);
}

static void test_not_finite(void) {
    const float wrong[CLASSES] = {1, NAN, 0};
    struct scorer *scorer;
    struct error err = {0};
    T_INT(scorer_create(&scorer, 1, CLASSES, NULL), STATUS_OK);
    T_INT(scorer_add(scorer, 41, 0, wrong, NULL, &err), STATUS_DIVERGED);
    T_CONTAINS(err.message, "41");
    scorer_free(scorer);
    scorer_free(NULL);
}

int main(void) {
    T_RUN(test_by_hand);
    T_RUN(test_confusions_and_worst);
    T_RUN(test_many);
    T_RUN(test_same_bytes);
    T_RUN(test_view);
    T_RUN(test_not_finite);
    return t_done();
}
