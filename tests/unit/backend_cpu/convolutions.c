/*
 * No convolution of the CIFAR networks may run in oneDNN's reference code, which is a hundred
 * times slower: it is what one gets for a layout that the fast code does not know.
 */
#include "engine/backend/cpu/dnn.h"
#include "engine/backend/cpu/parallel.h"
#include "tests/support/t.h"

#include <stdbool.h>

/* The kinds of convolution in resnet20, resnet8x4 and resnet32x4. */
static const struct {
    int channels, outputs, size, kernel, stride;
} layers[] = {
    {3, 16, 32, 3, 1},    {3, 32, 32, 3, 1},   {16, 16, 32, 3, 1},   {16, 32, 32, 3, 2},
    {16, 32, 32, 1, 2},   {32, 32, 16, 3, 1},  {32, 64, 16, 3, 2},   {32, 64, 16, 1, 2},
    {64, 64, 8, 3, 1},    {32, 64, 32, 3, 1},  {32, 64, 32, 1, 1},   {64, 64, 32, 3, 1},
    {64, 128, 32, 3, 2},  {64, 128, 32, 1, 2}, {128, 128, 16, 3, 1}, {128, 256, 16, 3, 2},
    {128, 256, 16, 1, 2}, {256, 256, 8, 3, 1},
};
enum { LAYERS = sizeof layers / sizeof *layers, BATCH = 64 };

static struct dnn_problem problem_of(int layer, enum dnn_direction direction, enum dtype dtype) {
    int pad = layers[layer].kernel / 2, size = layers[layer].size, stride = layers[layer].stride;
    int y_size = (size + 2 * pad - layers[layer].kernel) / stride + 1;
    bool picture = layers[layer].channels == 3;
    enum dnn_layout blocked = dnn_features().avx512 ? DNN_BLOCKED_16 : DNN_BLOCKED_8;
    return (struct dnn_problem){
        .direction = direction,
        .x = {{BATCH, size, size, layers[layer].channels},
              picture ? DTYPE_F32 : dtype,
              picture ? DNN_NHWC : blocked},
        .y = {{BATCH, y_size, y_size, layers[layer].outputs}, dtype, blocked},
        .weight = {layers[layer].outputs, layers[layer].kernel, layers[layer].kernel,
                   layers[layer].channels},
        .attr = {.stride = stride, .pad = pad, .groups = 1},
    };
}

static void check_problem(struct dnn *dnn, const struct dnn_problem *problem) {
    struct dnn_conv *conv = NULL;
    struct error err = {0};
    if (dnn_conv_create(&conv, dnn, problem, &err)) {
        T_FAIL("%s", err.message);
        return;
    }
    const char *name = dnn_conv_implementation(conv);
    if (!*name || strstr(name, "ref"))
        T_FAIL("%d -> %d channels, %d x %d window, direction %d: %s", problem->x.shape.c,
               problem->y.shape.c, problem->weight.h, problem->weight.w, problem->direction, name);
    dnn_conv_free(conv);
}

static void check_layers(struct dnn *dnn, enum dtype dtype) {
    for (int layer = 0; layer < LAYERS; layer++)
        for (int direction = DNN_FORWARD; direction <= DNN_BACKWARD_WEIGHTS; direction++) {
            if (direction == DNN_BACKWARD_DATA && layers[layer].channels == 3)
                continue; /* pictures have no gradient */
            struct dnn_problem problem = problem_of(layer, (enum dnn_direction)direction, dtype);
            check_problem(dnn, &problem);
        }
}

static void check_folded(struct dnn *dnn, enum dtype dtype) {
    for (int layer = 0; layer < LAYERS; layer++) {
        struct dnn_problem problem = problem_of(layer, DNN_FORWARD, dtype);
        problem.bias = problem.constant_weight = true;
        problem.attr.act = ACT_RELU;
        problem.residual = problem.x.shape.c == problem.y.shape.c;
        check_problem(dnn, &problem);
    }
}

static void test_fast_code(void) {
    struct dnn *dnn = NULL;
    if (dnn_open(&dnn, NULL)) {
        T_FAIL("oneDNN does not open");
        return;
    }
    parallel_set_threads(2);
    check_layers(dnn, DTYPE_F32);
    check_folded(dnn, DTYPE_F32);
    if (dnn_features().bf16) {
        check_layers(dnn, DTYPE_BF16);
        check_folded(dnn, DTYPE_BF16);
    }
    dnn_close(dnn);
}

int main(void) {
    T_RUN(test_fast_code);
    return t_done();
}
