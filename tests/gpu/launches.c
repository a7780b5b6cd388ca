/* How many launches a training step is: on a GPU the smallest take some microseconds each, whatever
 * they do. Counted on the emulated device with what stands in for the libraries. */
#include "engine/cli/rig.h"
#include "tests/gpu/emulate/record.h"
#include "tests/support/t.h"

/* Of a step of WTTM that takes its batch from a data set on the device. */
static int launches_of(const char *student, const char *teacher, enum precision precision) {
    struct rig_options options = {.method = METHOD_WTTM,
                                  .batch_size = 2,
                                  .channels = 3,
                                  .precision = (int)precision,
                                  .threads = 1,
                                  .resident = true};
    struct rig_plan plan;
    struct rig rig = {0};
    struct error err;
    snprintf(options.student, sizeof options.student, "%s", student);
    snprintf(options.teacher, sizeof options.teacher, "%s", teacher);
    CHECK(rig_plan_open(&plan, &options, &err) == STATUS_OK);
    CHECK(rig_open(&rig, &plan, DEVICE_CUDA, &err) == STATUS_OK);
    rig_feed(&rig);
    size_t before = record_launches();
    exec_run(rig.exec, &rig.step);
    int launches = (int)(record_launches() - before);
    rig_close(&rig);
    rig_plan_close(&plan);
    printf("%s to %s in %s: %d launches\n", teacher, student,
           precision == PRECISION_F32 ? "f32" : "bf16", launches);
    return launches;
}

/* A block more of the teacher is two fused convolutions, one more of the student two convolutions
 * with batch norm, each of which is two launches and two on the way back, where a convolution is
 * two: nothing else grows with the networks. */
static void blocks_are_what_they_must_be(enum precision precision) {
    int small = launches_of("resnet8", "resnet8", precision);
    T_INT(launches_of("resnet8", "resnet14", precision) - small, 3 * 2);
    T_INT(launches_of("resnet14", "resnet8", precision) - small, 3 * 2 * (3 + 4));
}

static void in_f32(void) {
    blocks_are_what_they_must_be(PRECISION_F32);
}

static void in_bf16(void) {
    blocks_are_what_they_must_be(PRECISION_BF16);
}

/* Copies in bf16: the weights, the pictures, the gradients. */
static void copies_are_few(void) {
    int difference = launches_of("resnet14", "resnet8", PRECISION_BF16) -
                     launches_of("resnet14", "resnet8", PRECISION_F32);
    T_CHECK(difference <= 3);
}

/* The pairs of the bench, for docs/performance.md. */
static void of_the_bench(void) {
    T_INT(launches_of("resnet8x4", "resnet32x4", PRECISION_BF16), 117);
    T_INT(launches_of("resnet20", "resnet56", PRECISION_BF16), 217);
}

int main(void) {
    T_RUN(in_f32);
    T_RUN(in_bf16);
    T_RUN(copies_are_few);
    T_RUN(of_the_bench);
    return t_done();
}
