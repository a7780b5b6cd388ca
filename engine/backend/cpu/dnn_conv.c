#include "engine/backend/cpu/dnn_operand.h"

#include "engine/backend/cpu/kept.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct dnn_conv {
    struct dnn *dnn;
    struct dnn_problem problem;
    dnnl_primitive_desc_t forward_pd, pd; /* the first is the hint of a backward one */
    dnnl_primitive_t primitive;
    struct dnn_operand x, y, weight, bias;
    dnnl_memory_t scratchpad;
    void *scratchpad_at;
    size_t scratchpad_bytes;
    void *constant_weight; /* as the primitive wants it, kept from run to run */
};

/* How a primitive may be chosen: attempts are made in order until one is no slow reference code. */
struct attempt {
    dnnl_alg_kind_t algorithm;
    bool any_layout; /* of x and y, at the price of reorders */
    bool wide;       /* in f32, whatever the tensors are */
};

/* Descriptors that only live while a primitive is chosen. */
struct wish {
    void *x, *y, *weight, *bias;
};

static dnnl_data_type_t data_type(enum dtype dtype) {
    return dtype == DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
}

static void *tensor_md(const struct dnn_tensor *tensor, dnnl_data_type_t type,
                       enum dnn_layout layout) {
    static const dnnl_format_tag_t tag[] = {dnnl_nhwc, dnnl_nchw, dnnl_nChw16c, dnnl_nChw8c,
                                            dnnl_format_tag_any};
    const struct shape *s = &tensor->shape;
    dnnl_dims_t dims = {s->n, s->c, s->h, s->w};
    return dnn_md_create(4, dims, type, tag[layout]);
}

enum weight_layout { WEIGHT_ANY, WEIGHT_KRSC, WEIGHT_PLANES }; /* planes: [k][c][r][s] */

static void *weight_md(const struct dnn_problem *problem, dnnl_data_type_t type,
                       enum weight_layout layout) {
    static const dnnl_format_tag_t tag[] = {dnnl_format_tag_any, dnnl_ohwi, dnnl_oihw};
    static const dnnl_format_tag_t grouped_tag[] = {dnnl_format_tag_any, dnnl_gohwi, dnnl_goihw};
    const struct shape *s = &problem->weight;
    int groups = problem->attr.groups;
    dnnl_dims_t dims = {s->n, s->c, s->h, s->w};
    dnnl_dims_t grouped = {groups, s->n / groups, s->c, s->h, s->w};
    return groups == 1 ? dnn_md_create(4, dims, type, tag[layout])
                       : dnn_md_create(5, grouped, type, grouped_tag[layout]);
}

static void *bias_md(const struct dnn_problem *problem) {
    dnnl_dims_t dims = {problem->weight.n};
    return dnn_md_create(1, dims, dnnl_f32, dnnl_x);
}

/* One type for all that is read; what is written keeps its own. */
static dnnl_data_type_t compute_type(const struct dnn_problem *problem) {
    bool bf16 = problem->x.dtype == DTYPE_BF16 || problem->y.dtype == DTYPE_BF16;
    return bf16 ? dnnl_bf16 : dnnl_f32;
}

/* Pictures are read fastest as planes. */
static enum dnn_layout wished_layout(const struct dnn_tensor *tensor, bool any) {
    if (any)
        return DNN_ANY;
    return tensor->layout == DNN_NHWC ? DNN_NCHW : tensor->layout;
}

static struct wish wish_of(const struct dnn_problem *problem, const struct attempt *attempt) {
    dnnl_data_type_t type = attempt->wide ? dnnl_f32 : compute_type(problem), x = type, y = type;
    enum dnn_direction direction = problem->direction;
    bool any = attempt->any_layout;
    if (direction == DNN_BACKWARD_DATA && !attempt->wide)
        x = data_type(problem->x.dtype);
    if (direction == DNN_FORWARD && !attempt->wide)
        y = data_type(problem->y.dtype);
    dnnl_data_type_t weight = direction == DNN_BACKWARD_WEIGHTS ? dnnl_f32 : type;
    return (struct wish){
        .x = tensor_md(&problem->x, x, wished_layout(&problem->x, any)),
        .y = tensor_md(&problem->y, y, wished_layout(&problem->y, any)),
        .weight = weight_md(problem, weight, WEIGHT_ANY),
        .bias = problem->bias ? bias_md(problem) : NULL,
    };
}

static void wish_release(struct wish *wish) {
    dnn_md_free(wish->x);
    dnn_md_free(wish->y);
    dnn_md_free(wish->weight);
    dnn_md_free(wish->bias);
}

