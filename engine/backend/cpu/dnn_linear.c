/*
 * Each direction is one matrix product, dst = src weights. oneDNN's matmul multiplies at 90 to 100
 * % of Zen 4's peak where its inner products' gradients come to half of it, and it reads a
 * transposed matrix where it lies.
 */
#include "engine/backend/cpu/dnn_linear.h"

#include "engine/backend/cpu/dnn_operand.h"
#include "engine/backend/cpu/kept.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum role { ROLE_X, ROLE_Y, ROLE_WEIGHT };

/* Which tensor is src, weights and dst of a direction's product, and which of the first two are
 * transposed. */
static const struct direction {
    enum role src, weights, dst;
    bool src_turned, weights_turned;
} direction_table[] = {
    [DNN_FORWARD] = {ROLE_X, ROLE_WEIGHT, ROLE_Y, false, true},
    [DNN_BACKWARD_DATA] = {ROLE_Y, ROLE_WEIGHT, ROLE_X, false, false},
    [DNN_BACKWARD_WEIGHTS] = {ROLE_Y, ROLE_X, ROLE_WEIGHT, true, false},
};

struct dnn_linear {
    struct dnn *dnn;
    struct dnn_linear_problem problem;
    const struct direction *direction;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    struct dnn_operand weights;
    dnnl_memory_t src, dst, bias, scratchpad; /* bias: forward only */
    size_t scratchpad_bytes;
    void *constant_weight; /* as the primitive wants it, kept from run to run */
};

/* The matrix as it lies in memory, seen transposed if turned. */
static void *outside_md(const struct dnn_linear_problem *problem, enum role role, bool turned) {
    const int rows = role == ROLE_WEIGHT ? problem->outputs : problem->rows;
    const int columns = role == ROLE_Y ? problem->outputs : problem->inputs;
    bool bf16 = role != ROLE_WEIGHT && problem->dtype == DTYPE_BF16;
    dnnl_dims_t dims = {turned ? columns : rows, turned ? rows : columns};
    return dnn_md_create(2, dims, bf16 ? dnnl_bf16 : dnnl_f32, turned ? dnnl_ba : dnnl_ab);
}

/* Weights that are multiplied, in the layout that is the primitive's to choose. */
static void *any_md(const struct dnn_linear_problem *problem) {
    bool forward = problem->direction == DNN_FORWARD;
    dnnl_dims_t dims = {forward ? problem->inputs : problem->outputs,
                        forward ? problem->outputs : problem->inputs};
    return dnn_md_create(2, dims, problem->dtype == DTYPE_BF16 ? dnnl_bf16 : dnnl_f32,
                         dnnl_format_tag_any);
}

static void *bias_md(const struct dnn_linear_problem *problem) {
    dnnl_dims_t dims = {1, problem->outputs};
    return problem->direction == DNN_FORWARD ? dnn_md_create(2, dims, dnnl_f32, dnnl_ab) : NULL;
}

static dnnl_status_t create_attr(const struct dnn_linear_problem *problem,
                                 dnnl_primitive_attr_t *out) {
    dnnl_post_ops_t post_ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(out);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&post_ops);
    if (status == dnnl_success && problem->gelu)
        status = dnn_append_eltwise(post_ops, dnnl_eltwise_gelu_erf, 0, 0);
    if (status == dnnl_success && problem->residual)
        status = dnn_append_sum(post_ops);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*out, post_ops);
    if (post_ops)
        dnnl_post_ops_destroy(post_ops);
    return status;
}

static dnnl_status_t choose_primitive(struct dnn_linear *linear) {
    const struct dnn_linear_problem *problem = &linear->problem;
    const struct direction *direction = linear->direction;
    dnnl_primitive_attr_t attr = NULL;
    void *src = outside_md(problem, direction->src, direction->src_turned);
    void *weights =
        direction->weights == ROLE_WEIGHT ? any_md(problem) : outside_md(problem, ROLE_X, false);
    void *dst = outside_md(problem, direction->dst, false), *bias = bias_md(problem);
    dnnl_status_t status = create_attr(problem, &attr);
    const struct dnn_matmul_desc desc = {linear->dnn->engine, src, weights, bias, dst, attr};
    if (status == dnnl_success)
        status = dnn_matmul_desc_create(&linear->pd, &desc);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    dnn_md_free(src);
    dnn_md_free(weights);
    dnn_md_free(dst);
    dnn_md_free(bias);
    return status == dnnl_success ? dnnl_primitive_create(&linear->primitive, linear->pd) : status;
}

static const void *query_md(const struct dnn_linear *linear, dnnl_query_t what, int index) {
    return dnnl_primitive_desc_query_md(linear->pd, what, index);
}

static dnnl_status_t create_memory(const struct dnn_linear *linear, dnnl_memory_t *out,
                                   dnnl_query_t what, int index) {
    return dnnl_memory_create(out, query_md(linear, what, index), linear->dnn->engine,
                              DNNL_MEMORY_NONE);
}

