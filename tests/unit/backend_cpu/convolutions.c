/*
 * No convolution of any network may run in oneDNN's reference code, which is a hundred times
 * slower: it is what one gets for a layout that the fast code does not know.
 */
#include "engine/backend/cpu/conv_way.h"
#include "engine/model/network.h"
#include "tests/support/t.h"

#include <string.h>

enum { BATCH = 8, LAYERS_MAX = 512 };

/* The kinds of convolution in the zoo, each once; of the folded ones, attr has the activation. */
static struct layer {
    struct shape x, y, weight;
    struct conv_attr attr;
} layers[LAYERS_MAX];
static int n_layers;

static void add_layer(const struct layer *layer) {
    for (int i = 0; i < n_layers; i++)
        if (memcmp(&layers[i], layer, sizeof *layer) == 0)
            return;
    CHECK(n_layers < LAYERS_MAX);
    layers[n_layers++] = *layer;
}

static void add_network(const struct architecture *architecture) {
    const struct origin *origin = architecture->origin;
    struct network_size size = {origin->side, origin->side, 3, origin->classes};
    struct network network;
    struct program program;
    T_CHECK(network_init(&network, architecture->name, size, true, NULL) == STATUS_OK);
    program_init(&program);
    struct builder builder = {
        .program = &program, .table = &network.table, .mode = BUILD_INFER, .dtype = DTYPE_F32};
    struct shape pictures = {BATCH, size.height, size.width, size.channels};
    network_build(&network, &builder, build_input(&builder, "x", pictures, DTYPE_F32));
    for (int i = 0; i < program.n_ops; i++) {
        const struct op *op = &program.op[i];
        if (op->code == OP_CONV)
            add_layer(&(struct layer){program.value[op->in[0]].shape,
                                      program.value[op->out[0]].shape,
                                      program.value[op->in[1]].shape, op->attr.conv});
    }
    program_free(&program);
    network_release(&network);
}

static struct dnn_problem problem_of(const struct layer *layer, enum dnn_direction direction,
                                     enum dtype dtype) {
    bool picture = layer->x.c == 3;
    enum dnn_layout blocked = dnn_features().avx512 ? DNN_BLOCKED_16 : DNN_BLOCKED_8;
    struct dnn_problem problem = {
        .direction = direction,
        .x = {layer->x, picture ? DTYPE_F32 : dtype, picture ? DNN_NHWC : blocked},
        .y = {layer->y, dtype, blocked},
        .weight = layer->weight,
        .attr = layer->attr,
    };
    problem.attr.act = ACT_NONE;
    return problem;
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
        T_FAIL("%d -> %d channels in %d groups, %d x %d window, %d pixels, direction %d, %s: %s",
               problem->x.shape.c, problem->y.shape.c, problem->attr.groups, problem->weight.h,
               problem->weight.w, problem->x.shape.h, problem->direction,
               dtype_name(problem->y.dtype), name);
    dnn_conv_free(conv);
}

/* In training, and as inference has it. */
static void check_layer(struct dnn *dnn, const struct layer *layer, enum dtype dtype) {
    for (int direction = DNN_FORWARD; direction <= DNN_BACKWARD_WEIGHTS; direction++) {
        struct dnn_problem problem = problem_of(layer, (enum dnn_direction)direction, dtype);
        if (direction != DNN_BACKWARD_DATA || layer->x.c != 3) /* pictures have no gradient */
            check_problem(dnn, &problem);
    }
    struct dnn_problem folded = problem_of(layer, DNN_FORWARD, dtype);
    folded.bias = folded.constant_weight = true;
    folded.residual = layer->x.c == layer->y.c;
    folded.attr.act = layer->attr.act;
    check_problem(dnn, &folded);
}

static void test_fast_code(void) {
    const struct dnn_features features = dnn_features();
    const struct vec_kernels *vec = vec_choose(features.avx2, features.avx512, features.bf16);
    struct dnn *dnn = NULL;
    if (dnn_open(&dnn, NULL)) {
        T_FAIL("oneDNN does not open");
        return;
    }
    parallel_set_threads(2);
    for (const struct architecture *architecture = zoo; architecture->name; architecture++)
        add_network(architecture);
    for (int i = 0; i < n_layers; i++) {
        struct dnn_problem problem = problem_of(&layers[i], DNN_FORWARD, DTYPE_F32);
        if (conv_pointwise.fits(&problem, vec))
            continue; /* not oneDNN's */
        check_layer(dnn, &layers[i], DTYPE_F32);
        if (features.bf16)
            check_layer(dnn, &layers[i], DTYPE_BF16);
    }
    dnn_close(dnn);
}

int main(void) {
    T_RUN(test_fast_code);
    return t_done();
}
