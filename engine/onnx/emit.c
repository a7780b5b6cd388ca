/* What all emitters share: names, constants and plain nodes. */
#include "engine/onnx/emit_internal.h"

#include "engine/model/state_dict.h"

#include <stdlib.h>
#include <string.h>

const char *emit_name(struct emitter *emitter, int value) {
    const char **name = &emitter->name[value];
    if (!*name)
        *name = arena_printf(&emitter->arena, "%s.%d", emitter->program->value[value].name, value);
    return *name;
}

const char *emit_temporary(struct emitter *emitter) {
    return arena_printf(&emitter->arena, "between.%d", emitter->temporaries++);
}

/* [out,in] to [in,out]. */
static void turn(const float *from, float *to, int rows, int columns) {
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < columns; k++)
            to[(size_t)k * (size_t)rows + (size_t)i] =
                from[(size_t)i * (size_t)columns + (size_t)k];
}

static void fill_dims(enum constant_form form, struct shape s, int64_t dim[4], int *rank) {
    static const int ranks[] = {
        [CONSTANT_VECTOR] = 1, [CONSTANT_PLANE] = 3,  [CONSTANT_MATRIX] = 2,
        [CONSTANT_TURNED] = 2, [CONSTANT_KERNEL] = 4, [CONSTANT_TOKENS] = 3};
    const int64_t dims[][4] = {[CONSTANT_VECTOR] = {s.c},
                               [CONSTANT_PLANE] = {s.c, 1, 1},
                               [CONSTANT_MATRIX] = {s.n, s.c},
                               [CONSTANT_TURNED] = {s.c, s.n},
                               [CONSTANT_KERNEL] = {s.n, s.c, s.h, s.w},
                               [CONSTANT_TOKENS] = {1, s.w, s.c}};
    *rank = ranks[form];
    memcpy(dim, dims[form], sizeof dims[form]);
}

const char *emit_constant(struct emitter *emitter, int value, enum constant_form form) {
    if (emitter->name[value])
        return emitter->name[value];
    const struct shape shape = emitter->program->value[value].shape;
    const struct param kernel = {.shape = shape, .rank = 4};
    size_t bytes = value_bytes(&emitter->program->value[value]);
    const char *name = emit_name(emitter, value);
    float *data = xmalloc(bytes), *stored = xmalloc(bytes);
    int64_t dim[4];
    int rank;
    exec_read(emitter->exec, value, data);
    if (form == CONSTANT_KERNEL)
        state_dict_to_file(&kernel, data, stored);
    else if (form == CONSTANT_TURNED)
        turn(data, stored, shape.n, shape.c);
    else
        memcpy(stored, data, bytes);
    fill_dims(form, shape, dim, &rank);
    onnx_add_floats(&emitter->file, name, dim, rank, stored);
    free(data);
    return name;
}

const char *emit_scalar(struct emitter *emitter, float number) {
    const char *name = arena_printf(&emitter->arena, "scalar.%d", emitter->temporaries++);
    const int64_t no_dim = 0;
    float *data = xmalloc(sizeof *data);
    *data = number;
    onnx_add_floats(&emitter->file, name, &no_dim, 0, data);
    return name;
}

const char *emit_integers(struct emitter *emitter, const int64_t *value, int count) {
    const char *name = arena_printf(&emitter->arena, "integers.%d", emitter->temporaries++);
    onnx_add_integers(&emitter->file, name, value, count);
    return name;
}

void emit_simple(struct emitter *emitter, const char *type, const char *a, const char *b,
                 const char *out) {
    onnx_add_node(&emitter->file, &(struct onnx_node){.type = type, .in = {a, b}, .out = {out}});
}

const char *emit_step(struct emitter *emitter, const char *type, const char *a, const char *b) {
    const char *out = emit_temporary(emitter);
    emit_simple(emitter, type, a, b, out);
    return out;
}

const char *emit_reshape(struct emitter *emitter, const char *x, const int64_t *dim, int rank) {
    return emit_step(emitter, "Reshape", x, emit_integers(emitter, dim, rank));
}

const char *emit_transpose(struct emitter *emitter, const char *x, const int64_t *axis, int rank) {
    const char *out = emit_temporary(emitter);
    struct onnx_node node = {.type = "Transpose", .in = {x}, .out = {out}};
    node.attribute[0] = (struct onnx_attribute){.name = "perm", .count = rank};
    memcpy(node.attribute[0].ints, axis, (size_t)rank * sizeof *axis);
    onnx_add_node(&emitter->file, &node);
    return out;
}

const char *emit_act(struct emitter *emitter, enum activation act, const char *x, const char *out) {
    if (act == ACT_NONE && !out)
        return x;
    if (!out)
        out = emit_temporary(emitter);
    struct onnx_node node = {
        .type = act == ACT_NONE ? "Identity" : "Relu", .in = {x}, .out = {out}};
    if (act == ACT_RELU6) {
        node.type = "Clip";
        node.in[1] = emit_scalar(emitter, 0);
        node.in[2] = emit_scalar(emitter, RELU6_TOP);
    }
    onnx_add_node(&emitter->file, &node);
    return out;
}