static enum status init_memory(struct dnn_linear *linear, struct error *err) {
    dnnl_status_t status = create_memory(linear, &linear->src, dnnl_query_src_md, 0);
    if (status == dnnl_success)
        status = create_memory(linear, &linear->dst, dnnl_query_dst_md, 0);
    if (status == dnnl_success && linear->problem.direction == DNN_FORWARD)
        status = create_memory(linear, &linear->bias, dnnl_query_weights_md, 1);
    if (status == dnnl_success)
        status = create_memory(linear, &linear->scratchpad, dnnl_query_scratchpad_md, 0);
    linear->scratchpad_bytes = dnn_md_bytes(query_md(linear, dnnl_query_scratchpad_md, 0));
    return status == dnnl_success ? STATUS_OK : dnn_error(err, status, "linear layer's memory");
}

static enum status init_weights(struct dnn_linear *linear, struct error *err) {
    const struct direction *direction = linear->direction;
    void *outside = outside_md(&linear->problem, direction->weights, direction->weights_turned);
    enum status status =
        dnn_operand_init(&linear->weights, linear->dnn, outside,
                         query_md(linear, dnnl_query_weights_md, 0), DNN_READ, err);
    if (status || !linear->problem.constant_weight)
        return status;
    return mem_alloc_large(&linear->constant_weight, dnn_md_bytes(linear->weights.inside_md),
                           "weights of a linear layer", err);
}

enum status dnn_linear_create(struct dnn_linear **out, struct dnn *dnn,
                              const struct dnn_linear_problem *problem, struct error *err) {
    struct dnn_linear *linear = xcalloc(1, sizeof *linear);
    linear->dnn = dnn;
    linear->problem = *problem;
    linear->direction = &direction_table[problem->direction];
    dnnl_status_t chosen = choose_primitive(linear);
    enum status status = STATUS_OK;
    if (chosen != dnnl_success)
        status = dnn_error(err, chosen, "linear layer");
    if (!status)
        status = init_memory(linear, err);
    if (!status)
        status = init_weights(linear, err);
    if (status) {
        dnn_linear_free(linear);
        return status;
    }
    *out = linear;
    return STATUS_OK;
}

void dnn_linear_free(struct dnn_linear *linear) {
    if (!linear)
        return;
    dnn_operand_release(&linear->weights);
    dnnl_memory_t const memories[] = {linear->src, linear->dst, linear->bias, linear->scratchpad};
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (linear->primitive)
        dnnl_primitive_destroy(linear->primitive);
    if (linear->pd)
        dnnl_primitive_desc_destroy(linear->pd);
    kept_release(linear->constant_weight);
    free(linear);
}

/* Scratchpad, weights. */
size_t dnn_linear_workspace_bytes(const struct dnn_linear *linear) {
    return linear->scratchpad_bytes +
           (linear->constant_weight ? 0 : dnn_operand_slot_bytes(&linear->weights));
}

/* Without a layout of its own, the primitive reads a copy: the weights may move. */
void dnn_linear_refresh(struct dnn_linear *linear, struct device *device, const float *weight) {
    void *from = (void *)(uintptr_t)weight; /* only read */
    if (!linear->weights.inside) {
        memcpy(linear->constant_weight, weight,
               dnnl_memory_desc_get_size(linear->weights.inside_md));
        from = linear->constant_weight;
    }
    dnn_operand_bind(&linear->weights, from, linear->constant_weight);
    dnn_operand_bring_in(&linear->weights, linear->dnn);
    linear->constant_weight = dnn_operand_keep(&linear->weights, device, linear->constant_weight);
}

static void set_handle(dnnl_memory_t memory, void *to) {
    CHECK(dnnl_memory_set_data_handle(memory, to) == dnnl_success);
}

static void bind(struct dnn_linear *linear, const struct dnn_pointers *pointers) {
    const struct direction *direction = linear->direction;
    void *const tensor[] = {
        [ROLE_X] = pointers->x, [ROLE_Y] = pointers->y, [ROLE_WEIGHT] = pointers->weight};
    char *at = pointers->workspace;
    set_handle(linear->src, tensor[direction->src]);
    set_handle(linear->dst, tensor[direction->dst]);
    if (linear->bias)
        set_handle(linear->bias, pointers->bias);
    set_handle(linear->scratchpad, at);
    if (!linear->constant_weight)
        dnn_operand_bind(&linear->weights, tensor[direction->weights],
                         at + linear->scratchpad_bytes);
}

void dnn_linear_run(struct dnn_linear *linear, const struct dnn_pointers *pointers) {
    const struct dnn_operand *weights = &linear->weights;
    bind(linear, pointers);
    if (!linear->constant_weight)
        dnn_operand_bring_in(weights, linear->dnn);
    dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, linear->src},
        {DNNL_ARG_WEIGHTS, weights->inside ? weights->inside : weights->outside},
        {DNNL_ARG_DST, linear->dst},
        {DNNL_ARG_SCRATCHPAD, linear->scratchpad},
        {DNNL_ARG_BIAS, linear->bias}};
    CHECK(dnnl_primitive_execute(linear->primitive, linear->dnn->stream, linear->bias ? 5 : 4,
                                 args) == dnnl_success);
}
