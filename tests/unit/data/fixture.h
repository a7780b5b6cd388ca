/*
 * fixture.h - small data sets on disk for the tests of engine/data.
 *
 * A failure to write is a failure of the machine, not of what is tested: it aborts.
 */
#ifndef TESTS_UNIT_DATA_FIXTURE_H
#define TESTS_UNIT_DATA_FIXTURE_H

#include "engine/base/file.h"
#include "engine/base/str.h"
#include "engine/data/gzip.h"
#include "tests/support/t.h"

/* Writes len bytes as folder/name, with the folders in between. */
static inline void put(const char *folder, const char *name, const void *bytes, size_t len) {
    char path[FILE_PATH_BYTES];
    CHECK(file_join(path, folder, name, NULL) == STATUS_OK);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    CHECK(file_make_dirs(path, NULL) == STATUS_OK);
    *slash = '/';
    CHECK(file_write(path, bytes, len, NULL) == STATUS_OK);
}

static inline void put_str(const char *folder, const char *name, struct str *bytes) {
    put(folder, name, str_text(bytes), bytes->len);
    str_release(bytes);
}

static inline void put_text(const char *folder, const char *name, const char *text) {
    put(folder, name, text, strlen(text));
}

/* Runs a shell command; tests use the system's gzip, tar and md5sum to make their files. */
static inline void shell(const char *format, ...) PRINTF_LIKE(1, 2);
static inline void shell(const char *format, ...) {
    char command[4 * FILE_PATH_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    CHECK(system(command) == 0);
}

/* Whether this build reads gzip files; one without zlib says so for any path. */
static inline bool has_gzip(void) {
    size_t got;
    bool more;
    return gzip_read("/nowhere/at/all", &got, 0, &got, &more, NULL) != STATUS_UNSUPPORTED;
}

/* An empty folder that the next call of this function empties again. */
static inline const char *fresh(const char *root) {
    static char path[FILE_PATH_BYTES];
    CHECK(file_join(path, root, "set", NULL) == STATUS_OK);
    CHECK(file_remove_all(path, NULL) == STATUS_OK);
    CHECK(file_make_dirs(path, NULL) == STATUS_OK);
    return path;
}

/* A pixel of picture i that depends on all coordinates. */
static inline uint8_t pixel(int i, int y, int x, int c) {
    return (uint8_t)(7 * i + 31 * y + 5 * x + 101 * c);
}

static inline void add_byte(struct str *out, int value) {
    char byte = (char)value;
    str_add_bytes(out, &byte, 1);
}

static inline void add_big_endian(struct str *out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        add_byte(out, (int)(value >> shift & 255));
}

/* Overwrites four bytes of folder/name. */
static inline void patch_big_endian(const char *folder, const char *name, int offset,
                                    uint32_t value) {
    char path[FILE_PATH_BYTES];
    struct str bytes = STR_INIT;
    add_big_endian(&bytes, value);
    CHECK(file_join(path, folder, name, NULL) == STATUS_OK);
    FILE *file = fopen(path, "r+b");
    CHECK(file && fseek(file, offset, SEEK_SET) == 0 && fwrite(bytes.data, 4, 1, file) == 1);
    fclose(file);
    str_release(&bytes);
}

/* IDX pictures [count,height,width], in order from picture number first. */
static inline struct str idx_images(int first, int count, int height, int width) {
    struct str out = STR_INIT;
    uint32_t header[] = {0x0803, (uint32_t)count, (uint32_t)height, (uint32_t)width};
    for (int i = 0; i < 4; i++)
        add_big_endian(&out, header[i]);
    for (int i = 0; i < count; i++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                add_byte(&out, pixel(first + i, y, x, 0));
    return out;
}

/* IDX labels i % classes. */
static inline struct str idx_labels(int count, int classes) {
    struct str out = STR_INIT;
    add_big_endian(&out, 0x0801);
    add_big_endian(&out, (uint32_t)count);
    for (int i = 0; i < count; i++)
        add_byte(&out, i % classes);
    return out;
}

/* CIFAR rows, numbers first .. first + count - 1, label i % classes behind label_bytes - 1 zeros.
 */
static inline struct str cifar_rows(int first, int count, int label_bytes, int classes) {
    struct str out = STR_INIT;
    for (int i = first; i < first + count; i++) {
        for (int b = 1; b < label_bytes; b++)
            add_byte(&out, 0);
        add_byte(&out, i % classes);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 32; y++)
                for (int x = 0; x < 32; x++)
                    add_byte(&out, pixel(i, y, x, c));
    }
    return out;
}

/* A whole IDX set with 6 and 4 pictures of 5x3 and 3 classes under the dashed names. */
static inline void put_idx(const char *folder) {
    struct str files[] = {idx_images(0, 6, 5, 3), idx_labels(6, 3), idx_images(6, 4, 5, 3),
                          idx_labels(4, 2)};
    put_str(folder, "train-images-idx3-ubyte", &files[0]);
    put_str(folder, "train-labels-idx1-ubyte", &files[1]);
    put_str(folder, "t10k-images-idx3-ubyte", &files[2]);
    put_str(folder, "t10k-labels-idx1-ubyte", &files[3]);
}

/* CIFAR-10 under folder/sub with 2 rows in each of the six files. */
static inline void put_cifar10(const char *folder, const char *sub) {
    for (int i = 0; i < 6; i++) {
        char name[FILE_PATH_BYTES];
        struct str rows = cifar_rows(2 * i, 2, 1, 10);
        if (i < 5)
            snprintf(name, sizeof name, "%s/data_batch_%d.bin", sub, i + 1);
        else
            snprintf(name, sizeof name, "%s/test_batch.bin", sub);
        put_str(folder, name, &rows);
    }
}

#endif
