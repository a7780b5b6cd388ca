/*
 * The fused loss against the formula in double.
 */
#include "engine/backend/cpu/dnn.h"
#include "engine/backend/cpu/vec/vec.h"
#include "engine/base/rng.h"
#include "tests/support/t.h"

#include <stdbool.h>

enum { ROWS = 7 };

struct batch {
    int classes;
    float *student, *teacher, *gradient, *scratch;
    int32_t label[ROWS];
    float rows[ROWS * ROW_FIELDS];
};

static float uniform(uint32_t item, uint32_t stream) {
    return 2 * rng_unit(rng_philox(7, item, stream, RNG_TEST, 0).word[0]) - 1;
}

static void batch_init(struct batch *batch, int classes, float spread) {
    size_t count = (size_t)ROWS * (size_t)classes;
    batch->classes = classes;
    batch->student = calloc(count, sizeof(float));
    batch->teacher = calloc(count, sizeof(float));
    batch->gradient = calloc(count, sizeof(float));
    batch->scratch = calloc(vec_loss_scratch_floats(classes), sizeof(float));
    for (size_t i = 0; i < count; i++) {
        batch->student[i] = spread * uniform((uint32_t)i, 0);
        batch->teacher[i] = spread * uniform((uint32_t)i, 1);
    }
    for (int n = 0; n < ROWS; n++)
        batch->label[n] = (n * 5 + classes - 1) % classes;
}

static void batch_release(struct batch *batch) {
    free(batch->student);
    free(batch->teacher);
    free(batch->gradient);
    free(batch->scratch);
}

static void run(const struct vec_kernels *vec, struct batch *batch, const struct loss_terms *terms,
                bool gradient) {
    struct vec_loss loss = {.terms = *terms,
                            .student = batch->student,
                            .teacher = terms->distill_weight != 0 ? batch->teacher : NULL,
                            .label = batch->label,
                            .rows = batch->rows,
                            .gradient = gradient ? batch->gradient : NULL,
                            .classes = batch->classes,
                            .gradient_scale = 1.0 / ROWS};
    vec->loss(&loss, 0, ROWS, batch->scratch);
}

/* Of n numbers, the largest difference relative to the largest expected one, or to the unit. */
static double worst_of(const float *actual, const double *expected, int n, double unit) {
    double worst = 0, largest = unit;
    for (int k = 0; k < n; k++) {
        double difference = fabs((double)actual[k] - expected[k]);
        worst = difference > worst || difference != difference ? difference : worst;
        largest = fmax(largest, fabs(expected[k]));
    }
    return worst / largest;
}

/* Gradients that cancel out are measured by what they are the difference of. */
static double unit_of(const struct loss_terms *terms) {
    return 0.05 * (terms->ce_weight + terms->distill_weight * terms->scale / terms->tau) / ROWS;
}

static void compare_row(const struct batch *batch, const struct loss_terms *terms, int n,
                        double tolerance) {
    int classes = batch->classes;
    size_t first = (size_t)n * (size_t)classes;
    double *gradient = calloc((size_t)classes, sizeof *gradient);
    const float *row = batch->rows + n * ROW_FIELDS;
    struct loss_row expected = loss_reference(terms, batch->student + first, batch->teacher + first,
                                              batch->label[n], classes, gradient);
    for (int k = 0; k < classes; k++)
        gradient[k] /= ROWS;
    T_NEAR(worst_of(batch->gradient + first, gradient, classes, unit_of(terms)), 0, tolerance);
    double rounding = tolerance + 3e-7 * terms->scale; /* s multiplies the divergence's */
    T_NEAR((double)row[ROW_LOSS], expected.loss,
           tolerance * fabs(expected.loss) + rounding * fmax(1, terms->distill_weight));
    T_NEAR((double)row[ROW_CE], expected.ce, tolerance * (1 + fabs(expected.ce)));
    T_NEAR((double)row[ROW_DISTILL], expected.distill,
           tolerance * fabs(expected.distill) + rounding);
    T_INT(row[ROW_TOP1] != 0, expected.rank == 0);
    T_INT(row[ROW_TOP5] != 0, expected.rank < 5);
    T_INT(row[ROW_FINITE] != 0, expected.finite);
    free(gradient);
}

/* The tables of this processor. */
static const struct vec_kernels *tables[4];
static int n_tables;

static void find_tables(void) {
    struct dnn_features features = dnn_features();
    tables[n_tables++] = vec_choose(false, false, false);
    if (features.avx2)
        tables[n_tables++] = vec_choose(true, false, false);
    if (features.avx512)
        tables[n_tables++] = vec_choose(true, true, false);
    if (features.bf16)
        tables[n_tables++] = vec_choose(true, true, true);
}

static void check(const struct loss_terms *terms, int classes, float spread, double tolerance) {
    for (int i = 0; i < n_tables; i++) {
        struct batch batch;
        batch_init(&batch, classes, spread);
        run(tables[i], &batch, terms, true);
        for (int n = 0; n < ROWS; n++)
            compare_row(&batch, terms, n, tolerance);
        batch_release(&batch);
    }
}

