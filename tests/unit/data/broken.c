/* Broken data sets give one clear error: truncated, lying, mismatched, out of range. */
#include "engine/data/dataset.h"

#include "tests/unit/data/fixture.h"

static const char *root;

/* Opening fails as CORRUPT with a message that contains the text. */
static void check_corrupt(const char *folder, const char *text) {
    struct dataset dataset;
    struct error err = {0};
    T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, text);
    T_CHECK(!dataset.train.images && !dataset.storage[0]);
    dataset_close(&dataset);
}

static void test_nothing(void) {
    struct dataset dataset;
    struct error err = {0};
    const char *folder = fresh(root);
    T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_NOT_FOUND);
    T_CONTAINS(err.message, "there is no data set in it");
    T_CONTAINS(err.message, "train.safetensors");
    T_CONTAINS(err.message, "data_batch_1.bin");
    T_CONTAINS(err.message, "train-images-idx3-ubyte");
    T_CONTAINS(err.message,
               "train (images), whose pictures lie in train/<class>/ and test/<class>/");
    T_INT(dataset_open(&dataset, "/nowhere/at/all", NULL, &err), STATUS_NOT_FOUND);
    T_CONTAINS(err.message, "/nowhere/at/all: there is no such folder");
}

static void test_cifar_sizes(void) {
    const char *folder = fresh(root);
    put_cifar10(folder, ".");
    struct str rows = cifar_rows(0, 2, 1, 10);
    put(folder, "data_batch_3.bin", rows.data, rows.len - 1);
    check_corrupt(folder, "data_batch_3.bin: 6145 bytes is not a whole number of rows");
    put(folder, "data_batch_3.bin", "", 0);
    check_corrupt(folder, "data_batch_3.bin");
    rows.data[3073] = 10;
    put(folder, "data_batch_3.bin", rows.data, rows.len);
    check_corrupt(folder, "data_batch_3.bin: label 10 of row 1 is not in 0..9");
    str_release(&rows);
}

static void test_cifar_missing_file(void) {
    struct dataset dataset;
    struct error err = {0};
    const char *folder = fresh(root);
    put_cifar10(folder, ".");
    shell("rm %s/data_batch_4.bin", folder);
    T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_NOT_FOUND);
    T_CONTAINS(err.message, "data_batch_4.bin");
}

static void test_cifar_few_names(void) {
    const char *folder = fresh(root);
    put_cifar10(folder, ".");
    put_text(folder, "batches.meta.txt", "a\nb\nc\n");
    check_corrupt(folder, "train split: label 3 of picture 3 is not in 0..2");
    put(folder, "classes.txt", "a\0b\n", 4);
    check_corrupt(folder, "not a text file");
    put_text(folder, "classes.txt", "\n\n");
    check_corrupt(folder, "the number of class names");
}

struct lie {
    const char *file, *message;
    int offset;
    uint32_t value;
};

