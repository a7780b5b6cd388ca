/* Encoded pictures in one safetensors file: `labels` [n] I32, `ends` [n] I64 (where each picture
 * ends in `pictures`), `digests` [n,32] U8, `pictures` U8. */
#include "engine/base/safetensors.h"
#include "engine/base/str.h"
#include "engine/data/images.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static enum status find(const struct safetensors *file, struct tensor expected,
                        const struct tensor **out, struct error *err) {
    const struct tensor *tensor = safetensors_find(file, expected.name);
    if (!tensor || tensor->type != expected.type || tensor->rank != expected.rank)
        return error_set(err, STATUS_CORRUPT, "there is no \"%s\" of type %s and %d dimensions",
                         expected.name, tensor_type_name(expected.type), expected.rank);
    for (int i = 0; i < expected.rank; i++)
        if (expected.dim[i] >= 0 && tensor->dim[i] != expected.dim[i])
            return error_set(err, STATUS_CORRUPT, "dimension %d of \"%s\" is %lld, expected %lld",
                             i, expected.name, (long long)tensor->dim[i],
                             (long long)expected.dim[i]);
    *out = tensor;
    return STATUS_OK;
}

/* The bytes in the file may be unaligned. */
static int64_t end_at(const struct tensor *ends, int64_t i) {
    int64_t end;
    memcpy(&end, (const uint8_t *)ends->data + i * (int64_t)sizeof end, sizeof end);
    return end;
}

static enum status take_items(struct encoded *list, const struct tensor *ends,
                              const struct tensor *pictures, struct error *err) {
    int64_t begin = 0;
    list->item = xcalloc((size_t)ends->dim[0], sizeof *list->item);
    for (int64_t i = 0; i < ends->dim[0]; i++) {
        int64_t end = end_at(ends, i);
        if (end < begin || end > pictures->dim[0])
            return error_set(err, STATUS_CORRUPT,
                             "picture %lld ends at byte %lld, not in %lld..%lld", (long long)i,
                             (long long)end, (long long)begin, (long long)pictures->dim[0]);
        const uint8_t *bytes = (const uint8_t *)pictures->data + begin;
        list->item[list->count++] = (struct encoded_item){NULL, bytes, (size_t)(end - begin)};
        begin = end;
    }
    return STATUS_OK;
}

struct packed {
    const struct tensor *pictures, *ends, *digests;
};

static enum status find_packed(struct packed *packed, const struct safetensors *file,
                               struct error *err) {
    enum status status = find(file, (struct tensor){"pictures", TENSOR_U8, 1, {-1}, NULL, 0},
                              &packed->pictures, err);
    if (!status)
        status =
            find(file, (struct tensor){"ends", TENSOR_I64, 1, {-1}, NULL, 0}, &packed->ends, err);
    if (status)
        return status;
    int64_t count = packed->ends->dim[0];
    if (count < 1 || count > ENCODED_MAX_ITEMS)
        return error_set(err, STATUS_CORRUPT, "%lld pictures are not in 1..%d", (long long)count,
                         ENCODED_MAX_ITEMS);
    return find(file, (struct tensor){"digests", TENSOR_U8, 2, {count, SHA256_BYTES}, NULL, 0},
                &packed->digests, err);
}

enum status images_check(const struct safetensors *file, struct error *err) {
    struct packed packed;
    return find_packed(&packed, file, err);
}

enum status images_take(struct dataset *dataset, enum part part, const struct safetensors *file,
                        struct error *err) {
    static const int64_t shape[3] = {0, 0, ENCODED_CHANNELS};
    struct packed packed;
    enum status status = find_packed(&packed, file, err);
    if (!status)
        status = dataset_set_shape(dataset, part, shape, err);
    if (status)
        return status;
    struct encoded *list = images_add_list(dataset, part, part_name(part));
    list->digest = packed.digests->data;
    dataset_split(dataset, part)->count = packed.ends->dim[0];
    str_copy(dataset->format, sizeof dataset->format, DATASET_IMAGES);
    return take_items(list, packed.ends, packed.pictures, err);
}

/* ---- writing ---- */

static int64_t *make_ends(const struct split *split, int64_t *total) {
    int64_t *ends = xcalloc((size_t)split->count, sizeof *ends);
    *total = 0;
    for (int64_t i = 0; i < split->count; i++)
        ends[i] = *total += (int64_t)split->encoded->item[i].len;
    return ends;
}

/* A file that has another length by now has another digest too, which encoded_read refuses. */
static enum status add_pictures(struct file_writer *writer, const struct split *split,
                                struct error *err) {
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < split->count && !status; i++) {
        struct encoded_load load;
        status = encoded_read(split->encoded, i, &load, err);
        if (status) {
            file_writer_abandon(writer);
            return status;
        }
        status = file_writer_add(writer, load.bytes, load.len, err);
        encoded_unload(&load);
    }
    return status;
}

enum status images_write(const struct split *split, const char *path, struct error *err) {
    int64_t count = split->count, total, *ends = make_ends(split, &total);
    size_t n = (size_t)count;
    const struct tensor tensors[] = {
        {"labels", TENSOR_I32, 1, {count}, split->labels, n * sizeof(int32_t)},
        {"ends", TENSOR_I64, 1, {count}, ends, n * sizeof *ends},
        {"digests", TENSOR_U8, 2, {count, SHA256_BYTES}, split->encoded->digest, n * SHA256_BYTES},
        {"pictures", TENSOR_U8, 1, {total}, NULL, (size_t)total},
    };
    struct file_writer writer;
    enum status status = safetensors_begin(&writer, path, tensors, 4, err);
    for (int i = 0; i < 3 && !status; i++)
        status = file_writer_add(&writer, tensors[i].data, tensors[i].bytes, err);
    if (!status)
        status = add_pictures(&writer, split, err);
    if (!status)
        status = file_writer_commit(&writer, err);
    free(ends);
    return status;
}
