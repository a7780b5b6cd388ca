/* The reference loss: golden values, gradients against differences, and hard cases. */
#include "engine/spec/loss.h"
#include "tests/support/t.h"

enum { ROWS = 2, CLASSES = 4 };

static const float teacher[ROWS][CLASSES] = {{2, 1, 0, -1}, {0.5f, 0.5f, 0.5f, 3}};
static const float student[ROWS][CLASSES] = {{1, 0, -1, 2}, {0, 1, 2, 3}};
static const int labels[ROWS] = {0, 3};

/* Batch means of the loss; grad receives the gradient of the batch mean. */
static struct loss_row batch(const struct loss_terms *terms, double grad[ROWS][CLASSES]) {
    struct loss_row mean = {.finite = true};
    for (int i = 0; i < ROWS; i++) {
        struct loss_row row = loss_reference(terms, student[i], teacher[i], labels[i], CLASSES,
                                             grad ? grad[i] : NULL);
        for (int k = 0; grad && k < CLASSES; k++)
            grad[i][k] /= ROWS;
        mean.loss += row.loss / ROWS;
        mean.ce += row.ce / ROWS;
        mean.distill += row.distill / ROWS;
        mean.finite = mean.finite && row.finite;
    }
    return mean;
}

/* Independently computed in float64; the file says how. */
static void test_golden_losses(void) {
    FILE *file = fopen("tests/golden/losses/losses.txt", "r");
    char line[256], name[8];
    double temperature, ce, distill;
    int cases = 0;
    T_CHECK(file != NULL);
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "loss %7s %lf %lf %lf", name, &temperature, &ce, &distill) != 4)
            continue;
        int method = strcmp(name, "kd") == 0    ? METHOD_KD
                     : strcmp(name, "ttm") == 0 ? METHOD_TTM
                                                : METHOD_WTTM;
        struct loss_terms terms = loss_terms_of(method, temperature, 1, 1, 0);
        struct loss_row mean = batch(&terms, NULL);
        T_NEAR(mean.ce, ce, 1e-10);
        T_NEAR(mean.distill, distill, 1e-10);
        T_NEAR(mean.loss, ce + distill, 1e-10);
        cases++;
    }
    if (file)
        fclose(file);
    T_INT(cases, 13);
}

