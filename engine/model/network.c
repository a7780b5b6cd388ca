#include "engine/model/network.h"

#include "engine/base/rng.h"
#include "engine/model/state_dict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status check_input(const struct network *network, struct error *err) {
    if (network->height < 8 || network->width < 8 || network->height > 1024 ||
        network->width > 1024)
        return error_set(err, STATUS_INVALID, "pictures of %d x %d: a network takes 8 to 1024",
                         network->height, network->width);
    int multiple = network->architecture->origin->side_multiple;
    if (network->height % multiple || network->width % multiple)
        return error_set(err, STATUS_INVALID,
                         "pictures of %d x %d: %s takes sides that are multiples of %d",
                         network->height, network->width, network->architecture->name, multiple);
    if (network->channels < 1 || network->channels > MODEL_MAX_CHANNELS)
        return error_set(err, STATUS_INVALID, "pictures with %d channels: a network takes 1 to %d",
                         network->channels, MODEL_MAX_CHANNELS);
    if (network->classes < 2 || network->classes > 65536)
        return error_set(err, STATUS_INVALID, "%d classes: a network takes 2 to 65536",
                         network->classes);
    return STATUS_OK;
}

/* Runs the build function once to learn the parameters. */
static void collect_params(struct network *network, bool decay_all) {
    struct program scratch = {0};
    struct builder builder = network_builder(network, &scratch, BUILD_COLLECT, PRECISION_F32);
    struct shape shape = {1, network->height, network->width, network->channels};
    network_build(network, &builder, build_input(&builder, "x", shape, DTYPE_F32));
    program_free(&scratch);
    param_table_layout(&network->table, decay_all);
}

enum status network_init(struct network *network, const char *architecture,
                         struct network_size size, bool decay_all, struct error *err) {
    *network = (struct network){.architecture = zoo_find(architecture),
                                .height = size.height,
                                .width = size.width,
                                .channels = size.channels,
                                .classes = size.classes};
    enum status status = zoo_check(architecture, "", err);
    if (!status)
        status = check_input(network, err);
    if (!status)
        collect_params(network, decay_all);
    return status;
}

enum status network_check_drop_path(const struct network *network, double drop_path,
                                    struct error *err) {
    if (drop_path == 0 || network->architecture->origin->drops_paths)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "drop_path",
                           "drop_path %g is not for %s: only transformers leave out branches",
                           drop_path, network->architecture->name);
}

void network_release(struct network *network) {
    param_table_release(&network->table);
    memset(network, 0, sizeof *network);
}

struct builder network_builder(const struct network *network, struct program *program,
                               enum build_mode mode, enum precision precision) {
    program->tf32 = precision == PRECISION_TF32;
    return (struct builder){
        .program = program,
        .table = (struct param_table *)(uintptr_t)&network->table, /* written only to collect */
        .mode = mode,
        .dtype = precision == PRECISION_BF16 ? DTYPE_BF16 : DTYPE_F32};
}

int network_build(const struct network *network, struct builder *builder, int x) {
    return network->architecture->build(network->architecture, builder, x, network->classes);
}

void network_inference(struct inference *out, const struct network *network,
                       enum precision precision, int batch, const struct model_info *pixels) {
    *out = (struct inference){0};
    struct builder builder = network_builder(network, &out->program, BUILD_INFER, precision);
    struct shape shape = {batch, network->height, network->width, network->channels};
    int x = out->x = build_input(&builder, "x", shape, pixels ? DTYPE_U8 : DTYPE_F32);
    if (pixels)
        x = build_normalize(&builder, x, batch, pixels->mean, pixels->deviation);
    out->logits = network_build(network, &builder, x);
    out->program.value[out->logits].kind = VALUE_OUTPUT;
    program_seal(&out->program);
}

/* Element i of a parameter: pairs of uniforms become normals by Box and Muller. */
static double draw(const struct param *param, uint64_t seed, uint32_t index, int64_t i) {
    struct rng_block block = rng_philox(seed, index, (uint32_t)(i / 2), RNG_INIT, 0);
    uint32_t *word = &block.word[2 * (i % 2)];
    double u = (word[0] + 0.5) / 4294967296.0, v = (word[1] + 0.5) / 4294967296.0;
    switch (param->init) {
    case INIT_ZERO:
        return 0;
    case INIT_ONE:
        return 1;
    case INIT_NORMAL_FAN_OUT:
        return sqrt(2.0 / param->fan) * sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
    case INIT_NORMAL_SMALL:
        return 0.01 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
    case INIT_UNIFORM_FAN_IN:
        return (2 * u - 1) / sqrt(param->fan);
    case INIT_NORMAL_TOKEN:
        return 0.02 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
    case INIT_NORMAL_TINY:
        return 1e-6 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
    case INIT_TINY:
        return 1e-6;
    }
    return 0;
}

