/* train.safetensors and test.safetensors: images [n,h,w,c] u8, or pictures that are encoded, and
 * labels [n] i64 or i32. */
#include "engine/base/safetensors.h"
#include "engine/base/str.h"
#include "engine/data/formats.h"
#include "engine/data/images.h"

static enum status find(const struct safetensors *file, const char *name, int rank,
                        const struct tensor **out, struct error *err) {
    const struct tensor *tensor = safetensors_find(file, name);
    if (!tensor)
        return error_set(err, STATUS_CORRUPT, "there is no tensor \"%s\"", name);
    if (tensor->rank != rank)
        return error_set(err, STATUS_CORRUPT, "\"%s\" has %d dimensions, expected %d", name,
                         tensor->rank, rank);
    *out = tensor;
    return STATUS_OK;
}

static enum status check_images(const struct tensor *images, struct error *err) {
    static const char *const names[] = {"count", "height", "width", "channels"};
    static const int64_t limits[] = {INT32_MAX, DATASET_MAX_SIDE, DATASET_MAX_SIDE,
                                     DATASET_MAX_CHANNELS};
    if (images->type != TENSOR_U8)
        return error_set(err, STATUS_CORRUPT, "\"images\" is %s, expected U8",
                         tensor_type_name(images->type));
    for (int i = 0; i < 4; i++)
        if (images->dim[i] < 1 || images->dim[i] > limits[i])
            return error_set(err, STATUS_CORRUPT, "%s %lld of \"images\" is not in 1..%lld",
                             names[i], (long long)images->dim[i], (long long)limits[i]);
    return STATUS_OK;
}

static enum status check_labels(const struct tensor *labels, int64_t count, struct error *err) {
    if (labels->type != TENSOR_I64 && labels->type != TENSOR_I32)
        return error_set(err, STATUS_CORRUPT, "\"labels\" is %s, expected I64 or I32",
                         tensor_type_name(labels->type));
    if (labels->dim[0] != count)
        return error_set(err, STATUS_CORRUPT, "%lld labels, but there are %lld pictures",
                         (long long)labels->dim[0], (long long)count);
    return STATUS_OK;
}

enum status tensors_read_label(const struct tensor *labels, const uint8_t *bytes, int64_t index,
                               int32_t *label, struct error *err) {
    int64_t wide = tensor_integer(labels->type, bytes);
    if (wide < 0 || wide >= DATASET_MAX_CLASSES)
        return error_set(err, STATUS_CORRUPT, "label %lld of picture %lld is not in 0..%d",
                         (long long)wide, (long long)index, DATASET_MAX_CLASSES - 1);
    *label = (int32_t)wide;
    return STATUS_OK;
}

static enum status copy_labels(const struct tensor *labels, int32_t *out, struct error *err) {
    const uint8_t *bytes = labels->data;
    size_t size = tensor_type_bytes(labels->type);
    enum status status = STATUS_OK;
    for (int64_t i = 0; !status && i < labels->dim[0]; i++)
        status = tensors_read_label(labels, bytes + (size_t)i * size, i, &out[i], err);
    return status;
}

static enum status find_images(const struct safetensors *file, const struct tensor **images,
                               struct error *err) {
    enum status status = find(file, "images", 4, images, err);
    return status ? status : check_images(*images, err);
}

static enum status find_labels(const struct safetensors *file, int64_t count,
                               const struct tensor **labels, struct error *err) {
    enum status status = find(file, "labels", 1, labels, err);
    return status ? status : check_labels(*labels, count, err);
}

enum status tensors_check(const struct safetensors *file, const struct tensor **labels,
                          struct error *err) {
    const struct tensor *images = safetensors_find(file, "ends");
    enum status status = safetensors_find(file, "pictures") ? images_check(file, err)
                                                            : find_images(file, &images, err);
    return status ? status : find_labels(file, images->dim[0], labels, err);
}

static enum status take_images(struct dataset *dataset, enum part part,
                               const struct safetensors *file, struct error *err) {
    const struct tensor *images;
    enum status status = find_images(file, &images, err);
    if (!status)
        status = dataset_set_shape(dataset, part, &images->dim[1], err);
    if (status)
        return status;
    dataset_split(dataset, part)->images = images->data;
    dataset_split(dataset, part)->count = images->dim[0];
    return STATUS_OK;
}

/* The pictures of a part have been taken. */
static enum status take_labels(struct dataset *dataset, enum part part,
                               const struct safetensors *file, struct error *err) {
    const struct tensor *labels;
    int32_t *out;
    enum status status = find_labels(file, dataset_split(dataset, part)->count, &labels, err);
    if (!status)
        status = dataset_alloc_labels(dataset, part, labels->dim[0], &out, err);
    return status ? status : copy_labels(labels, out, err);
}

static enum status take_tensors(struct dataset *dataset, enum part part,
                                const struct safetensors *file, struct error *err) {
    bool encoded = safetensors_find(file, "pictures");
    enum status status =
        encoded ? images_take(dataset, part, file, err) : take_images(dataset, part, file, err);
    return status ? status : take_labels(dataset, part, file, err);
}

static enum status part_open(struct dataset *dataset, enum part part, const char *folder,
                             struct error *err) {
    static const char *const names[PART_COUNT] = {"train.safetensors", "test.safetensors"};
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, folder, names[part], err);
    if (status)
        return status;
    struct safetensors *file = xcalloc(1, sizeof *file);
    dataset->storage[STORAGE_TENSORS + part] = file;
    status = safetensors_open(file, path, err);
    if (status)
        return status;
    status = take_tensors(dataset, part, file, err);
    struct encoded *list = dataset->storage[STORAGE_ENCODED + part];
    if (list)
        str_copy(list->place, sizeof list->place, path);
    return error_wrap(err, status, "%s", path);
}

enum status tensors_open(struct dataset *dataset, const char *folder, struct error *err) {
    enum status status = part_open(dataset, PART_TRAIN, folder, err);
    return status ? status : part_open(dataset, PART_TEST, folder, err);
}
