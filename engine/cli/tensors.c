#include "engine/cli/tensors.h"

#include "engine/model/bare.h"

#include <limits.h>
#include <math.h>

enum status tensors_find(const struct safetensors *file, const char *name, int rank,
                         const struct tensor **out, struct error *err) {
    const struct tensor *tensor = safetensors_find(file, name);
    if (!tensor)
        return error_set(err, STATUS_INVALID, "in= has no tensor \"%s\"", name);
    if (tensor->rank != rank)
        return error_set(err, STATUS_INVALID, "%s has %d dimensions, expected %d", name,
                         tensor->rank, rank);
    for (int i = 0; i < rank; i++)
        if (tensor->dim[i] < 1 || tensor->dim[i] > INT_MAX)
            return error_set(err, STATUS_INVALID, "%s: dimension %d is %lld", name, i,
                             (long long)tensor->dim[i]);
    if (tensor_elements(tensor) > INT_MAX)
        return error_set(err, STATUS_TOO_LARGE, "%s has more than %d elements", name, INT_MAX);
    *out = tensor;
    return STATUS_OK;
}

enum status tensors_floats(const struct tensor *tensor, float **out, struct error *err) {
    int64_t count = tensor_elements(tensor), row = count / tensor->dim[0];
    void *data = NULL;
    enum status status = mem_alloc_large(&data, (size_t)count * sizeof(float), tensor->name, err);
    if (status)
        return status;
    status = tensor_to_f32(tensor, data, err);
    if (status) {
        mem_free_large(data);
        return status;
    }
    const float *value = data;
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(value[i])) {
            status = error_set(err, STATUS_INVALID, "%s: row %lld holds %g", tensor->name,
                               (long long)(i / row), (double)value[i]);
            mem_free_large(data);
            return status;
        }
    *out = data;
    return STATUS_OK;
}

static int64_t label_at(const struct tensor *tensor, int64_t i) {
    const uint8_t *bytes = tensor->data;
    return tensor_integer(tensor->type, bytes + (size_t)i * tensor_type_bytes(tensor->type));
}

enum status tensors_labels(const struct tensor *tensor, int classes, int32_t **out,
                           struct error *err) {
    if (tensor->type != TENSOR_I64 && tensor->type != TENSOR_I32)
        return error_set(err, STATUS_INVALID, "%s is %s, expected I64", tensor->name,
                         tensor_type_name(tensor->type));
    int64_t count = tensor_elements(tensor);
    for (int64_t i = 0; i < count; i++) {
        int64_t label = label_at(tensor, i);
        if (label < 0 || label >= classes)
            return error_set(err, STATUS_INVALID, "%s: row %lld is %lld, not in 0..%d",
                             tensor->name, (long long)i, (long long)label, classes - 1);
    }
    void *data = NULL;
    enum status status = mem_alloc_large(&data, (size_t)count * sizeof(int32_t), "labels", err);
    if (status)
        return status;
    *out = data;
    for (int64_t i = 0; i < count; i++)
        (*out)[i] = (int32_t)label_at(tensor, i);
    return STATUS_OK;
}

static enum status load_bare(struct loaded_model *model, const char *path, const char *architecture,
                             const struct tensor *x, struct error *err) {
    struct model_info info = {.height = (int)x->dim[1],
                              .width = (int)x->dim[2],
                              .channels = (int)x->dim[3],
                              .deviation = {1, 1, 1, 1}};
    str_copy(info.architecture, sizeof info.architecture, architecture);
    enum status status = model_load_bare(model, path, &info, NULL, err);
    return error_wrap(err, status, "%s", path);
}

enum status tensors_model(struct loaded_model *model, const char *path, const char *architecture,
                          const struct tensor *x, struct error *err) {
    enum status status = architecture[0] ? load_bare(model, path, architecture, x, err)
                                         : model_load(model, path, err);
    if (status)
        return status;
    const struct model_info *info = &model->info;
    if (x->dim[1] == info->height && x->dim[2] == info->width && x->dim[3] == info->channels)
        return STATUS_OK;
    status = error_set(err, STATUS_INVALID, "x is [n,%d,%d,%d], the model takes [n,%d,%d,%d]",
                       (int)x->dim[1], (int)x->dim[2], (int)x->dim[3], info->height, info->width,
                       info->channels);
    loaded_model_release(model);
    return status;
}

struct tensor tensors_of_f32(const char *name, const float *data, int64_t rows, int64_t columns) {
    struct tensor tensor = {.name = name,
                            .type = TENSOR_F32,
                            .rank = columns ? 2 : 1,
                            .dim = {rows, columns},
                            .data = data,
                            .bytes = (size_t)rows * (size_t)(columns ? columns : 1) * sizeof *data};
    return tensor;
}
