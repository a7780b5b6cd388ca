#include "engine/graph/ops_rules.h"

void like_input(const struct program *program, const struct op *op, struct value *out) {
    out[0].shape = in_shape(program, op, 0);
    out[0].dtype = in_dtype(program, op, 0);
}

double per_element_flops(const struct program *program, const struct op *op) {
    return 10 * product(in_shape(program, op, 0));
}

/* inplace: 1 + the input that the output may take over at that input's last use. */
const struct op_info op_table[OP_COUNT] = {
#define OP(code, op_name, op_inputs, op_outputs)                                                   \
    [OP_##code] = {.name = op_name, .inputs = op_inputs, .outputs = op_outputs, ROW_##code},
#define ROW_GATHER .infer = gather_infer
#define ROW_NORMALIZE .infer = NULL
#define ROW_AUGMENT .infer = like_input
#define ROW_CONV .infer = conv_infer, .grad = conv_grad, .flops = conv_flops, .inplace = {4}
#define ROW_CONV_DX .flops = conv_dx_flops
#define ROW_CONV_DW .flops = conv_dw_flops
#define ROW_BN_ACT .infer = bn_act_infer, .grad = bn_act_grad, .flops = per_element_flops
#define ROW_BN_ACT_BWD                                                                             \
    .infer = bn_act_bwd_infer, .flops = per_element_flops, .inplace = {1, 0, 0, 2}
#define ROW_BN_UPDATE .infer = NULL
#define ROW_FOLD_BN .infer = fold_bn_infer
#define ROW_BN_SCALE .infer = bn_scale_infer
#define ROW_SCALE_ACT .infer = like_input, .flops = per_element_flops, .inplace = {1}
#define ROW_LINEAR .infer = linear_infer, .grad = linear_grad, .flops = linear_flops
#define ROW_LINEAR_DX .infer = linear_dx_infer, .flops = linear_flops
#define ROW_LINEAR_DW .flops = linear_dw_flops
#define ROW_GLOBAL_POOL .infer = global_pool_infer, .grad = global_pool_grad
#define ROW_GLOBAL_POOL_BWD .infer = NULL
#define ROW_POOL .infer = pool_infer, .grad = pool_grad
#define ROW_POOL_BWD .infer = NULL
#define ROW_CONCAT .infer = concat_infer, .grad = concat_grad
#define ROW_SPLIT .infer = split_infer, .grad = split_grad
#define ROW_CHANNEL_SHUFFLE .infer = channel_shuffle_infer, .grad = channel_shuffle_grad
#define ROW_ADD .infer = add_infer, .grad = add_grad, .inplace = {1}
#define ROW_EMBED .infer = embed_infer, .grad = embed_grad
#define ROW_EMBED_BWD .infer = NULL
#define ROW_FIRST_TOKEN .infer = first_token_infer, .grad = first_token_grad
#define ROW_FIRST_TOKEN_BWD .infer = NULL
#define ROW_LAYER_NORM                                                                             \
    .infer = layer_norm_infer, .grad = layer_norm_grad, .flops = per_element_flops
#define ROW_LAYER_NORM_BWD .infer = layer_norm_bwd_infer, .flops = per_element_flops, .inplace = {6}
#define ROW_TOKEN_LINEAR                                                                           \
    .infer = token_linear_infer, .grad = token_linear_grad, .flops = token_linear_flops,           \
    .inplace = {4}
#define ROW_TOKEN_LINEAR_DX .flops = token_linear_bwd_flops
#define ROW_TOKEN_LINEAR_DW .flops = token_linear_bwd_flops
#define ROW_GELU .infer = like_input, .grad = gelu_grad, .flops = per_element_flops
#define ROW_GELU_BWD .infer = like_input, .flops = per_element_flops, .inplace = {1}
#define ROW_ATTENTION .infer = attention_infer, .grad = attention_grad, .flops = attention_flops
#define ROW_ATTENTION_BWD .flops = attention_bwd_flops
#define ROW_RESIDUAL .infer = residual_infer, .grad = residual_grad, .inplace = {1}
#define ROW_RESIDUAL_BWD .infer = like_input
#define ROW_FOLD_SCALE .infer = fold_scale_infer
#define ROW_DISTILL_LOSS .infer = loss_infer, .grad = loss_grad, .flops = loss_flops
#define ROW_TALLY .infer = NULL
#define ROW_CLIP_NORM .infer = clip_norm_infer
#define ROW_SGD .infer = NULL
#define ROW_ADAMW .infer = NULL
#define ROW_REORDER .infer = like_input
#define ROW_HEAD .infer = NULL
#define ROW_HEAD_BWD .infer = NULL
#include "engine/graph/ops.def"
#undef OP
};

/* Names are separated by single spaces. */
static int count_words(const char *names) {
    int n = names[0] != 0;
    for (; *names; names++)
        n += *names == ' ';
    return n;
}

int op_input_count(enum opcode code) {
    return count_words(op_table[code].inputs);
}

int op_output_count(enum opcode code) {
    return count_words(op_table[code].outputs);
}

double op_flops(const struct program *program, const struct op *op) {
    op_flops_fn *flops = op_table[op->code].flops;
    return flops ? flops(program, op) : 0;
}

double op_bytes(const struct program *program, const struct op *op) {
    double bytes = 0;
    for (int i = 0; i < OP_MAX_IN; i++)
        if (op->in[i] != NO_VALUE && program->value[op->in[i]].kind != VALUE_SHARED)
            bytes += (double)value_bytes(&program->value[op->in[i]]);
    for (int i = 0; i < OP_MAX_OUT; i++)
        if (op->out[i] != NO_VALUE)
            bytes += (double)value_bytes(&program->value[op->out[i]]);
    return bytes;
}