static void test_idx_lies(void) {
    static const struct lie lies[] = {
        {"train-images-idx3-ubyte", "wrong magic number, expected 0x00000803", 0, 0x0801},
        {"train-labels-idx1-ubyte", "wrong magic number, expected 0x00000801", 0, 0x0d01},
        {"train-images-idx3-ubyte", "count 0 is not in 1..", 4, 0},
        {"train-images-idx3-ubyte", "count 4294967295 is not in", 4, UINT32_MAX},
        {"train-images-idx3-ubyte", "promises 32212254705 bytes, the file has", 4, INT32_MAX},
        {"train-images-idx3-ubyte", "height 16385 is not in 1..16384", 8, 16385},
        {"train-images-idx3-ubyte", "width 4294967295 is not in", 12, UINT32_MAX},
        {"train-images-idx3-ubyte", "promises 60 bytes, the file has", 12, 2},
        {"train-labels-idx1-ubyte", "promises 7 bytes, the file has", 4, 7},
        {"t10k-labels-idx1-ubyte", "promises 3 bytes, the file has", 4, 3},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        for (int gzipped = 0; gzipped < (has_gzip() ? 2 : 1); gzipped++) {
            const struct lie *lie = &lies[i];
            const char *folder = fresh(root);
            put_idx(folder);
            patch_big_endian(folder, lie->file, lie->offset, lie->value);
            if (gzipped)
                shell("gzip %s/*ubyte", folder);
            check_corrupt(folder, lie->message);
        }
}

static void test_idx_mismatch(void) {
    const char *folder = fresh(root);
    put_idx(folder);
    struct str labels = idx_labels(5, 2), images = idx_images(0, 4, 3, 5);
    put_str(folder, "t10k-images-idx3-ubyte", &images);
    check_corrupt(folder, "test pictures are 3x5x1, but those of the train split 5x3x1");
    put_str(folder, "t10k-labels-idx1-ubyte", &labels);
    check_corrupt(folder, "5 labels, but there are 4 pictures");
}

/* A file that expands to far more than its header promises is not expanded. */
static void test_gzip_bomb(void) {
    const char *folder = fresh(root);
    put_idx(folder);
    shell("cd %s && dd if=/dev/zero bs=1M count=200 2>/dev/null >> train-images-idx3-ubyte && "
          "gzip -1 *ubyte",
          folder);
    check_corrupt(folder, "promises 90 bytes, the file has more");
}

static void test_gzip_garbage(void) {
    const char *folder = fresh(root);
    put_idx(folder);
    shell("gzip %s/*ubyte && echo more >> %s/train-labels-idx1-ubyte.gz", folder, folder);
    check_corrupt(folder, "train-labels-idx1-ubyte.gz: there are bytes after the end");
    put_text(folder, "train-labels-idx1-ubyte.gz", "no gzip");
    check_corrupt(folder, "train-labels-idx1-ubyte.gz: not a sound gzip file");
}

/* Every shorter version of a file is an error that names the file. */
static void check_truncations(const char *folder, const char *name) {
    char path[FILE_PATH_BYTES], *data;
    size_t len;
    CHECK(file_join(path, folder, name, NULL) == STATUS_OK);
    CHECK(file_read(path, 1 << 20, &data, &len, NULL) == STATUS_OK);
    for (size_t cut = 0; cut < len; cut++) {
        put(folder, name, data, cut);
        check_corrupt(folder, name);
    }
    put(folder, name, data, len);
    free(data);
}

static void test_truncated(void) {
    const char *folder = fresh(root);
    put_idx(folder);
    check_truncations(folder, "train-images-idx3-ubyte");
    check_truncations(folder, "t10k-labels-idx1-ubyte");
    if (!has_gzip())
        return;
    shell("gzip %s/*ubyte", folder);
    check_truncations(folder, "t10k-images-idx3-ubyte.gz");
    check_truncations(folder, "train-labels-idx1-ubyte.gz");
}

/* A written set notices a changed byte of a picture. */
static void test_changed_after_writing(void) {
    struct dataset dataset;
    struct error err = {0};
    char out[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    const char *folder = fresh(root);
    put_idx(folder);
    CHECK(file_join(out, root, "written", NULL) == STATUS_OK);
    CHECK(dataset_open(&dataset, folder, NULL, &err) == STATUS_OK);
    CHECK(dataset_write(&dataset, out, &err) == STATUS_OK);
    dataset_close(&dataset);
    CHECK(file_join(path, out, "train.safetensors", NULL) == STATUS_OK);
    patch_big_endian(out, "train.safetensors", (int)file_size(path) - 4, 0x01020304);
    check_corrupt(out, "pictures or labels have changed");
    put_text(out, "dataset.json", "{\"format\": ");
    check_corrupt(out, "dataset.json");
    put_text(out, "dataset.json", "{\"task\": \"somebody else's\"}");
    T_INT(dataset_open(&dataset, out, NULL, &err), STATUS_OK);
    dataset_close(&dataset);
}

int main(void) {
    root = t_temp_dir();
    T_RUN(test_nothing);
    T_RUN(test_cifar_sizes);
    T_RUN(test_cifar_missing_file);
    T_RUN(test_cifar_few_names);
    T_RUN(test_idx_lies);
    T_RUN(test_idx_mismatch);
    if (has_gzip()) {
        T_RUN(test_gzip_bomb);
        T_RUN(test_gzip_garbage);
    }
    T_RUN(test_truncated);
    T_RUN(test_changed_after_writing);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
