/* IDX files, the format of MNIST: a magic number that names type and rank, the dimensions as
 * big-endian 32-bit numbers, and the bytes; plain or gzipped. */
#include "engine/base/str.h"
#include "engine/data/formats.h"
#include "engine/data/gzip.h"

#include <stdio.h>
#include <string.h>

enum { TYPE_U8 = 8 };

struct idx {
    char path[FILE_PATH_BYTES];
    int rank;
    struct idx_header header;
    void *memory;        /* of a gzipped file, header included */
    struct file_map map; /* of a plain one */
    const uint8_t *data;
};

static void idx_release(struct idx *idx) {
    mem_free_large(idx->memory);
    file_unmap(&idx->map);
    *idx = (struct idx){0};
}

/* Finds the file under one of the names in use. */
static enum status idx_find(struct idx *idx, const char *folder, enum part part, int rank,
                            struct error *err) {
    static const char *const separators[] = {"-", "."}, *const ends[] = {"", ".gz"};
    static const char *const prefix[PART_COUNT] = {"train", "t10k"};
    const char *what = rank == IDX_IMAGES_RANK ? "images" : "labels";
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%s%sidx%d-ubyte%s", prefix[part], what, separators[i / 2],
                 rank, ends[i % 2]);
        enum status status = file_join(idx->path, folder, name, err);
        if (status)
            return status;
        if (file_exists(idx->path))
            return STATUS_OK;
    }
    return error_set(err, STATUS_NOT_FOUND, "%s: there is no %s-%s-idx%d-ubyte, nor with .gz",
                     folder, prefix[part], what, rank);
}

static int64_t big_endian_32(const uint8_t *bytes) {
    return (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

enum status idx_read_header(struct idx_header *idx, const uint8_t *header, size_t len, int rank,
                            struct error *err) {
    static const char *const names[IDX_IMAGES_RANK] = {"count", "height", "width"};
    static const int64_t limits[IDX_IMAGES_RANK] = {INT32_MAX, DATASET_MAX_SIDE, DATASET_MAX_SIDE};
    uint8_t magic[4] = {0, 0, TYPE_U8, (uint8_t)rank};
    CHECK(rank <= IDX_IMAGES_RANK);
    *idx = (struct idx_header){.bytes = IDX_HEADER_BYTES(rank)};
    if (len < idx->bytes)
        return error_set(err, STATUS_CORRUPT, "the header is truncated");
    if (memcmp(header, magic, sizeof magic) != 0)
        return error_set(err, STATUS_CORRUPT, "wrong magic number, expected 0x%08x",
                         TYPE_U8 << 8 | rank);
    idx->data_bytes = 1; /* cannot overflow: 2^31 * 2^14 * 2^14 */
    for (int i = 0; i < rank; i++) {
        idx->dim[i] = big_endian_32(header + 4 + 4 * i);
        if (idx->dim[i] < 1 || idx->dim[i] > limits[i])
            return error_set(err, STATUS_CORRUPT, "%s %lld is not in 1..%lld", names[i],
                             (long long)idx->dim[i], (long long)limits[i]);
        idx->data_bytes *= (size_t)idx->dim[i];
    }
    return STATUS_OK;
}

static enum status parse_header(struct idx *idx, const uint8_t *bytes, size_t len,
                                struct error *err) {
    enum status status = idx_read_header(&idx->header, bytes, len, idx->rank, err);
    return error_wrap(err, status, "%s", idx->path);
}

static enum status size_error(const struct idx *idx, const char *has, struct error *err) {
    return error_set(err, STATUS_CORRUPT, "%s: the header promises %zu bytes, the file has %s",
                     idx->path, idx->header.data_bytes, has);
}

static enum status read_plain(struct idx *idx, struct error *err) {
    enum status status = file_map(&idx->map, idx->path, err);
    if (!status)
        status = parse_header(idx, idx->map.data, idx->map.len, err);
    if (status)
        return status;
    if (idx->map.len - idx->header.bytes != idx->header.data_bytes)
        return size_error(idx, idx->map.len < idx->header.data_bytes ? "fewer" : "another number",
                          err);
    idx->data = idx->map.data + idx->header.bytes;
    return STATUS_OK;
}

/* The header alone is expanded first, so that memory is only taken for what it promises, and
 * only if the compressed file can hold that much. */
static enum status read_gzipped(struct idx *idx, struct error *err) {
    uint8_t header[IDX_HEADER_BYTES(IDX_IMAGES_RANK)];
    size_t got, file_bytes = (size_t)file_size(idx->path);
    bool more;
    enum status status =
        gzip_read(idx->path, header, IDX_HEADER_BYTES(idx->rank), &got, &more, err);
    if (!status)
        status = parse_header(idx, header, got, err);
    if (!status && idx->header.data_bytes / GZIP_MAX_RATIO > file_bytes)
        status = size_error(idx, "fewer", err);
    size_t bytes = idx->header.bytes + idx->header.data_bytes;
    if (!status)
        status = mem_alloc_large(&idx->memory, bytes, idx->path, err);
    if (!status)
        status = gzip_read(idx->path, idx->memory, bytes, &got, &more, err);
    if (status)
        return status;
    if (got < bytes || more)
        return size_error(idx, more ? "more" : "fewer", err);
    idx->data = (const uint8_t *)idx->memory + idx->header.bytes;
    return STATUS_OK;
}

static enum status idx_read(struct idx *idx, const char *folder, enum part part, int rank,
                            struct error *err) {
    enum status status = idx_find(idx, folder, part, rank, err);
    if (status)
        return status;
    idx->rank = rank;
    return str_has_suffix(idx->path, ".gz") ? read_gzipped(idx, err) : read_plain(idx, err);
}

/* Pictures stay where they are: the data set takes over the map or the memory. */
static void give_images(struct dataset *dataset, enum part part, struct idx *idx) {
    dataset_split(dataset, part)->images = idx->data;
    dataset->storage[STORAGE_IMAGES + part] = idx->memory;
    idx->memory = NULL;
    if (idx->map.data) {
        struct file_map *map = xmalloc(sizeof *map);
        *map = idx->map;
        dataset->storage[STORAGE_MAP + part] = map;
        idx->map = (struct file_map){0};
    }
}

static enum status part_open(struct dataset *dataset, enum part part, const char *folder,
                             struct error *err) {
    struct idx images = {0}, labels = {0};
    int32_t *out;
    enum status status = idx_read(&images, folder, part, IDX_IMAGES_RANK, err);
    if (!status)
        status = idx_read(&labels, folder, part, IDX_LABELS_RANK, err);
    if (!status && images.header.dim[0] != labels.header.dim[0])
        status = error_set(err, STATUS_CORRUPT, "%s: %lld labels, but there are %lld pictures",
                           labels.path, (long long)labels.header.dim[0],
                           (long long)images.header.dim[0]);
    int64_t shape[3] = {images.header.dim[1], images.header.dim[2], 1};
    if (!status)
        status = dataset_set_shape(dataset, part, shape, err);
    if (!status)
        status = dataset_alloc_labels(dataset, part, labels.header.dim[0], &out, err);
    for (int64_t i = 0; !status && i < labels.header.dim[0]; i++)
        out[i] = labels.data[i];
    if (!status)
        give_images(dataset, part, &images);
    idx_release(&images);
    idx_release(&labels);
    return status;
}

enum status idx_open(struct dataset *dataset, const char *folder, struct error *err) {
    enum status status = part_open(dataset, PART_TRAIN, folder, err);
    return status ? status : part_open(dataset, PART_TEST, folder, err);
}
