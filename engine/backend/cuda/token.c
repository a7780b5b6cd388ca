#include "engine/backend/cuda/cuda_internal.h"
#include "engine/backend/cuda/launch_token.h"

/* Shape of tokens: [n, h, w, c], where h w are the tokens of a picture. */
static struct token_args tokens_of(const struct kernel_args *args, struct shape shape) {
    return (struct token_args){.n = shape.n,
                               .tokens = shape.h * shape.w,
                               .c = shape.c,
                               .step = cuda_of(args->context)->step,
                               .workspace = args->workspace};
}

/* --- the ends --- */

void cuda_embed(const struct kernel_args *args) {
    struct shape y = context_out(args->context, 0)->shape;
    struct token_args launch = tokens_of(args, y);
    launch.x = array_in(args, 0);
    launch.class_token = args->in[1];
    launch.position = args->in[2];
    launch.y = array_out(args, 0);
    launch.all = context_in(args->context, 2)->shape.w == y.w;
    launch_embed(queue_of(args), &launch);
}

void cuda_embed_bwd(const struct kernel_args *args) {
    struct shape dy = context_in(args->context, 0)->shape;
    struct token_args launch = tokens_of(args, dy);
    launch.dy = array_in(args, 0);
    launch.dx = array_out(args, 0);
    launch.dclass = args->out[1];
    launch.dposition = args->out[2];
    launch.all = context_out(args->context, 2)->shape.w == dy.w;
    launch_embed_bwd(queue_of(args), &launch);
}

void cuda_first_token(const struct kernel_args *args) {
    struct token_args launch = tokens_of(args, context_in(args->context, 0)->shape);
    launch.x = array_in(args, 0);
    launch.y = array_out(args, 0);
    launch_first_token(queue_of(args), &launch);
}

void cuda_first_token_bwd(const struct kernel_args *args) {
    struct token_args launch = tokens_of(args, context_out(args->context, 0)->shape);
    launch.dy = array_in(args, 0);
    launch.dx = array_out(args, 0);
    launch_first_token_bwd(queue_of(args), &launch);
}

/* --- layer norm, GELU --- */

/* Kernels have one type for all activations: that of y, which behind the last norm is f32. */
void cuda_layer_norm_formats(struct kernel_context *context) {
    const struct value *y =
        context->op->code == OP_LAYER_NORM ? context_out(context, 0) : context_in(context, 0);
    if (y->dtype == DTYPE_BF16)
        cuda_formats(context);
}

void cuda_layer_norm(const struct kernel_args *args) {
    struct token_args launch = tokens_of(args, context_in(args->context, 0)->shape);
    launch.x = array_in(args, 0);
    launch.gamma = args->in[1];
    launch.beta = args->in[2];
    launch.y = array_out(args, 0);
    launch.mean_out = args->out[1];
    launch.rstd_out = args->out[2];
    launch.eps = args->context->op->attr.norm.eps;
    launch_layer_norm(queue_of(args), &launch);
}

size_t cuda_layer_norm_bwd_workspace(const struct kernel_context *context) {
    return cuda_sums_bytes(context, 1);
}

void cuda_layer_norm_bwd(const struct kernel_args *args) {
    struct token_args launch = tokens_of(args, context_in(args->context, 1)->shape);
    launch.dy = array_in(args, 0);
    launch.x = array_in(args, 1);
    launch.gamma = args->in[2];
    launch.mean = args->in[3];
    launch.rstd = args->in[4];
    launch.dx2 = array_in(args, 5);
    launch.dx = array_out(args, 0);
    launch.dgamma = args->out[1];
    launch.dbeta = args->out[2];
    launch_layer_norm_bwd(queue_of(args), &launch);
}

void cuda_gelu(const struct kernel_args *args) {
    struct token_args launch = tokens_of(args, context_in(args->context, 0)->shape);
    launch.x = array_in(args, 0);
    launch.y = array_out(args, 0);
    launch_gelu(queue_of(args), &launch);
}

