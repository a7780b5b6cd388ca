#include "engine/onnx/export.h"

#include "engine/graph/ops.h"
#include "engine/onnx/emit_internal.h"

#include <stdlib.h>
#include <string.h>

static emit_fn *const emitters[OP_COUNT] = {
    [OP_CONV] = emit_conv,
    [OP_SCALE_ACT] = emit_scale_act,
    [OP_LINEAR] = emit_linear,
    [OP_GLOBAL_POOL] = emit_global_pool,
    [OP_POOL] = emit_pool,
    [OP_CONCAT] = emit_concat,
    [OP_SPLIT] = emit_split,
    [OP_CHANNEL_SHUFFLE] = emit_channel_shuffle,
    [OP_ADD] = emit_add,
    [OP_EMBED] = emit_embed,
    [OP_FIRST_TOKEN] = emit_first_token,
    [OP_LAYER_NORM] = emit_layer_norm,
    [OP_TOKEN_LINEAR] = emit_token_linear,
    [OP_GELU] = emit_gelu,
    [OP_ATTENTION] = emit_attention,
    [OP_RESIDUAL] = emit_residual,
};

/* A model's inference of one picture, with its parameters on the reference backend, which runs the
 * prologue alone. */
struct source {
    struct inference inference;
    struct device device;
    struct params params;
    struct exec *exec;
};

static enum status open_source(struct source *source, const struct loaded_model *model,
                               struct error *err) {
    const struct param_table *table = &model->network.table;
    struct params *params[] = {&source->params};
    network_inference(&source->inference, &model->network, PRECISION_F32, 1, NULL);
    enum status status = device_open(&source->device, DEVICE_REF, 1, err);
    if (!status)
        status = params_create(&source->params, &source->device, table, 0, err);
    if (status)
        return status;
    params_upload(&source->params, model->values.weight, model->values.state);
    status = exec_create(&source->exec, &source->device, &source->inference.program, params, err);
    if (!status)
        exec_refresh(source->exec);
    return status ? status : exec_synchronize(source->exec, err);
}

static void close_source(struct source *source) {
    exec_free(source->exec);
    params_release(&source->params);
    device_close(&source->device);
    program_free(&source->inference.program);
}

static const char *channel_constant(struct emitter *emitter, const char *name, const float *value,
                                    int channels) {
    const int64_t dim[] = {channels, 1, 1};
    float *data = xmalloc((size_t)channels * sizeof *data);
    memcpy(data, value, (size_t)channels * sizeof *data);
    onnx_add_floats(&emitter->file, name, dim, 3, data);
    return name;
}

static void add_input(struct emitter *emitter, const struct source *source,
                      const struct model_info *info, bool normalize) {
    const int64_t dim[] = {info->channels, info->height, info->width};
    onnx_set_input(&emitter->file, "input", dim, 3);
    emitter->name[source->inference.x] = normalize ? "normalised" : "input";
    if (!normalize)
        return;
    const char *mean = channel_constant(emitter, "mean", info->mean, info->channels);
    const char *deviation = channel_constant(emitter, "deviation", info->deviation, info->channels);
    emit_simple(emitter, "Div", emit_step(emitter, "Sub", "input", mean), deviation, "normalised");
}

static enum status add_ops(struct emitter *emitter, struct error *err) {
    const struct program *program = emitter->program;
    for (int i = 0; i < program->n_ops; i++) {
        const struct op *op = &program->op[i];
        if (op->section == SECTION_PROLOGUE) /* its results are constants */
            continue;
        if (!emitters[op->code])
            return error_set(err, STATUS_UNSUPPORTED, "op %s has no form in ONNX",
                             op_table[op->code].name);
        emitters[op->code](emitter, op);
    }
    return STATUS_OK;
}

/* The notes of a .safetensors, and what the input is. */
static enum status write_file(const struct emitter *emitter, const struct model_info *info,
                              bool normalize, const char *path, struct error *err) {
    struct model_notes notes;
    struct safetensors_note all[MODEL_NOTE_COUNT + 1] = {
        {"input", normalize ? "pixels in 0..1" : "(pixels in 0..1 - mean) / deviation"}};
    model_notes_init(&notes, info);
    memcpy(all + 1, notes.note, sizeof notes.note);
    enum status status =
        onnx_file_write(&emitter->file, info->architecture, all, MODEL_NOTE_COUNT + 1, path, err);
    model_notes_release(&notes);
    return status;
}

static enum status emit(const struct source *source, const struct model_info *info, bool normalize,
                        const char *path, struct error *err) {
    const int64_t classes = info->classes;
    const struct inference *inference = &source->inference;
    struct emitter emitter = {.program = &inference->program, .exec = source->exec};
    emitter.name = xcalloc((size_t)inference->program.n_values, sizeof *emitter.name);
    emitter.name[inference->logits] = "logits";
    onnx_file_init(&emitter.file);
    add_input(&emitter, source, info, normalize);
    onnx_set_output(&emitter.file, "logits", &classes, 1);
    enum status status = add_ops(&emitter, err);
    if (!status)
        status = write_file(&emitter, info, normalize, path, err);
    onnx_file_release(&emitter.file);
    arena_release(&emitter.arena);
    free(emitter.name);
    return status;
}

enum status onnx_export(const struct loaded_model *model, bool normalize, const char *path,
                        struct error *err) {
    struct source source = {0};
    enum status status = open_source(&source, model, err);
    if (!status)
        status = emit(&source, &model->info, normalize, path, err);
    close_source(&source);
    return status;
}