static dnnl_status_t create_attr(const struct dnn_problem *problem, dnnl_primitive_attr_t *out) {
    dnnl_post_ops_t post_ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(out);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&post_ops);
    if (status == dnnl_success && problem->residual)
        status = dnn_append_sum(post_ops);
    if (status == dnnl_success && problem->attr.act == ACT_RELU)
        status = dnn_append_eltwise(post_ops, dnnl_eltwise_relu, 0, 0);
    if (status == dnnl_success && problem->attr.act == ACT_RELU6)
        status = dnn_append_eltwise(post_ops, dnnl_eltwise_clip, 0, RELU6_TOP);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*out, post_ops);
    if (post_ops)
        dnnl_post_ops_destroy(post_ops);
    return status;
}

/* The forward convolution that a backward one refers to. */
static dnnl_status_t create_hint(struct dnn_conv *conv, const struct dnn_conv_desc *desc,
                                 bool wide) {
    struct dnn_problem problem = conv->problem;
    problem.direction = DNN_FORWARD;
    problem.x.dtype = problem.y.dtype =
        !wide && compute_type(&conv->problem) == dnnl_bf16 ? DTYPE_BF16 : DTYPE_F32;
    struct wish wish = wish_of(&problem, &(struct attempt){.any_layout = true, .wide = wide});
    if (conv->forward_pd)
        dnnl_primitive_desc_destroy(conv->forward_pd);
    conv->forward_pd = NULL;
    struct dnn_conv_desc forward = *desc;
    forward.direction = DNN_FORWARD;
    forward.forward = NULL;
    forward.kind = dnnl_forward_training;
    forward.algorithm = dnnl_convolution_direct;
    forward.x = wish.x;
    forward.y = wish.y;
    forward.weight = wish.weight;
    dnnl_status_t status = dnn_conv_desc_create(&conv->forward_pd, &forward);
    wish_release(&wish);
    return status;
}

static dnnl_status_t try_attempt(struct dnn_conv *conv, struct dnn_conv_desc *desc,
                                 const struct attempt *attempt) {
    dnnl_primitive_desc_t pd;
    if (conv->problem.direction != DNN_FORWARD) {
        dnnl_status_t hinted = create_hint(conv, desc, attempt->wide);
        if (hinted != dnnl_success)
            return hinted;
        desc->forward = conv->forward_pd;
    }
    struct wish wish = wish_of(&conv->problem, attempt);
    desc->algorithm = attempt->algorithm;
    desc->x = wish.x;
    desc->y = wish.y;
    desc->weight = wish.weight;
    desc->bias = wish.bias;
    dnnl_status_t status = dnn_conv_desc_create(&pd, desc);
    wish_release(&wish);
    if (status != dnnl_success)
        return status;
    if (conv->pd)
        dnnl_primitive_desc_destroy(conv->pd);
    conv->pd = pd;
    return status;
}

static bool is_reference(dnnl_primitive_desc_t pd) {
    const char *name = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    return strncmp(name, "ref", 3) == 0;
}

/* Is there enough for Winograd, in f32, to be faster than direct convolutions in bf16, which
 * multiply twice as fast? It computes tiles of 4x4. */
static bool is_winograds_best(const struct shape *y, int channels) {
    enum { TILE = 4, CHANNELS = 256, SIDE = 8, PIXELS = 1024 };
    return channels >= CHANNELS && y->h % TILE == 0 && y->w % TILE == 0 && y->h >= SIDE &&
           y->w >= SIDE && y->n * y->h * y->w >= PIXELS;
}

/* Winograd computes 3x3 windows with fewer multiplications; with few channels its transforms
 * cost more than they save. Fewest channels for which it was faster, by direction. */
static bool wants_winograd(const struct dnn_problem *problem) {
    static const int fewest[] = {32, 32, 16};
    const struct shape *w = &problem->weight;
    const struct conv_attr *attr = &problem->attr;
    int channels = w->c < w->n ? w->c : w->n;
    if (w->h != 3 || w->w != 3 || attr->stride != 1 || attr->groups != 1)
        return false;
    return compute_type(problem) == dnnl_bf16 ? is_winograds_best(&problem->y.shape, channels)
                                              : channels >= fewest[problem->direction];
}