static const int sizes[] = {2, 7, 8, 10, 16, 17, 100, 1000, 1025, 4099};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void test_methods(void) {
    static const double temperatures[] = {1, 1.5, 2, 4, 10, 37};
    for (int method = METHOD_CE; method < METHOD_LOSSES; method++)
        for (int size = 0; size < SIZES; size++)
            for (int t = 0; t < 6; t++) {
                struct loss_terms terms =
                    loss_terms_of((enum method)method, temperatures[t], 2.25, 1, 0);
                check(&terms, sizes[size], 5, 3e-6);
            }
}

static void test_typical_accuracy(void) {
    struct loss_terms terms = loss_terms_of(METHOD_WTTM, 4, 2.25, 1, 0);
    check(&terms, 1000, 5, 4e-7);
    check(&terms, 100, 5, 4e-7);
}

static void test_label_smoothing(void) {
    for (int size = 0; size < SIZES; size++) {
        struct loss_terms terms = loss_terms_of(METHOD_KD, 4, 0.9, 0.1, 0.1);
        check(&terms, sizes[size], 5, 3e-6);
        terms = loss_terms_of(METHOD_CE, 1, 0, 1, 0.2);
        check(&terms, sizes[size], 5, 3e-6);
    }
}

/* Softmax underflows here; sums of logits lose digits in proportion to their size. */
static void test_wide_gaps(void) {
    for (int size = 0; size < SIZES; size++) {
        struct loss_terms terms = loss_terms_of(METHOD_WTTM, 10, 2, 1, 0);
        check(&terms, sizes[size], 300, 4e-5);
        check(&terms, sizes[size], 1e6F, 1e-1);
        terms = loss_terms_of(METHOD_WTTM, 1.5, 2, 1, 0.1);
        check(&terms, sizes[size], 1e4F, 1e-3);
    }
}

static void test_teacher_without_weight(void) {
    struct loss_terms terms = loss_terms_of(METHOD_KD, 4, 0, 1, 0);
    check(&terms, 100, 5, 3e-6);
    terms = loss_terms_of(METHOD_KD, 4, 1, 0, 0);
    check(&terms, 100, 5, 3e-6);
}

static void test_ties_go_to_the_lower_index(void) {
    struct loss_terms terms = loss_terms_of(METHOD_CE, 1, 0, 1, 0);
    for (int i = 0; i < n_tables; i++) {
        struct batch batch;
        batch_init(&batch, 100, 0);
        for (int n = 0; n < ROWS; n++)
            batch.label[n] = n;
        run(tables[i], &batch, &terms, true);
        for (int n = 0; n < ROWS; n++) {
            T_INT(batch.rows[n * ROW_FIELDS + ROW_TOP1] != 0, n == 0);
            T_INT(batch.rows[n * ROW_FIELDS + ROW_TOP5] != 0, n < 5);
        }
        batch_release(&batch);
    }
}

static void check_fault(const struct vec_kernels *vec, float fault, bool of_teacher, int at) {
    struct loss_terms terms = loss_terms_of(METHOD_WTTM, 4, 1, 1, 0);
    struct batch batch;
    batch_init(&batch, 37, 3);
    (of_teacher ? batch.teacher : batch.student)[3 * 37 + at] = fault;
    run(vec, &batch, &terms, true);
    for (int n = 0; n < ROWS; n++)
        T_INT(batch.rows[n * ROW_FIELDS + ROW_FINITE] != 0, n != 3);
    T_INT(batch.rows[3 * ROW_FIELDS + ROW_TOP5] != 0, 0);
    batch_release(&batch);
}

static void test_what_is_not_finite_is_seen(void) {
    for (int i = 0; i < n_tables; i++)
        for (int at = 0; at < 37; at += 4) {
            check_fault(tables[i], NAN, false, at);
            check_fault(tables[i], INFINITY, false, at);
            check_fault(tables[i], -INFINITY, false, at);
            check_fault(tables[i], NAN, true, at);
            check_fault(tables[i], INFINITY, true, at);
        }
}

static void test_rows_do_not_need_the_gradient(void) {
    struct loss_terms terms = loss_terms_of(METHOD_KD, 4, 0.9, 0.1, 0.1);
    for (int i = 0; i < n_tables; i++) {
        struct batch batch;
        float rows[ROWS * ROW_FIELDS];
        batch_init(&batch, 53, 4);
        run(tables[i], &batch, &terms, true);
        memcpy(rows, batch.rows, sizeof rows);
        run(tables[i], &batch, &terms, false);
        T_INT(memcmp(rows, batch.rows, sizeof rows), 0);
        batch_release(&batch);
    }
}

int main(void) {
    find_tables();
    T_RUN(test_methods);
    T_RUN(test_typical_accuracy);
    T_RUN(test_label_smoothing);
    T_RUN(test_wide_gaps);
    T_RUN(test_teacher_without_weight);
    T_RUN(test_ties_go_to_the_lower_index);
    T_RUN(test_what_is_not_finite_is_seen);
    T_RUN(test_rows_do_not_need_the_gradient);
    return t_done();
}
