/*
 * small_net.h - a training step of a small residual network, for tests of whole devices.
 *
 * Its channel counts are no multiples of anything, so that padding is part of the test.
 */
#ifndef TESTS_UNIT_BACKEND_SMALL_NET_H
#define TESTS_UNIT_BACKEND_SMALL_NET_H

#include "engine/backend/exec.h"
#include "engine/base/rng.h"
#include "engine/graph/build.h"
#include "engine/graph/grad.h"
#include "engine/graph/ops.h"
#include "engine/graph/optimizer.h"
#include "tests/support/t.h"

enum { SMALL_BATCH = 40, SMALL_SIZE = 16, SMALL_CLASSES = 10 };

struct small_net {
    struct param_table table;
    struct program program;
    int images, labels, rows;
    struct device device;
    struct params params;
    struct exec *exec;
};

static int small_layer(struct builder *builder, int x, int residual,
                       const struct conv_layer *layer) {
    char norm[64];
    snprintf(norm, sizeof norm, "%s.bn", layer->name);
    return build_bn_act(builder, norm, build_conv(builder, x, layer), residual, ACT_RELU);
}

static int small_body(struct builder *builder, int x) {
    x = small_layer(builder, x, NO_VALUE, &(struct conv_layer){"stem", 20, 3, 1, 1, 0});
    int inner = small_layer(builder, x, NO_VALUE, &(struct conv_layer){"a", 20, 3, 1, 1, 0});
    x = small_layer(builder, inner, x, &(struct conv_layer){"b", 20, 3, 1, 1, 0});
    x = small_layer(builder, x, NO_VALUE, &(struct conv_layer){"c", 33, 3, 2, 1, 0});
    x = small_layer(builder, x, NO_VALUE, &(struct conv_layer){"d", 64, 1, 1, 0, 0});
    x = small_layer(builder, x, x, &(struct conv_layer){"e", 64, 3, 1, 1, 0});
    return build_linear(builder, "fc", build_global_pool(builder, x), SMALL_CLASSES);
}

/* The parameter table is filled by a first pass over the layers. */
static void small_collect(struct small_net *net) {
    struct program scratch;
    program_init(&scratch);
    struct builder builder = {.program = &scratch,
                              .table = &net->table,
                              .mode = BUILD_COLLECT,
                              .net = 0,
                              .dtype = DTYPE_F32};
    struct shape shape = {SMALL_BATCH, SMALL_SIZE, SMALL_SIZE, 3};
    small_body(&builder, build_input(&builder, "x", shape, DTYPE_F32));
    param_table_layout(&net->table, false);
    program_free(&scratch);
}

static void small_build(struct small_net *net, enum dtype dtype) {
    static const float mean[3] = {0.5F, 0.4F, 0.3F}, deviation[3] = {0.2F, 0.25F, 0.3F};
    small_collect(net);
    program_init(&net->program);
    struct builder builder = {.program = &net->program,
                              .table = &net->table,
                              .mode = BUILD_TRAIN,
                              .net = 0,
                              .dtype = dtype};
    struct shape shape = {SMALL_BATCH, SMALL_SIZE, SMALL_SIZE, 3};
    net->images = build_input(&builder, "images", shape, DTYPE_U8);
    net->labels = build_input(&builder, "labels", (struct shape){SMALL_BATCH, 1, 1, 1}, DTYPE_I32);
    int x = build_normalize(&builder, net->images, SMALL_BATCH, mean, deviation);
    struct op loss = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    loss.in[0] = small_body(&builder, x);
    loss.in[2] = net->labels;
    loss.attr.loss.terms = loss_terms_of(METHOD_CE, 1, 0, 1, 0);
    struct value rows = {
        .name = "rows", .shape = {SMALL_BATCH, 1, 1, ROW_FIELDS}, .kind = VALUE_OUTPUT};
    net->rows = loss.out[0] = program_add_value(&net->program, &rows);
    program_add_op(&net->program, &loss, 0);
    program_add_gradient(&net->program, 0);
    build_optimizer(&builder,
                    &(struct train_spec){.momentum = 0.9, .weight_decay = 5e-4, .nesterov = true});
    program_seal(&net->program);
}

static float small_uniform(uint32_t item, uint32_t stream) {
    return 2 * rng_unit(rng_philox(3, item, stream, RNG_TEST, 0).word[0]) - 1;
}

static void small_fill(struct small_net *net) {
    static uint8_t images[SMALL_BATCH * SMALL_SIZE * SMALL_SIZE * 3];
    int32_t labels[SMALL_BATCH];
    for (uint32_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(rng_philox(3, i, 0, RNG_TEST, 0).word[0] >> 24);
    for (int i = 0; i < SMALL_BATCH; i++)
        labels[i] = i % SMALL_CLASSES;
    exec_write(net->exec, net->images, images);
    exec_write(net->exec, net->labels, labels);
    for (int i = 0; i < net->table.count; i++) {
        const struct param *param = &net->table.param[i];
        float *to = (param->state ? net->params.state : net->params.weight) + param->offset;
        float spread = param->init >= INIT_NORMAL_FAN_OUT ? 0.2F : 0;
        for (int64_t k = 0; k < shape_elements(param->shape); k++)
            to[k] =
                (param->init == INIT_ONE) + spread * small_uniform((uint32_t)k, 1 + (uint32_t)i);
    }
}

/* Makes the network ready to run on a host's device of this kind. */
static enum status small_open(struct small_net *net, enum device_kind kind, int threads,
                              enum dtype dtype, struct error *err) {
    memset(net, 0, sizeof *net);
    small_build(net, dtype);
    struct params *params[] = {&net->params};
    net->program.n_nets = 1;
    enum status status = device_open(&net->device, kind, threads, err);
    if (!status)
        status = params_create(&net->params, &net->device, &net->table, 1, err);
    if (!status)
        status = exec_create(&net->exec, &net->device, &net->program, params, err);
    if (!status)
        small_fill(net);
    return status;
}

static void small_close(struct small_net *net) {
    exec_free(net->exec);
    params_release(&net->params);
    device_close(&net->device);
    program_free(&net->program);
    param_table_release(&net->table);
}

static void small_run(struct small_net *net, int steps) {
    struct step step = {.n_valid = SMALL_BATCH};
    step.student[0].learning_rate = 0.1F;
    step.student[0].ce_weight = 1;
    for (int i = 0; i < steps; i++, step.index++)
        exec_run(net->exec, &step);
    T_INT(exec_synchronize(net->exec, NULL), STATUS_OK);
}

/* The mean loss of the last step. */
static double small_loss(struct small_net *net) {
    float rows[SMALL_BATCH * ROW_FIELDS];
    double sum = 0;
    exec_read(net->exec, net->rows, rows);
    for (int i = 0; i < SMALL_BATCH; i++)
        sum += (double)rows[i * ROW_FIELDS + ROW_LOSS];
    return sum / SMALL_BATCH;
}

#endif
