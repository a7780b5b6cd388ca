#include "engine/backend/cpu/dnn_linear.h"

#include "engine/backend/cpu/dnn_operand.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct dnn_linear {
    struct dnn *dnn;
    struct dnn_linear_problem problem;
    dnnl_primitive_desc_t forward_pd, pd; /* the first is the hint of a backward one */
    dnnl_primitive_t primitive;
    struct dnn_operand x, y, weight, bias;
    dnnl_memory_t scratchpad;
    size_t scratchpad_bytes;
    void *constant_weight; /* as the primitive wants it, kept from run to run */
};

static dnnl_data_type_t data_type(const struct dnn_linear_problem *problem) {
    return problem->dtype == DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
}

static void *matrix_md(int rows, int columns, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    dnnl_dims_t dims = {rows, columns};
    return dnn_md_create(2, dims, type, tag);
}

static void *bias_md(const struct dnn_linear_problem *problem) {
    dnnl_dims_t dims = {problem->outputs};
    return dnn_md_create(1, dims, dnnl_f32, dnnl_x);
}

static bool has_bias(const struct dnn_linear_problem *problem) {
    return problem->direction != DNN_BACKWARD_DATA;
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

/* The weights' layout is the primitive's to choose; x and y stay rows. */
static dnnl_status_t create_pd(const struct dnn_linear *linear, struct dnn_linear_desc *desc,
                               dnnl_primitive_desc_t *out) {
    const struct dnn_linear_problem *problem = &linear->problem;
    dnnl_data_type_t type = data_type(problem);
    bool makes_weight = desc->direction == DNN_BACKWARD_WEIGHTS;
    void *x = matrix_md(problem->rows, problem->inputs, type, dnnl_ab);
    void *y = matrix_md(problem->rows, problem->outputs, type, dnnl_ab);
    void *weight = matrix_md(problem->outputs, problem->inputs, makes_weight ? dnnl_f32 : type,
                             dnnl_format_tag_any);
    void *bias = desc->direction == DNN_BACKWARD_DATA ? NULL : bias_md(problem);
    desc->engine = linear->dnn->engine;
    desc->x = x;
    desc->y = y;
    desc->weight = weight;
    desc->bias = bias;
    dnnl_status_t status = dnn_linear_desc_create(out, desc);
    dnn_md_free(x);
    dnn_md_free(y);
    dnn_md_free(weight);
    dnn_md_free(bias);
    return status;
}

static dnnl_status_t choose_primitive(struct dnn_linear *linear) {
    const struct dnn_linear_problem *problem = &linear->problem;
    struct dnn_linear_desc forward = {.direction = DNN_FORWARD, .kind = dnnl_forward_training};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = create_attr(problem, &attr);
    if (status == dnnl_success && problem->direction != DNN_FORWARD)
        status = create_pd(linear, &forward, &linear->forward_pd);
    struct dnn_linear_desc desc = {.direction = problem->direction,
                                   .kind = problem->constant_weight ? dnnl_forward_inference
                                                                    : dnnl_forward_training,
                                   .attr = attr,
                                   .forward = linear->forward_pd};
    if (status == dnnl_success)
        status = create_pd(linear, &desc, &linear->pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status == dnnl_success ? dnnl_primitive_create(&linear->primitive, linear->pd) : status;
}

/* Which descriptor of a primitive is which tensor, and what it does with it. */
struct role {
    dnnl_query_t x, weight, y; /* a bias is the second of the weights */
    int x_arg, weight_arg, y_arg, bias_arg;
    unsigned x_moves, weight_moves, y_moves;
};

static const struct role role_table[] = {
    [DNN_FORWARD] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md, DNNL_ARG_SRC,
                     DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS, DNN_READ, DNN_READ,
                     DNN_WRITTEN},
    [DNN_BACKWARD_DATA] = {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md,
                           DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST, DNNL_ARG_BIAS,
                           DNN_WRITTEN, DNN_READ, DNN_READ},
    [DNN_BACKWARD_WEIGHTS] = {dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md,
                              DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST,
                              DNNL_ARG_DIFF_BIAS, DNN_READ, DNN_WRITTEN, DNN_READ},
};

static const void *query_md(const struct dnn_linear *linear, dnnl_query_t what, int index) {
    return dnnl_primitive_desc_query_md(linear->pd, what, index);
}

static enum status init_operands(struct dnn_linear *linear, struct error *err) {
    const struct dnn_linear_problem *problem = &linear->problem;
    const struct role *role = &role_table[problem->direction];
    dnnl_data_type_t type = data_type(problem);
    unsigned y_moves = role->y_moves | (problem->residual ? DNN_READ : 0);
    bool bias = has_bias(problem);
    const struct {
        struct dnn_operand *operand;
        void *outside;
        const void *inside;
        unsigned moves;
    } parts[] = {
        {&linear->x, matrix_md(problem->rows, problem->inputs, type, dnnl_ab),
         query_md(linear, role->x, 0), role->x_moves},
        {&linear->y, matrix_md(problem->rows, problem->outputs, type, dnnl_ab),
         query_md(linear, role->y, 0), y_moves},
        {&linear->weight, matrix_md(problem->outputs, problem->inputs, dnnl_f32, dnnl_ab),
         query_md(linear, role->weight, 0), role->weight_moves},
        {&linear->bias, bias ? bias_md(problem) : NULL,
         bias ? query_md(linear, role->weight, 1) : NULL, role->weight_moves},
    };
    enum status status = STATUS_OK;
    for (int i = 0; i < 3 + bias; i++) {
        if (status == STATUS_OK)
            status = dnn_operand_init(parts[i].operand, linear->dnn, parts[i].outside,
                                      parts[i].inside, parts[i].moves, err);
        else
            dnn_md_free(parts[i].outside);
    }
    return status;
}

static enum status init_memory(struct dnn_linear *linear, struct error *err) {
    const void *md = query_md(linear, dnnl_query_scratchpad_md, 0);
    linear->scratchpad_bytes = dnn_md_bytes(md);
    dnnl_status_t status =
        dnnl_memory_create(&linear->scratchpad, md, linear->dnn->engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success)
        return dnn_error(err, status, "scratchpad");
    if (!linear->problem.constant_weight)
        return STATUS_OK;
    return mem_alloc_large(&linear->constant_weight, dnn_md_bytes(linear->weight.inside_md),
                           "weights of a linear layer", err);
}

enum status dnn_linear_create(struct dnn_linear **out, struct dnn *dnn,
                              const struct dnn_linear_problem *problem, struct error *err) {
    struct dnn_linear *linear = xcalloc(1, sizeof *linear);
    linear->dnn = dnn;
    linear->problem = *problem;
    dnnl_status_t chosen = choose_primitive(linear);
    enum status status = STATUS_OK;
    if (chosen != dnnl_success)
        status = dnn_error(err, chosen, "linear layer");
    if (status == STATUS_OK)
        status = init_operands(linear, err);
    if (status == STATUS_OK)
        status = init_memory(linear, err);
    if (status != STATUS_OK) {
        dnn_linear_free(linear);
        return status;
    }
    *out = linear;
    return STATUS_OK;
}

void dnn_linear_free(struct dnn_linear *linear) {
    if (!linear)
        return;
    dnn_operand_release(&linear->x);
    dnn_operand_release(&linear->y);
    dnn_operand_release(&linear->weight);
    dnn_operand_release(&linear->bias);
    if (linear->scratchpad)
        dnnl_memory_destroy(linear->scratchpad);
    if (linear->primitive)
        dnnl_primitive_destroy(linear->primitive);
    if (linear->pd)
        dnnl_primitive_desc_destroy(linear->pd);
    if (linear->forward_pd)
        dnnl_primitive_desc_destroy(linear->forward_pd);
    mem_free_large(linear->constant_weight);
    free(linear);
}

/* Scratchpad, x, y, weights, bias. */
size_t dnn_linear_workspace_bytes(const struct dnn_linear *linear) {
    size_t bytes = linear->scratchpad_bytes + dnn_operand_slot_bytes(&linear->x) +
                   dnn_operand_slot_bytes(&linear->y) + dnn_operand_slot_bytes(&linear->bias);
    return linear->constant_weight ? bytes : bytes + dnn_operand_slot_bytes(&linear->weight);
}

static dnnl_memory_t inside(const struct dnn_operand *operand) {
    return operand->inside ? operand->inside : operand->outside;
}

/* Without a layout of its own, the primitive reads a copy: the weights may move. */
void dnn_linear_refresh(struct dnn_linear *linear, const float *weight) {
    void *from = (void *)(uintptr_t)weight; /* only read */
    if (!linear->weight.inside) {
        memcpy(linear->constant_weight, weight,
               dnnl_memory_desc_get_size(linear->weight.inside_md));
        from = linear->constant_weight;
    }
    dnn_operand_bind(&linear->weight, from, linear->constant_weight);
    dnn_operand_bring_in(&linear->weight, linear->dnn);
}

static void bind(struct dnn_linear *linear, const struct dnn_pointers *pointers) {
    char *at = pointers->workspace;
    CHECK(dnnl_memory_set_data_handle(linear->scratchpad, at) == dnnl_success);
    at += linear->scratchpad_bytes;
    dnn_operand_bind(&linear->x, pointers->x, at);
    at += dnn_operand_slot_bytes(&linear->x);
    dnn_operand_bind(&linear->y, pointers->y, at);
    at += dnn_operand_slot_bytes(&linear->y);
    dnn_operand_bind(&linear->bias, pointers->bias, at);
    at += dnn_operand_slot_bytes(&linear->bias);
    if (!linear->constant_weight)
        dnn_operand_bind(&linear->weight, pointers->weight, at);
}

void dnn_linear_run(struct dnn_linear *linear, const struct dnn_pointers *pointers) {
    const struct role *role = &role_table[linear->problem.direction];
    const struct dnn *dnn = linear->dnn;
    bind(linear, pointers);
    dnn_operand_bring_in(&linear->x, dnn);
    dnn_operand_bring_in(&linear->y, dnn);
    dnn_operand_bring_in(&linear->bias, dnn);
    if (!linear->constant_weight)
        dnn_operand_bring_in(&linear->weight, dnn);
    dnnl_exec_arg_t args[] = {{role->x_arg, inside(&linear->x)},
                              {role->weight_arg, inside(&linear->weight)},
                              {role->y_arg, inside(&linear->y)},
                              {DNNL_ARG_SCRATCHPAD, linear->scratchpad},
                              {role->bias_arg, inside(&linear->bias)}};
    int count = has_bias(&linear->problem) ? 5 : 4;
    CHECK(dnnl_primitive_execute(linear->primitive, dnn->stream, count, args) == dnnl_success);
    dnn_operand_bring_out(&linear->x, dnn);
    dnn_operand_bring_out(&linear->y, dnn);
    dnn_operand_bring_out(&linear->weight, dnn);
    dnn_operand_bring_out(&linear->bias, dnn);
}
