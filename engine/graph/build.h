/*
 * build.h - layers that append ops to a program and name their parameters as PyTorch does.
 *
 * In BUILD_TRAIN a batch norm normalises with the batch's statistics and appends a bn_update. In
 * BUILD_INFER it is folded into the conv in front of it, or becomes a scale and a shift: computed
 * by an op of the prologue. In BUILD_COLLECT only the parameter table is filled.
 *
 * Ownership: the builder borrows program and table.
 */
#ifndef ENGINE_GRAPH_BUILD_H
#define ENGINE_GRAPH_BUILD_H

#include "engine/graph/param_table.h"

enum build_mode { BUILD_COLLECT, BUILD_TRAIN, BUILD_INFER };

struct builder {
    struct program *program;
    struct param_table *table; /* written in BUILD_COLLECT, else read */
    enum build_mode mode;
    int net;          /* index of the network's arenas */
    enum dtype dtype; /* of activations: f32 or bf16 */
    float drop_path;  /* BUILD_TRAIN: share of pictures that the last residual branch leaves out */
    char scope[24];   /* what names of layers and parameters begin with: see build_enter */
};

struct conv_layer {
    const char *name; /* "conv1" */
    int channels, kernel, stride, pad;
    int groups; /* 0 means 1 */
};

/* Initialisation and bias of a convolution. */
enum conv_style {
    CONV_FAN_OUT,      /* Kaiming normal */
    CONV_FAN_OUT_BIAS, /* the same, with a bias that starts as zero */
    CONV_FAN_IN,       /* PyTorch's default: uniform */
    CONV_FAN_IN_BIAS,  /* the same, with a bias */
};

struct linear_layer {
    const char *name;
    int outputs;
    enum param_init weight_init, bias_init;
};

/* The layers that follow are those of a block: their names begin so, "layer1.0.". Blocks do not
 * nest. */
void build_enter(struct builder *builder, const char *format, ...) PRINTF_LIKE(2, 3);
void build_leave(struct builder *builder); /* The block's end: names are whole again. */

int build_channels(const struct builder *builder, int x); /* The channels of a value. */

/* An input value, written from outside. */
int build_input(struct builder *builder, const char *name, struct shape shape, enum dtype dtype);

/* (x / 255 - mean) / deviation of the first n pictures, as f32. */
int build_normalize(struct builder *builder, int x, int n, const float *mean,
                    const float *deviation);

int build_conv_as(struct builder *builder, int x, const struct conv_layer *layer,
                  enum conv_style style); /* Convolution. */

/* The same without bias, Kaiming normal fan-out initialisation. */
int build_conv(struct builder *builder, int x, const struct conv_layer *layer);

/* Batch norm (eps 1e-5, momentum 0.1), plus residual unless NO_VALUE, and activation. x must be the
 * output of a convolution that no other op reads: in BUILD_INFER norm, residual and activation are
 * folded into that convolution. */
int build_bn_act(struct builder *builder, const char *name, int x, int residual,
                 enum activation act);

/* Batch norm with ReLU of any value. */
int build_pre_act(struct builder *builder, const char *name, int x);

/* x + other. x must be the output of a convolution without batch norm that no other op reads: in
 * BUILD_INFER that convolution adds other. */
int build_residual(struct builder *builder, int x, int other);

int build_pool(struct builder *builder, int x, const struct pool_attr *attr); /* Windows. */

int build_concat(struct builder *builder, int a, int b); /* Channels of a, then of b. */
void build_split(struct builder *builder, int x, int first, int out[2]); /* Its inverse. */

/* Channels as a matrix of so many rows, transposed. */
int build_channel_shuffle(struct builder *builder, int x, int groups);

/* Mean over the plane. */
int build_global_pool(struct builder *builder, int x);

/* Fully connected layer with bias; output is f32. */
int build_linear_layer(struct builder *builder, int x, const struct linear_layer *layer);

/* The same with PyTorch's default initialisation. */
int build_linear(struct builder *builder, const char *name, int x, int outputs);

/* --- for build_*.c only --- */

/* The value of a parameter "layer.suffix", or "suffix" if layer is empty; in BUILD_COLLECT it is
 * added to the table first. */
int build_param(struct builder *builder, const char *layer, const char *suffix,
                const struct param *prototype);

struct op build_op(enum opcode code, int x); /* Of the forward section, reading x; not appended. */

/* Appends a layer's op and names its first output after the layer of this name. */
int build_finish(struct builder *builder, const struct op *op, const char *name);

/* Appends an op of the prologue; its two outputs are named after its first input. */
struct op build_derived(struct builder *builder, const struct op *op, const char *const suffix[2]);

#endif
