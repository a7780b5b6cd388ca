/*
 * onnx_file.h - an ONNX model as it is put together: nodes, constants, one input, one output.
 *
 * Opset 17, IR version 8. Numbers are floats; shapes are given without the batch dimension, which
 * is free.
 *
 * Ownership: init ... release. Texts are copied; constants are taken over.
 * Errors:    TOO_LARGE over protobuf's 2 GiB; file errors as in base/file.h.
 */
#ifndef ENGINE_ONNX_ONNX_FILE_H
#define ENGINE_ONNX_ONNX_FILE_H

#include "engine/base/safetensors.h"
#include "engine/base/str.h"

enum { ONNX_NODE_INPUTS = 4, ONNX_NODE_OUTPUTS = 3, ONNX_NODE_ATTRIBUTES = 6, ONNX_MAX_RANK = 5 };

struct onnx_attribute {
    const char *name;            /* NULL ends the list */
    int count;                   /* of ints; 0: not a list */
    int64_t ints[ONNX_MAX_RANK]; /* a whole number is ints[0] with count 0 */
    float real;                  /* if is_real */
    bool is_real;
};

struct onnx_node {
    const char *type;                   /* "Conv" */
    const char *in[ONNX_NODE_INPUTS];   /* NULL ends the list */
    const char *out[ONNX_NODE_OUTPUTS]; /* the same */
    struct onnx_attribute attribute[ONNX_NODE_ATTRIBUTES];
};

struct onnx_constant {
    struct str head; /* the tensor's message but for its bytes */
    void *data;
    size_t bytes;
};

struct onnx_file {
    struct str nodes; /* as they stand in the file */
    int node_count;
    struct onnx_constant *constant;
    int count, capacity;
    struct str input, output; /* their descriptions */
};

void onnx_file_init(struct onnx_file *file);    /* Empty. */
void onnx_file_release(struct onnx_file *file); /* Frees it. */

/* Appends a node; what it reads must have been written before. */
void onnx_add_node(struct onnx_file *file, const struct onnx_node *node);

/* Adds a constant of floats or int64s; data is free()d with the file. */
void onnx_add_floats(struct onnx_file *file, const char *name, const int64_t *dim, int rank,
                     float *data);
void onnx_add_integers(struct onnx_file *file, const char *name, const int64_t *value, int count);

/* Describes the model's input or output: floats [batch, dim...]. */
void onnx_set_input(struct onnx_file *file, const char *name, const int64_t *dim, int rank);
void onnx_set_output(struct onnx_file *file, const char *name, const int64_t *dim, int rank);

/* Writes it atomically and durably; graph is the model's name, notes become its metadata. */
MUST_CHECK enum status onnx_file_write(const struct onnx_file *file, const char *graph,
                                       const struct safetensors_note *notes, size_t n_notes,
                                       const char *path, struct error *err);

#endif
