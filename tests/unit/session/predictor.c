/* A predictor answers the same on every device. */
#include "engine/session/predictor.h"

#include "tests/unit/session/devices.h"
#include "tests/unit/session/model_fixture.h"

static const char *folder;
static enum device_kind kind; /* the device of the test that runs */
enum { MANY = 75 };

static struct predictor *open_on(enum device_kind device) {
    struct predictor *predictor = NULL;
    struct error err = {0};
    T_INT(predictor_create(&predictor, folder, device, 1, PRECISION_F32, &err), STATUS_OK);
    T_STR(err.message, "");
    return predictor;
}

static struct predictor *open_predictor(void) {
    return open_on(kind);
}

static void expect_equal_rows(const float *a, const float *b, int rows) {
    for (int i = 0; i < rows * FIXTURE_CLASSES; i++)
        T_NEAR(a[i], b[i], 1e-5);
}

/* A picture's answer does not depend on how many came with it, nor on which. */
static void test_any_count(void) {
    static const int counts[] = {1, 2, 3, 4, 7, 8, 9, 31, 33, 64, 65, MANY};
    struct predictor *predictor = open_predictor();
    uint8_t *pictures = fixture_pictures(MANY);
    float alone[MANY * FIXTURE_CLASSES], together[MANY * FIXTURE_CLASSES];
    struct error err = {0};
    for (int i = 0; i < MANY; i++)
        T_INT(predictor_logits(predictor, pictures + (size_t)i * FIXTURE_PIXELS, 1,
                               alone + i * FIXTURE_CLASSES, &err),
              STATUS_OK);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        memset(together, 0xff, sizeof together);
        T_INT(predictor_logits(predictor, pictures, counts[i], together, &err), STATUS_OK);
        expect_equal_rows(together, alone, counts[i]);
        if (counts[i] < MANY)
            T_CHECK(isnan(together[counts[i] * FIXTURE_CLASSES]));
    }
    T_CHECK(fabsf(alone[0] - alone[FIXTURE_CLASSES]) > 1e-4f);
    free(pictures);
    predictor_free(predictor);
}

static void test_devices_agree(void) {
    struct predictor *predictor = open_predictor(), *ref = open_on(DEVICE_REF);
    uint8_t *pictures = fixture_pictures(MANY);
    float got[MANY * FIXTURE_CLASSES], expected[MANY * FIXTURE_CLASSES];
    T_INT(predictor_logits(predictor, pictures, MANY, got, NULL), STATUS_OK);
    T_INT(predictor_logits(ref, pictures, MANY, expected, NULL), STATUS_OK);
    for (int i = 0; i < MANY * FIXTURE_CLASSES; i++)
        T_NEAR(got[i], expected[i], 1e-4);
    free(pictures);
    predictor_free(predictor);
    predictor_free(ref);
}

static void test_forward_takes_normalised(void) {
    struct predictor *predictor = open_predictor();
    const struct model_info *info = predictor_info(predictor);
    uint8_t *pictures = fixture_pictures(9);
    float *x = xmalloc(9 * FIXTURE_PIXELS * sizeof *x);
    float from_pixels[9 * FIXTURE_CLASSES], from_x[9 * FIXTURE_CLASSES];
    for (int i = 0; i < 9 * FIXTURE_PIXELS; i++)
        x[i] = ((float)pictures[i] / 255 - info->mean[i % 3]) / info->deviation[i % 3];
    T_INT(predictor_logits(predictor, pictures, 9, from_pixels, NULL), STATUS_OK);
    T_INT(predictor_forward(predictor, x, 9, from_x, NULL), STATUS_OK);
    expect_equal_rows(from_pixels, from_x, 9);
    free(x);
    free(pictures);
    predictor_free(predictor);
}

static void test_warm_allocates_nothing(void) {
    struct predictor *predictor = open_predictor();
    uint8_t *pictures = fixture_pictures(MANY);
    float logits[MANY * FIXTURE_CLASSES];
    uint64_t before = 0;
    for (int round = 0; round < 2; round++) {
        before = mem_allocations();
        T_INT(predictor_logits(predictor, pictures, MANY, logits, NULL), STATUS_OK);
        T_INT(predictor_logits(predictor, pictures, 1, logits, NULL), STATUS_OK);
    }
    T_INT(mem_allocations() - before, 0);
    free(pictures);
    predictor_free(predictor);
}

