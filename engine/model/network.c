#include "engine/model/network.h"

#include "engine/base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status check_input(const struct network *network, struct error *err) {
    if (network->height < 8 || network->width < 8 || network->height > 1024 ||
        network->width > 1024)
        return error_set(err, STATUS_INVALID, "pictures of %d x %d: a network takes 8 to 1024",
                         network->height, network->width);
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
    struct program scratch;
    program_init(&scratch);
    struct builder builder = {&scratch, &network->table, BUILD_COLLECT, 0, DTYPE_F32};
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
    if (!network->architecture) {
        struct str names = STR_INIT;
        zoo_add_names(&names);
        enum status status =
            error_set(err, STATUS_NOT_FOUND, "there is no architecture \"%s\"; known are %s",
                      architecture, str_text(&names));
        str_release(&names);
        return status;
    }
    enum status status = check_input(network, err);
    if (status == STATUS_OK)
        collect_params(network, decay_all);
    return status;
}

void network_release(struct network *network) {
    param_table_release(&network->table);
    memset(network, 0, sizeof *network);
}

int network_build(const struct network *network, struct builder *builder, int x) {
    return network->architecture->build(network->architecture, builder, x, network->classes);
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
    }
    return 0;
}

void network_randomise(const struct network *network, uint64_t seed, float *weight, float *state) {
    for (int p = 0; p < network->table.count; p++) {
        const struct param *param = &network->table.param[p];
        float *to = (param->state ? state : weight) + param->offset;
        int64_t n = shape_elements(param->shape);
        for (int64_t i = 0; i < n; i++)
            to[i] = (float)draw(param, seed, (uint32_t)p, i);
    }
}

/* The shape in files: OIHW, [out, in], or [n]. */
static void file_shape(const struct param *param, int64_t dim[4]) {
    struct shape s = param->shape;
    const int64_t conv[] = {s.n, s.c, s.h, s.w}, linear[] = {s.n, s.c}, vector[] = {s.c};
    const int64_t *const of_rank[] = {NULL, vector, linear, NULL, conv};
    memcpy(dim, of_rank[param->rank], (size_t)param->rank * sizeof *dim);
}

/* OIHW <-> KRSC; both are plain copies for other ranks, whose planes are 1x1. */
static void permute(const struct param *param, const float *from, float *to, bool to_file) {
    struct shape s = param->shape;
    for (int k = 0; k < s.n; k++)
        for (int r = 0; r < s.h; r++)
            for (int q = 0; q < s.w; q++)
                for (int c = 0; c < s.c; c++) {
                    int64_t krsc = (((int64_t)k * s.h + r) * s.w + q) * s.c + c;
                    int64_t oihw = (((int64_t)k * s.c + c) * s.h + r) * s.w + q;
                    if (to_file)
                        to[oihw] = from[krsc];
                    else
                        to[krsc] = from[oihw];
                }
}

static void add_dims(struct str *out, const int64_t *dim, int rank) {
    str_add(out, "[");
    for (int i = 0; i < rank; i++)
        str_addf(out, "%s%lld", i ? "," : "", (long long)dim[i]);
    str_add(out, "]");
}

static enum status check_shape(const struct param *param, const struct tensor *tensor,
                               struct error *err) {
    int64_t dim[4];
    file_shape(param, dim);
    if (tensor->rank == param->rank &&
        memcmp(dim, tensor->dim, (size_t)param->rank * sizeof *dim) == 0)
        return STATUS_OK;
    struct str text = STR_INIT;
    str_addf(&text, "tensor %s has shape ", param->name);
    add_dims(&text, tensor->dim, tensor->rank);
    str_add(&text, ", the network needs ");
    add_dims(&text, dim, param->rank);
    enum status status = error_set(err, STATUS_INVALID, "%s", str_text(&text));
    str_release(&text);
    return status;
}

static enum status check_finite(const struct param *param, const float *values, struct error *err) {
    int64_t n = shape_elements(param->shape);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return error_set(err, STATUS_INVALID, "tensor %s is not finite at element %lld",
                             param->name, (long long)i);
    return STATUS_OK;
}

static enum status load_param(const struct param *param, const struct safetensors *file, float *to,
                              struct error *err) {
    const struct tensor *tensor = safetensors_find(file, param->name);
    if (!tensor)
        return error_set(err, STATUS_INVALID, "tensor %s is missing", param->name);
    enum status status = check_shape(param, tensor, err);
    if (status != STATUS_OK)
        return status;
    float *values = xmalloc((size_t)shape_elements(param->shape) * sizeof *values);
    status = tensor_to_f32(tensor, values, err);
    if (status == STATUS_OK)
        status = check_finite(param, values, err);
    if (status == STATUS_OK)
        permute(param, values, to, false);
    free(values);
    return status;
}