static void test_golden_gradients(void) {
    static const struct {
        enum method method;
        double temperature, loss, grad[ROWS][CLASSES];
    } cases[] = {
        {METHOD_TTM,
         5,
         0.490122540492,
         {{-.046148005606, -.091182256035, -.094298282366, .231628544006},
          {-.091527157628, -.063984299897, .010884949777, .144626507748}}},
        {METHOD_WTTM,
         5,
         1.347894307674,
         {{-.12837683043, -.253655360996, -.262323678915, .64435587034},
          {-.246953314576, -.172638759357, .029369145684, .390222928249}}},
        {METHOD_KD,
         4,
         0.799653845927,
         {{-.154809372631, -.120565660632, -.093896630912, .369271664175},
          {-.080233233016, .013663397895, .134229058528, -.067659223407}}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct loss_terms terms = loss_terms_of(cases[c].method, cases[c].temperature, 1, 0, 0);
        double grad[ROWS][CLASSES];
        T_NEAR(batch(&terms, grad).loss, cases[c].loss, 1e-10);
        for (int i = 0; i < ROWS * CLASSES; i++)
            T_NEAR(grad[i / CLASSES][i % CLASSES], cases[c].grad[i / CLASSES][i % CLASSES], 1e-10);
    }
}

static void test_gradient_is_the_slope_of_the_loss(void) {
    static const float t[CLASSES] = {0.25f, -1.5f, 2, 0.75f};
    for (int method = 0; method < METHOD_LOSSES; method++) {
        struct loss_terms terms = loss_terms_of(method, 3, 2.5, 0.7, 0.1);
        float z[CLASSES] = {0.5f, -0.25f, 1, 0.125f};
        double grad[CLASSES];
        loss_reference(&terms, z, t, 1, CLASSES, grad);
        for (int k = 0; k < CLASSES; k++) {
            const float h = 0x1p-10f, middle = z[k];
            z[k] = middle + h;
            double above = loss_reference(&terms, z, t, 1, CLASSES, NULL).loss;
            z[k] = middle - h;
            double below = loss_reference(&terms, z, t, 1, CLASSES, NULL).loss;
            z[k] = middle;
            T_NEAR(grad[k], (above - below) / (2 * h), 1e-6);
        }
    }
}

static void test_plain_training_reads_no_teacher(void) {
    struct loss_terms terms = loss_terms_of(METHOD_CE, NAN, NAN, 1, 0);
    T_NEAR(loss_reference(&terms, student[1], NULL, 3, CLASSES, NULL).loss, 0.440189698561, 1e-10);
}

static void test_label_smoothing(void) {
    struct loss_terms plain = loss_terms_of(METHOD_CE, NAN, NAN, 1, 0);
    struct loss_terms smooth = loss_terms_of(METHOD_CE, NAN, NAN, 1, 0.2);
    double expected = 0;
    for (int k = 0; k < CLASSES; k++)
        expected +=
            (k == 3 ? 0.85 : 0.05) * loss_reference(&plain, student[1], NULL, k, CLASSES, NULL).ce;
    T_NEAR(loss_reference(&smooth, student[1], NULL, 3, CLASSES, NULL).ce, expected, 1e-12);
}

/* A softmax raised to a power underflows here; the exact weight is exp(0) + exp(-11). */
static void test_power_weight_survives_a_wide_gap(void) {
    static const float t[2] = {0, -110}, z[2] = {0, 0};
    struct loss_terms wttm = loss_terms_of(METHOD_WTTM, 10, 1, 0, 0);
    struct loss_terms ttm = loss_terms_of(METHOD_TTM, 10, 1, 0, 0);
    double weighted = loss_reference(&wttm, z, t, 0, 2, NULL).distill;
    double plain = loss_reference(&ttm, z, t, 0, 2, NULL).distill;
    T_NEAR(weighted / plain, 1 + exp(-11), 1e-12);
}

static void test_large_logits_are_finite(void) {
    static const float z[3] = {1e30f, -1e30f, 0}, t[3] = {-1e4f, 1e4f, 0};
    struct loss_terms terms = loss_terms_of(METHOD_WTTM, 10, 1, 1, 0);
    double grad[3];
    struct loss_row row = loss_reference(&terms, z, t, 0, 3, grad);
    T_CHECK(row.finite && isfinite(grad[0]) && isfinite(grad[1]) && isfinite(grad[2]));
}

static void test_rank_breaks_ties_by_lower_index(void) {
    static const float z[4] = {1, 2, 2, 0};
    struct loss_terms terms = loss_terms_of(METHOD_CE, NAN, NAN, 1, 0);
    static const int ranks[4] = {2, 0, 1, 3};
    for (int k = 0; k < 4; k++)
        T_INT(loss_reference(&terms, z, NULL, k, 4, NULL).rank, ranks[k]);
}

static void test_not_a_number_is_reported_and_never_a_hit(void) {
    static const float z[3] = {NAN, 1, 2};
    struct loss_terms terms = loss_terms_of(METHOD_CE, NAN, NAN, 1, 0);
    struct loss_row row = loss_reference(&terms, z, NULL, 0, 3, NULL);
    T_CHECK(!row.finite);
    T_INT(row.rank, 3);
}

int main(void) {
    T_RUN(test_golden_losses);
    T_RUN(test_golden_gradients);
    T_RUN(test_gradient_is_the_slope_of_the_loss);
    T_RUN(test_plain_training_reads_no_teacher);
    T_RUN(test_label_smoothing);
    T_RUN(test_power_weight_survives_a_wide_gap);
    T_RUN(test_large_logits_are_finite);
    T_RUN(test_rank_breaks_ties_by_lower_index);
    T_RUN(test_not_a_number_is_reported_and_never_a_hit);
    return t_done();
}