static void test_warms_up(void) {
    struct predictor *predictor = open_predictor();
    uint8_t *pictures = fixture_pictures(MANY);
    float logits[MANY * FIXTURE_CLASSES];
    size_t cold = predictor_bytes(predictor);
    T_INT(predictor_warm(predictor, NULL), STATUS_OK);
    size_t warm = predictor_bytes(predictor);
    uint64_t before = mem_allocations();
    for (int count = 1; count <= MANY; count += 7)
        T_INT(predictor_logits(predictor, pictures, count, logits, NULL), STATUS_OK);
    T_INT(mem_allocations() - before, 0);
    T_INT(predictor_bytes(predictor), warm);
    /* pictures and logits of the largest batch at least */
    T_CHECK(warm >
            cold + PREDICTOR_MAX_BATCH * (FIXTURE_PIXELS + FIXTURE_CLASSES * sizeof *logits));
    free(pictures);
    predictor_free(predictor);
}

static void test_info(void) {
    struct predictor *predictor = open_predictor();
    const struct model_info *info = predictor_info(predictor);
    T_STR(info->architecture, "resnet8");
    T_INT(info->classes, FIXTURE_CLASSES);
    T_STR(info->class_names[7], "class 7");
    predictor_free(predictor);
}

static void test_missing_model(void) {
    struct predictor *predictor = NULL;
    struct error err = {0};
    T_INT(predictor_create(&predictor, "/nonexistent/model", DEVICE_REF, 1, PRECISION_F32, &err),
          STATUS_NOT_FOUND);
    T_CONTAINS(err.message, "/nonexistent/model");
    T_CHECK(!predictor);
    predictor_free(NULL);
}

static void test_top(void) {
    static const struct {
        float logits[5];
        int k, index[5];
    } cases[] = {
        {{0, 1, 2, 3, 4}, 2, {4, 3}},          {{4, 3, 2, 1, 0}, 3, {0, 1, 2}},
        {{1, 1, 1, 1, 1}, 5, {0, 1, 2, 3, 4}}, /* ties go to the lower index */
        {{0, 2, 1, 2, 0}, 4, {1, 3, 2, 0}},    {{-900, 900, 0, 0, 0}, 1, {1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct prediction top[5];
        double sum = 0;
        prediction_top(cases[i].logits, 5, cases[i].k, top);
        for (int c = 0; c < 5; c++)
            sum += exp((double)cases[i].logits[c] - cases[i].logits[top[0].index]);
        for (int j = 0; j < cases[i].k; j++) {
            double above = cases[i].logits[top[j].index] - cases[i].logits[top[0].index];
            T_INT(top[j].index, cases[i].index[j]);
            T_NEAR(top[j].score, exp(above) / sum, 1e-6);
        }
    }
}

static void test_softmax(void) {
    const float logits[] = {1000, 999, -1000, 1000};
    float out[4], sum = 0;
    struct prediction top[4];
    prediction_softmax(logits, 4, out);
    prediction_top(logits, 4, 4, top);
    for (int i = 0; i < 4; i++) {
        sum += out[i];
        T_NEAR(out[top[i].index], top[i].score, 0);
    }
    T_NEAR(sum, 1, 1e-6);
    T_NEAR(out[1] / out[0], exp(-1), 1e-6);
}

static void on(enum device_kind device) {
    kind = device;
    test_any_count();
    test_devices_agree();
    test_forward_takes_normalised();
    test_warm_allocates_nothing();
    test_warms_up();
}

static void on_devices(void) {
    on_every_device(on);
}

int main(void) {
    struct error err;
    folder = t_temp_dir();
    fixture_write_model(folder);
    T_RUN(on_devices);
    T_RUN(test_info);
    T_RUN(test_softmax);
    T_RUN(test_missing_model);
    T_RUN(test_top);
    T_INT(file_remove_all(folder, &err), STATUS_OK);
    return t_done();
}