/* Every tensor of the file must be a parameter, or a batch norm's counter. */
static enum status check_unexpected(const struct network *network, const struct safetensors *file,
                                    struct error *err) {
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->tensors[i].name;
        if (!param_table_find(&network->table, name) &&
            !str_has_suffix(name, ".num_batches_tracked"))
            return error_set(err, STATUS_INVALID, "tensor %s does not belong to %s", name,
                             network->architecture->name);
    }
    return STATUS_OK;
}

enum status network_load(const struct network *network, const struct safetensors *file,
                         float *weight, float *state, struct error *err) {
    for (int i = 0; i < network->table.count; i++) {
        const struct param *param = &network->table.param[i];
        float *to = (param->state ? state : weight) + param->offset;
        enum status status = load_param(param, file, to, err);
        if (status != STATUS_OK)
            return status;
    }
    return check_unexpected(network, file, err);
}

/* The tensors of a state dict in its order: a batch norm's counter follows its running_var. */
struct state_dict {
    struct tensor *tensor;
    size_t count;
    float *data;
    char (*counter_name)[MODEL_NAME_BYTES];
};

static void add_counter(struct state_dict *dict, const char *running_var, const int64_t *counter) {
    size_t stem = strlen(running_var) - strlen("running_var");
    char *name = dict->counter_name[dict->count];
    snprintf(name, MODEL_NAME_BYTES, "%.*snum_batches_tracked", (int)stem, running_var);
    dict->tensor[dict->count++] =
        (struct tensor){.name = name, .type = TENSOR_I64, .data = counter, .bytes = 8};
}

static void fill_state_dict(struct state_dict *dict, const struct network *network,
                            const struct network_values *values) {
    float *to = dict->data;
    for (int i = 0; i < network->table.count; i++) {
        const struct param *param = &network->table.param[i];
        struct tensor *tensor = &dict->tensor[dict->count++];
        size_t n = (size_t)shape_elements(param->shape);
        *tensor = (struct tensor){.name = param->name,
                                  .type = TENSOR_F32,
                                  .rank = param->rank,
                                  .data = to,
                                  .bytes = n * sizeof *to};
        file_shape(param, tensor->dim);
        permute(param, (param->state ? values->state : values->weight) + param->offset, to, true);
        to += n;
        if (str_has_suffix(param->name, ".running_var"))
            add_counter(dict, param->name, &values->batches_tracked);
    }
}

enum status network_save(const struct network *network, const struct model_info *info,
                         const struct network_values *values, const char *path, struct error *err) {
    const struct param_table *table = &network->table;
    size_t most = 2 * (size_t)table->count;
    struct state_dict dict = {xcalloc(most, sizeof *dict.tensor), 0,
                              xcalloc(table->weight_floats + table->state_floats, sizeof(float)),
                              xcalloc(most, sizeof *dict.counter_name)};
    fill_state_dict(&dict, network, values);
    struct model_notes notes;
    model_notes_init(&notes, info);
    enum status status =
        safetensors_write(path, dict.tensor, dict.count, notes.note, MODEL_NOTE_COUNT, err);
    model_notes_release(&notes);
    free(dict.tensor);
    free(dict.data);
    free(dict.counter_name);
    return status;
}

static enum status load_file(struct loaded_model *model, const struct safetensors *file,
                             struct error *err) {
    enum status status = model_info_read(&model->info, file, err);
    if (status != STATUS_OK)
        return status;
    const struct model_info *info = &model->info;
    struct network_size size = {info->height, info->width, info->channels, info->classes};
    status = network_init(&model->network, info->architecture, size, true, err);
    if (status != STATUS_OK)
        return status;
    const struct param_table *table = &model->network.table;
    model->weight = xcalloc(table->weight_floats, sizeof(float));
    model->state = xcalloc(table->state_floats + 1, sizeof(float));
    return network_load(&model->network, file, model->weight, model->state, err);
}

enum status model_load(struct loaded_model *model, const char *path, struct error *err) {
    memset(model, 0, sizeof *model);
    char weights[FILE_PATH_BYTES];
    enum status status = model_weights_path(weights, path, err);
    if (status != STATUS_OK)
        return status;
    struct safetensors file;
    status = safetensors_open(&file, weights, err);
    if (status != STATUS_OK)
        return status;
    status = load_file(model, &file, err);
    safetensors_close(&file);
    if (status != STATUS_OK) {
        loaded_model_release(model);
        error_wrap(err, status, "model %s", path);
    }
    return status;
}

void loaded_model_release(struct loaded_model *model) {
    network_release(&model->network);
    model_info_release(&model->info);
    free(model->weight);
    free(model->state);
    memset(model, 0, sizeof *model);
}
