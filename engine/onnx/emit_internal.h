/*
 * emit_internal.h - how ops become nodes; for the files of this folder only.
 *
 * A plane [n,h,w,c] is [n,c,h,w] in the file, tokens [n,1,t,c] are [n,t,c], what comes out of a
 * linear layer is [n,c]. Names of values are those of the program with their number behind.
 */
#ifndef ENGINE_ONNX_EMIT_INTERNAL_H
#define ENGINE_ONNX_EMIT_INTERNAL_H

#include "engine/backend/exec.h"
#include "engine/onnx/onnx_file.h"

struct emitter {
    struct onnx_file file;
    const struct program *program; /* sealed, for inference */
    struct exec *exec;             /* of that program; its prologue has run */
    const char **name;             /* [n_values], NULL: not met yet */
    struct arena arena;            /* of the names */
    int temporaries;
};

/* Appends the nodes of an op. */
typedef void emit_fn(struct emitter *emitter, const struct op *op);

emit_fn emit_conv, emit_scale_act, emit_linear, emit_global_pool, emit_pool;         /* planes */
emit_fn emit_concat, emit_split, emit_channel_shuffle, emit_add;                     /* channels */
emit_fn emit_embed, emit_first_token, emit_layer_norm, emit_token_linear, emit_gelu; /* tokens */
emit_fn emit_attention, emit_residual;                                               /* tokens */

/* How a parameter lies in the file. */
enum constant_form {
    CONSTANT_VECTOR, /* [c] */
    CONSTANT_PLANE,  /* [c,1,1], to be added to planes */
    CONSTANT_MATRIX, /* [out,in] */
    CONSTANT_TURNED, /* [in,out] */
    CONSTANT_KERNEL, /* OIHW */
    CONSTANT_TOKENS  /* [1,t,c] */
};

const char *emit_name(struct emitter *emitter, int value); /* The name of a value. */
const char *emit_temporary(struct emitter *emitter);       /* A new name. */

/* The name of a parameter, which becomes a constant when it is first met. */
const char *emit_constant(struct emitter *emitter, int value, enum constant_form form);

const char *emit_scalar(struct emitter *emitter, float number); /* A constant. */

/* A constant list of integers, for shapes. */
const char *emit_integers(struct emitter *emitter, const int64_t *value, int count);

/* A node without attributes; b may be NULL. */
void emit_simple(struct emitter *emitter, const char *type, const char *a, const char *b,
                 const char *out);

/* The same with an output of its own, which is returned. */
const char *emit_step(struct emitter *emitter, const char *type, const char *a, const char *b);

/* x in another shape (0: as before), or with its axes in another order. */
const char *emit_reshape(struct emitter *emitter, const char *x, const int64_t *dim, int rank);
const char *emit_transpose(struct emitter *emitter, const char *x, const int64_t *axis, int rank);

/* Appends the activation of x with the output `out`, or with one of its own if that is NULL.
 * Returns the output, or x itself if there is no activation and out is NULL. */
const char *emit_act(struct emitter *emitter, enum activation act, const char *x, const char *out);

#endif
