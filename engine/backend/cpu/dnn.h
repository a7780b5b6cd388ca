/*
 * dnn.h - convolutions of oneDNN, whichever major version is installed.
 *
 * A problem names the tensors as they lie in memory. Where the best primitive wants one otherwise,
 * the conv reorders it through the workspace; weights, which lie KRSC in f32, always are.
 *
 * Ownership: dnn_open ... dnn_close; dnn_conv_create ... dnn_conv_free, before dnn_close.
 * Errors:    UNSUPPORTED when the library has no such primitive, OUT_OF_MEMORY.
 * Threads:   one at a time; oneDNN uses as many as parallel_set_threads said on the calling
 *            thread, which must be as many when a conv is created as when it runs.
 */
#ifndef ENGINE_BACKEND_CPU_DNN_H
#define ENGINE_BACKEND_CPU_DNN_H

#include "engine/backend/backend.h"

struct dnn;
struct dnn_conv;

/* What oneDNN would use of this processor; DNNL_MAX_CPU_ISA may hide something. */
struct dnn_features {
    bool avx2, avx512, bf16;
    int major, minor, patch; /* of the library */
};
struct dnn_features dnn_features(void); /* The same for the life of the process. */

MUST_CHECK enum status dnn_open(struct dnn **out, struct error *err); /* Engine and stream. */
void dnn_close(struct dnn *dnn);                                      /* NULL is allowed. */

enum dnn_direction { DNN_FORWARD, DNN_BACKWARD_DATA, DNN_BACKWARD_WEIGHTS };

/* Channels in blocks of 16 or 8 lie together: [n][c / block][h][w][block], padded with zeros. */
enum dnn_layout { DNN_NHWC, DNN_NCHW, DNN_BLOCKED_16, DNN_BLOCKED_8, DNN_ANY };

struct dnn_tensor {
    struct shape shape;
    enum dtype dtype; /* DTYPE_F32 or DTYPE_BF16 */
    enum dnn_layout layout;
};

struct dnn_problem {
    enum dnn_direction direction;
    struct dnn_tensor x, y; /* or their gradients */
    struct shape weight;    /* KRSC, r and s, c of one group */
    struct conv_attr attr;
    bool bias, residual;  /* forward only; the residual is what y holds before */
    bool constant_weight; /* forward only: dnn_conv_refresh says when it changes */
};

/* Chooses the fastest primitive for the problem and prepares it. */
MUST_CHECK enum status dnn_conv_create(struct dnn_conv **out, struct dnn *dnn,
                                       const struct dnn_problem *problem, struct error *err);
void dnn_conv_free(struct dnn_conv *conv); /* NULL is allowed. */

size_t dnn_conv_workspace_bytes(const struct dnn_conv *conv);     /* What a run needs. */
const char *dnn_conv_implementation(const struct dnn_conv *conv); /* oneDNN's name for it. */

/* Takes over constant weights. */
void dnn_conv_refresh(struct dnn_conv *conv, struct device *device, const float *weight,
                      void *workspace);

/* The tensor that the direction computes is written, the others are only read. */
struct dnn_pointers {
    void *x, *y;
    float *weight, *bias; /* bias may be NULL; constant weights are not read */
    void *workspace;      /* 64-byte aligned */
};
void dnn_conv_run(struct dnn_conv *conv, const struct dnn_pointers *pointers);

#endif
