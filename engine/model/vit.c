#include "engine/model/vit.h"

#include "engine/graph/build_token.h"

enum { PATCH = 16, HEAD_WIDTH = 64, MLP_RATIO = 4 };

struct block {
    int index, width;
    bool scales; /* layer scale */
    bool last;
    float drop;
};

/* The end of branch 0 or 1. */
static int end_branch(struct builder *builder, const struct block *block, int x, int branch,
                      int which) {
    static const char *const linear[] = {"attn.proj", "mlp.fc2"}, *const scale[] = {"ls1", "ls2"};
    const struct branch_end end = {.name = linear[which],
                                   .scale = block->scales ? scale[which] : NULL,
                                   .layer = 2 * block->index + which,
                                   .drop = block->drop};
    return build_branch(builder, x, branch, &end);
}

static int add_block(struct builder *builder, int x, const struct block *block) {
    build_enter(builder, "blocks.%d.", block->index);
    int y = build_layer_norm(builder, "norm1", x, builder->dtype);
    y = build_token_linear(builder, "attn.qkv", y, 3 * block->width);
    y = build_attention(builder, y, block->width / HEAD_WIDTH, block->last);
    if (block->last)
        x = build_first_token(builder, x);
    x = end_branch(builder, block, x, y, 0);
    y = build_layer_norm(builder, "norm2", x, builder->dtype);
    y = build_token_linear_gelu(builder, "mlp.fc1", y, MLP_RATIO * block->width);
    x = end_branch(builder, block, x, y, 1);
    build_leave(builder);
    return x;
}

static int build(const struct architecture *architecture, struct builder *builder, int x,
                 int classes, bool is_deit3) {
    int depth = architecture->depth;
    struct conv_layer patches = {.name = "patch_embed.proj",
                                 .channels = architecture->width,
                                 .kernel = PATCH,
                                 .stride = PATCH};
    x = build_conv_as(builder, x, &patches, CONV_FAN_IN_BIAS);
    x = build_embed(builder, x, !is_deit3);
    for (int i = 0; i < depth; i++) {
        struct block block = {.index = i,
                              .width = architecture->width,
                              .scales = is_deit3,
                              .last = i == depth - 1,
                              .drop = builder->drop_path * (float)i / (float)(depth - 1)};
        x = add_block(builder, x, &block);
    }
    x = build_layer_norm(builder, "norm", x, DTYPE_F32); /* the classifier is f32 */
    return build_linear_layer(
        builder, x, &(struct linear_layer){"head", classes, INIT_NORMAL_TOKEN, INIT_ZERO});
}

int deit_build(const struct architecture *architecture, struct builder *builder, int x,
               int classes) {
    return build(architecture, builder, x, classes, false);
}

int deit3_build(const struct architecture *architecture, struct builder *builder, int x,
                int classes) {
    return build(architecture, builder, x, classes, true);
}