static dnnl_status_t choose(struct dnn_conv *conv, struct dnn_conv_desc *desc) {
    static const struct attempt attempts[] = {
        {.algorithm = dnnl_convolution_winograd, .wide = true},
        {.algorithm = dnnl_convolution_direct},
        {.algorithm = dnnl_convolution_direct, .any_layout = true},
    };
    dnnl_status_t status = dnnl_unimplemented;
    for (size_t i = !wants_winograd(&conv->problem); i < sizeof attempts / sizeof *attempts; i++) {
        status = try_attempt(conv, desc, &attempts[i]);
        if (status == dnnl_success && !is_reference(conv->pd))
            break;
    }
    return conv->pd ? dnnl_success : status;
}

static dnnl_status_t choose_primitive(struct dnn_conv *conv) {
    const struct dnn_problem *problem = &conv->problem;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = create_attr(problem, &attr);
    struct dnn_conv_desc desc = {.engine = conv->dnn->engine,
                                 .direction = problem->direction,
                                 .kind = problem->constant_weight ? dnnl_forward_inference
                                                                  : dnnl_forward_training,
                                 .strides = {problem->attr.stride, problem->attr.stride},
                                 .padding = {problem->attr.pad, problem->attr.pad},
                                 .attr = attr};
    if (status == dnnl_success)
        status = choose(conv, &desc);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&conv->primitive, conv->pd);
    return status;
}

static const void *query_md(const struct dnn_conv *conv, dnnl_query_t what, int index) {
    return dnnl_primitive_desc_query_md(conv->pd, what, index);
}

/* Which descriptor of a primitive is which tensor, and what it does with it. */
struct role {
    dnnl_query_t x, weight, y;
    int x_arg, weight_arg, y_arg;
    unsigned x_moves, weight_moves, y_moves;
};

static const struct role role_table[] = {
    [DNN_FORWARD] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md, DNNL_ARG_SRC,
                     DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNN_READ, DNN_READ, DNN_WRITTEN},
    [DNN_BACKWARD_DATA] = {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md,
                           DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST, DNN_WRITTEN,
                           DNN_READ, DNN_READ},
    [DNN_BACKWARD_WEIGHTS] = {dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md,
                              DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST, DNN_READ,
                              DNN_WRITTEN, DNN_READ},
};

static enum status init_operands(struct dnn_conv *conv, struct error *err) {
    const struct dnn_problem *problem = &conv->problem;
    const struct role *role = &role_table[problem->direction];
    unsigned y_moves = role->y_moves | (problem->residual ? DNN_READ : 0);
    void *x = tensor_md(&problem->x, data_type(problem->x.dtype), problem->x.layout);
    void *y = tensor_md(&problem->y, data_type(problem->y.dtype), problem->y.layout);
    void *weight =
        weight_md(problem, dnnl_f32, problem->constant_weight ? WEIGHT_PLANES : WEIGHT_KRSC);
    enum status status =
        dnn_operand_init(&conv->x, conv->dnn, x, query_md(conv, role->x, 0), role->x_moves, err);
    enum status other = dnn_operand_init(&conv->y, conv->dnn, y, query_md(conv, role->y, 0),
                                         y_moves, status ? NULL : err);
    status = status ? status : other;
    other = dnn_operand_init(&conv->weight, conv->dnn, weight, query_md(conv, role->weight, 0),
                             role->weight_moves, status ? NULL : err);
    status = status ? status : other;
    if (!status && problem->bias)
        status = dnn_operand_init(&conv->bias, conv->dnn, bias_md(problem),
                                  query_md(conv, dnnl_query_weights_md, 1), DNN_READ, err);
    return status;
}

static enum status init_memory(struct dnn_conv *conv, struct error *err) {
    const void *md = query_md(conv, dnnl_query_scratchpad_md, 0);
    conv->scratchpad_bytes = dnn_md_bytes(md);
    dnnl_status_t status =
        dnnl_memory_create(&conv->scratchpad, md, conv->dnn->engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success)
        return dnn_error(err, status, "scratchpad");
    if (!conv->problem.constant_weight)
        return STATUS_OK;
    return mem_alloc_large(&conv->constant_weight, dnn_md_bytes(conv->weight.inside_md),
                           "weights of a convolution", err);
}

enum status dnn_conv_create(struct dnn_conv **out, struct dnn *dnn,
                            const struct dnn_problem *problem, struct error *err) {
    struct dnn_conv *conv = xcalloc(1, sizeof *conv);
    conv->dnn = dnn;
    conv->problem = *problem;
    dnnl_status_t chosen = choose_primitive(conv);
    enum status status = STATUS_OK;
    if (chosen != dnnl_success)
        status = dnn_error(err, chosen, "convolution");
    if (!status)
        status = init_operands(conv, err);
    if (!status)
        status = init_memory(conv, err);
    if (status) {
        dnn_conv_free(conv);
        return status;
    }
    *out = conv;
    return STATUS_OK;
}