void cuda_gelu_bwd(const struct kernel_args *args) {
    struct token_args launch = tokens_of(args, context_in(args->context, 0)->shape);
    launch.dy = array_in(args, 0);
    launch.x = array_in(args, 1);
    launch.dx = array_out(args, 0);
    launch_gelu_bwd(queue_of(args), &launch);
}

/* --- residual branches --- */

static struct token_args branch_of(const struct kernel_args *args, struct shape shape) {
    const struct residual_attr *attr = &args->context->op->attr.residual;
    struct token_args launch = tokens_of(args, shape);
    launch.branch = array_in(args, 1);
    launch.scale = args->in[2];
    launch.layer = attr->layer;
    launch.drop = attr->drop;
    return launch;
}

void cuda_residual(const struct kernel_args *args) {
    struct token_args launch = branch_of(args, context_out(args->context, 0)->shape);
    launch.x = array_in(args, 0);
    launch.y = array_out(args, 0);
    launch_residual(queue_of(args), &launch);
}

void cuda_residual_bwd(const struct kernel_args *args) {
    struct token_args launch = branch_of(args, context_in(args->context, 0)->shape);
    launch.dy = array_in(args, 0);
    launch.dbranch = array_out(args, 0);
    launch.dscale = args->out[1];
    launch_residual_bwd(queue_of(args), &launch);
}

void cuda_fold_scale(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    struct bn_params_args launch = {.weight = args->in[0],
                                    .conv_bias = args->in[1],
                                    .gamma = args->in[2],
                                    .out = args->out[0],
                                    .out2 = args->out[1],
                                    .channels = shape.n,
                                    .taps = shape.h * shape.w * shape.c};
    launch_fold_scale(queue_of(args), &launch);
}

/* --- attention --- */

/* Shapes are [n, 1, tokens, channels]. */
static struct attention_args attention_of(const struct kernel_args *args, struct shape qkv,
                                          struct shape y) {
    int heads = args->context->op->attr.attention.heads;
    return (struct attention_args){.center = args->workspace,
                                   .n = qkv.n,
                                   .tokens = qkv.w,
                                   .queries = y.w,
                                   .heads = heads,
                                   .width = y.c / heads};
}

enum status cuda_attention_prepare(const struct kernel_context *context, void **state,
                                   size_t *workspace_bytes, struct error *err) {
    int qkv = context->op->code == OP_ATTENTION ? 0 : 1;
    int width = context_in(context, qkv)->shape.c / 3 / context->op->attr.attention.heads;
    (void)state;
    (void)workspace_bytes;
    if (width <= LAUNCH_HEAD_WIDTH_MAX)
        return STATUS_OK;
    return error_set(err, STATUS_UNSUPPORTED,
                     "attention heads of %d channels: the cuda backend takes at most %d", width,
                     LAUNCH_HEAD_WIDTH_MAX);
}

size_t cuda_attention_bwd_workspace(const struct kernel_context *context) {
    return (size_t)shape_elements(context_in(context, 3)->shape) * sizeof(float);
}

void cuda_attention(const struct kernel_args *args) {
    struct attention_args launch = attention_of(args, context_in(args->context, 0)->shape,
                                                context_out(args->context, 0)->shape);
    launch.qkv = array_in(args, 0);
    launch.y = array_out(args, 0);
    launch.lse = args->out[1];
    launch_attention(queue_of(args), &launch);
}

void cuda_attention_bwd(const struct kernel_args *args) {
    struct attention_args launch = attention_of(args, context_in(args->context, 1)->shape,
                                                context_in(args->context, 2)->shape);
    launch.dy = array_in(args, 0);
    launch.qkv = array_in(args, 1);
    launch.y = array_in(args, 2);
    launch.lse = args->in[3];
    launch.dqkv = array_out(args, 0);
    launch_attention_bwd(queue_of(args), &launch);
}
