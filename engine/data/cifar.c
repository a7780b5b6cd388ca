/* CIFAR-10 and CIFAR-100 in their binary form: rows of one or two label bytes and 3 x 32 x 32
 * pixels, plane by plane. */
#include "engine/data/formats.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, PICTURE = CIFAR_PICTURE_BYTES, MAX_FILES = 5 };

const struct cifar_layout cifar10_layout = {.label_bytes = 1, .classes = 10};
const struct cifar_layout cifar100_layout = {.label_bytes = 2, .classes = 100}; /* coarse, fine */

struct files {
    const struct cifar_layout *layout;
    const char *file[PART_COUNT][MAX_FILES]; /* NULL behind the last */
};

static const struct files cifar10 = {
    .layout = &cifar10_layout,
    .file = {[PART_TRAIN] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                             "data_batch_4.bin", "data_batch_5.bin"},
             [PART_TEST] = {"test_batch.bin"}},
};

static const struct files cifar100 = {
    .layout = &cifar100_layout,
    .file = {[PART_TRAIN] = {"train.bin"}, [PART_TEST] = {"test.bin"}},
};

struct rows {
    struct file_map map;
    char path[FILE_PATH_BYTES];
    int64_t count;
};

static enum status rows_open(struct rows *rows, const char *folder, const char *file,
                             size_t row_bytes, struct error *err) {
    enum status status = file_join(rows->path, folder, file, err);
    if (!status)
        status = file_map(&rows->map, rows->path, err);
    if (status)
        return status;
    if (rows->map.len % row_bytes != 0 || rows->map.len == 0)
        return error_set(err, STATUS_CORRUPT,
                         "%s: %zu bytes is not a whole number of rows of %zu bytes", rows->path,
                         rows->map.len, row_bytes);
    rows->count = (int64_t)(rows->map.len / row_bytes);
    return STATUS_OK;
}

/* Planes to interleaved pixels. */
static void picture_from_planes(const uint8_t *planes, uint8_t *picture) {
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++)
            picture[3 * i + c] = planes[c * PLANE + i];
}

enum status cifar_read_label(const struct cifar_layout *layout, const uint8_t *row, int64_t index,
                             int32_t *label, struct error *err) {
    *label = row[layout->label_bytes - 1];
    if (*label < layout->classes)
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "label %d of row %lld is not in 0..%d", (int)*label,
                     (long long)index, layout->classes - 1);
}

static enum status rows_convert(const struct rows *rows, const struct cifar_layout *layout,
                                uint8_t *images, int32_t *labels, struct error *err) {
    const uint8_t *row = rows->map.data;
    for (int64_t i = 0; i < rows->count; i++) {
        enum status status = cifar_read_label(layout, row, i, &labels[i], err);
        if (status)
            return error_wrap(err, status, "%s", rows->path);
        picture_from_planes(row + layout->label_bytes, images + i * PICTURE);
        row += layout->label_bytes + PICTURE;
    }
    return STATUS_OK;
}

/* Converts the rows of n files, which are open, into one split. */
static enum status part_convert(struct dataset *dataset, enum part part, const struct rows *rows,
                                int n_files, const struct cifar_layout *layout, struct error *err) {
    int32_t *labels;
    int64_t count = 0;
    for (int i = 0; i < n_files; i++)
        count += rows[i].count;
    enum status status = dataset_alloc(dataset, STORAGE_IMAGES + (int)part, (size_t)count * PICTURE,
                                       "pictures", err);
    if (!status)
        status = dataset_alloc_labels(dataset, part, count, &labels, err);
    uint8_t *images = dataset->storage[STORAGE_IMAGES + part];
    dataset_split(dataset, part)->images = images;
    for (int i = 0; i < n_files && !status; i++) {
        status = rows_convert(&rows[i], layout, images, labels, err);
        images += rows[i].count * PICTURE;
        labels += rows[i].count;
    }
    return status;
}

static enum status part_open(struct dataset *dataset, enum part part, const char *folder,
                             const struct files *files, struct error *err) {
    const struct cifar_layout *layout = files->layout;
    struct rows rows[MAX_FILES] = {0};
    int n_files = 0;
    enum status status = STATUS_OK;
    while (!status && n_files < MAX_FILES && files->file[part][n_files]) {
        status = rows_open(&rows[n_files], folder, files->file[part][n_files],
                           (size_t)layout->label_bytes + PICTURE, err);
        n_files++;
    }
    if (!status)
        status = part_convert(dataset, part, rows, n_files, layout, err);
    for (int i = 0; i < n_files; i++)
        file_unmap(&rows[i].map);
    return status;
}

static enum status files_open(struct dataset *dataset, const char *folder,
                              const struct files *files, struct error *err) {
    static const int64_t shape[3] = {SIDE, SIDE, 3};
    enum status status = dataset_set_shape(dataset, PART_TRAIN, shape, err);
    if (!status)
        status = part_open(dataset, PART_TRAIN, folder, files, err);
    if (!status)
        status = part_open(dataset, PART_TEST, folder, files, err);
    return status;
}

enum status cifar10_open(struct dataset *dataset, const char *folder, struct error *err) {
    return files_open(dataset, folder, &cifar10, err);
}

enum status cifar100_open(struct dataset *dataset, const char *folder, struct error *err) {
    return files_open(dataset, folder, &cifar100, err);
}