void dnn_conv_free(struct dnn_conv *conv) {
    if (!conv)
        return;
    dnn_operand_release(&conv->x);
    dnn_operand_release(&conv->y);
    dnn_operand_release(&conv->weight);
    dnn_operand_release(&conv->bias);
    if (conv->scratchpad)
        dnnl_memory_destroy(conv->scratchpad);
    if (conv->primitive)
        dnnl_primitive_destroy(conv->primitive);
    if (conv->pd)
        dnnl_primitive_desc_destroy(conv->pd);
    if (conv->forward_pd)
        dnnl_primitive_desc_destroy(conv->forward_pd);
    kept_release(conv->constant_weight);
    free(conv);
}

/* The workspace of a run: scratchpad, x, y, weights; of a refresh: the weights as planes. */
size_t dnn_conv_workspace_bytes(const struct dnn_conv *conv) {
    size_t bytes = conv->scratchpad_bytes + dnn_operand_slot_bytes(&conv->x) +
                   dnn_operand_slot_bytes(&conv->y);
    if (!conv->constant_weight)
        return bytes + dnn_operand_slot_bytes(&conv->weight);
    size_t planes = dnn_md_bytes(conv->weight.outside_md);
    return bytes > planes ? bytes : planes;
}

const char *dnn_conv_implementation(const struct dnn_conv *conv) {
    const char *name = "";
    dnnl_primitive_desc_query(conv->pd, dnnl_query_impl_info_str, 0, &name);
    return name;
}

static dnnl_memory_t inside(const struct dnn_operand *operand) {
    return operand->inside ? operand->inside : operand->outside;
}

static void copy_planes(const struct shape *shape, const float *krsc, float *planes) {
    int window = shape->h * shape->w;
    for (int k = 0; k < shape->n; k++)
        for (int c = 0; c < shape->c; c++)
            for (int i = 0; i < window; i++)
                *planes++ =
                    krsc[((size_t)k * (size_t)window + (size_t)i) * (size_t)shape->c + (size_t)c];
}

/* By way of planes, because the transformed weights of Winograd can only be made from those. */
void dnn_conv_refresh(struct dnn_conv *conv, struct device *device, const float *weight,
                      void *workspace) {
    void *planes = conv->weight.inside ? workspace : conv->constant_weight;
    copy_planes(&conv->problem.weight, weight, planes);
    dnn_operand_bind(&conv->weight, planes, conv->constant_weight);
    dnn_operand_bring_in(&conv->weight, conv->dnn);
    conv->constant_weight = dnn_operand_keep(&conv->weight, device, conv->constant_weight);
}

static void bind(struct dnn_conv *conv, const struct dnn_pointers *pointers) {
    char *at = pointers->workspace;
    if (conv->scratchpad_at != at)
        CHECK(dnnl_memory_set_data_handle(conv->scratchpad, at) == dnnl_success);
    conv->scratchpad_at = at;
    at += conv->scratchpad_bytes;
    dnn_operand_bind(&conv->x, pointers->x, at);
    at += dnn_operand_slot_bytes(&conv->x);
    dnn_operand_bind(&conv->y, pointers->y, at);
    at += dnn_operand_slot_bytes(&conv->y);
    if (!conv->constant_weight)
        dnn_operand_bind(&conv->weight, pointers->weight, at);
    dnn_operand_bind(&conv->bias, pointers->bias, NULL);
}

void dnn_conv_run(struct dnn_conv *conv, const struct dnn_pointers *pointers) {
    const struct role *role = &role_table[conv->problem.direction];
    bind(conv, pointers);
    dnn_operand_bring_in(&conv->x, conv->dnn);
    dnn_operand_bring_in(&conv->y, conv->dnn);
    if (!conv->constant_weight)
        dnn_operand_bring_in(&conv->weight, conv->dnn);
    dnnl_exec_arg_t args[] = {{role->x_arg, inside(&conv->x)},
                              {role->weight_arg, inside(&conv->weight)},
                              {role->y_arg, inside(&conv->y)},
                              {DNNL_ARG_SCRATCHPAD, conv->scratchpad},
                              {DNNL_ARG_BIAS, inside(&conv->bias)}};
    int count = conv->problem.bias ? 5 : 4;
    CHECK(dnnl_primitive_execute(conv->primitive, conv->dnn->stream, count, args) == dnnl_success);
    dnn_operand_bring_out(&conv->x, conv->dnn);
    dnn_operand_bring_out(&conv->y, conv->dnn);
    dnn_operand_bring_out(&conv->weight, conv->dnn);
}