void network_values_init(struct network_values *values, const struct network *network) {
    const struct param_table *table = &network->table;
    *values = (struct network_values){xcalloc(table->weight_floats + 1, sizeof(float)),
                                      xcalloc(table->state_floats + 1, sizeof(float)), 0};
}

void network_values_release(struct network_values *values) {
    free(values->weight);
    free(values->state);
    *values = (struct network_values){0};
}

/* Where a parameter's elements are. */
static float *values_of(const struct network_values *values, const struct param *param) {
    return (param->state ? values->state : values->weight) + param->offset;
}

void network_randomise(const struct network *network, uint64_t seed,
                       struct network_values *values) {
    network_values_init(values, network);
    for (int p = 0; p < network->table.count; p++) {
        const struct param *param = &network->table.param[p];
        float *to = values_of(values, param);
        int64_t n = shape_elements(param->shape);
        for (int64_t i = 0; i < n; i++)
            to[i] = (float)draw(param, seed, (uint32_t)p, i);
    }
}

/* Values that are not finite are added to the misfits; the shape fits. */
static enum status load_param(const struct param *param, const struct tensor *tensor, float *to,
                              struct misfits *misfits, struct error *err) {
    float *values = xmalloc((size_t)shape_elements(param->shape) * sizeof *values);
    enum status status = tensor_to_f32(tensor, values, err);
    if (!status) {
        misfits_add_values(misfits, param, tensor, values);
        state_dict_from_file(param, values, to);
    }
    free(values);
    return status;
}

enum status network_load(const struct network *network, const struct safetensors *file,
                         struct network_values *values, struct misfits *misfits,
                         struct error *err) {
    struct misfits own;
    if (!misfits)
        misfits = &own;
    *misfits = (struct misfits){0};
    network_values_init(values, network);
    values->batches_tracked = state_dict_batches(file);
    misfits_find(misfits, &network->table, file);
    enum status status = misfits_status(misfits, network->architecture->name, err);
    for (int i = 0; i < network->table.count && !status; i++) {
        const struct param *param = &network->table.param[i];
        status = load_param(param, safetensors_find(file, param->name), values_of(values, param),
                            misfits, err);
    }
    return status ? status : misfits_status(misfits, network->architecture->name, err);
}

enum status network_save(const struct network *network, const struct model_info *info,
                         const struct network_values *values, const char *path, struct error *err) {
    struct state_dict dict;
    struct model_notes notes;
    state_dict_init(&dict, network, values);
    model_notes_init(&notes, info);
    enum status status =
        safetensors_write(path, dict.tensor, dict.count, notes.note, MODEL_NOTE_COUNT, err);
    model_notes_release(&notes);
    state_dict_release(&dict);
    return status;
}

static enum status load_file(struct loaded_model *model, const struct safetensors *file,
                             struct error *err) {
    enum status status = model_info_read(&model->info, file, err);
    if (status)
        return status;
    const struct model_info *info = &model->info;
    struct network_size size = {info->height, info->width, info->channels, info->classes};
    status = network_init(&model->network, info->architecture, size, true, err);
    return status ? status : network_load(&model->network, file, &model->values, NULL, err);
}

enum status model_load(struct loaded_model *model, const char *path, struct error *err) {
    memset(model, 0, sizeof *model);
    char weights[FILE_PATH_BYTES];
    enum status status = model_weights_path(weights, path, err);
    if (status)
        return status;
    struct safetensors file;
    status = safetensors_open(&file, weights, err);
    if (status)
        return status;
    status = load_file(model, &file, err);
    safetensors_close(&file);
    if (status) {
        loaded_model_release(model);
        error_wrap(err, status, "model %s", path);
    }
    return status;
}

void loaded_model_release(struct loaded_model *model) {
    network_release(&model->network);
    model_info_release(&model->info);
    network_values_release(&model->values);
    memset(model, 0, sizeof *model);
}
