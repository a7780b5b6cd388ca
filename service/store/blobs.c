#include "service/store/blobs.h"

#include "service/store/folders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIND "blobs"
#define OTHER_NAME FILE_TMP_PREFIX "link"

static const char *const FILES[] = {"train.safetensors", "test.safetensors"};
enum { FILE_COUNT = sizeof FILES / sizeof *FILES, ATTEMPTS = 3 };

/* ---- sharing ---- */

static enum status have_same_bytes(const char *a, const char *b, bool *same, struct error *err) {
    struct file_map left = {0}, right = {0};
    enum status status = file_map(&left, a, err);
    if (!status)
        status = file_map(&right, b, err);
    *same = !status && left.len == right.len && memcmp(left.data, right.data, left.len) == 0;
    file_unmap(&left);
    file_unmap(&right);
    return status;
}

/* Lets a name stand for the file that another one has; the folder is for the moment between. */
static enum status point(const char *name, const char *file, const char *folder,
                         struct error *err) {
    char other[FILE_PATH_BYTES];
    enum status status = file_join(other, folder, OTHER_NAME, err);
    if (status)
        return status;
    unlink(other);
    if (link(file, other) == 0 && rename(other, name) == 0)
        return STATUS_OK;
    status = error_set_errno(err, errno, "sharing %s", name);
    unlink(other);
    return status;
}

static bool is_same_file(const char *a, const char *b) {
    struct stat left, right;
    return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

/* There is a blob already; one that has other bytes is damaged, and the new ones take its place. */
static enum status share_with(const char *blob, const char *own, const char *blob_folder,
                              const char *own_folder, struct error *err) {
    bool same;
    if (is_same_file(blob, own))
        return STATUS_OK;
    enum status status = have_same_bytes(blob, own, &same, err);
    if (status)
        return status;
    return same ? point(own, blob, own_folder, err) : point(blob, own, blob_folder, err);
}

static enum status share_file(const char *blob_folder, const char *own_folder, const char *file,
                              struct error *err) {
    char blob[FILE_PATH_BYTES], own[FILE_PATH_BYTES];
    enum status status = file_join(blob, blob_folder, file, err);
    if (!status)
        status = file_join(own, own_folder, file, err);
    if (!status)
        status = file_make_dirs(blob_folder, err);
    if (status || link(own, blob) == 0)
        return status;
    if (errno == EEXIST)
        return share_with(blob, own, blob_folder, own_folder, err);
    if (errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK)
        return STATUS_OK; /* it is a file of its own then */
    return error_set_errno(err, errno, "sharing %s", own);
}

enum status blobs_share(const char *data, const char *sha256, const char *folder,
                        struct error *err) {
    char blob_folder[FILE_PATH_BYTES];
    enum status status = folder_path(blob_folder, data, KIND, sha256, err);
    for (int i = 0; i < FILE_COUNT && !status; i++) {
        status = STATUS_NOT_FOUND; /* what a sweep takes away at the same time is made again */
        for (int k = 0; k < ATTEMPTS && status == STATUS_NOT_FOUND; k++)
            status = share_file(blob_folder, folder, FILES[i], err);
    }
    return status;
}

/* ---- going through them ---- */

typedef void file_fn(void *ctx, const char *path, const struct stat *info);

/* Calls back with the two files in a folder, as far as they are there. */
static void each_file(const char *folder, file_fn *each, void *ctx) {
    for (int i = 0; i < FILE_COUNT; i++) {
        char path[FILE_PATH_BYTES];
        struct stat info;
        if (file_join(path, folder, FILES[i], NULL) == STATUS_OK && lstat(path, &info) == 0)
            each(ctx, path, &info);
    }
}

struct walk {
    const char *folder;
    file_fn *each;
    void *ctx;
    bool remove; /* folders that are empty then */
};

static enum status walk_folder(void *ctx, const char *name, struct error *err) {
    const struct walk *walk = ctx;
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, walk->folder, name, err);
    if (status)
        return status;
    each_file(path, walk->each, walk->ctx);
    if (walk->remove)
        rmdir(path);
    return STATUS_OK;
}

static enum status walk_kind(const char *data, const char *kind, struct walk walk,
                             struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = folder_path(folder, data, kind, NULL, err);
    walk.folder = folder;
    return status || !file_is_dir(folder) ? status
                                          : folder_each(folder, false, walk_folder, &walk, err);
}

static void remove_single(void *ctx, const char *path, const struct stat *info) {
    (void)ctx;
    if (info->st_nlink == 1)
        unlink(path);
}

enum status blobs_sweep(const char *data, struct error *err) {
    const struct walk walk = {.each = remove_single, .remove = true};
    return walk_kind(data, KIND, walk, err);
}

static void count_all(void *ctx, const char *path, const struct stat *info) {
    (void)path;
    *(int64_t *)ctx += info->st_size;
}

static void count_single(void *ctx, const char *path, const struct stat *info) {
    if (info->st_nlink == 1)
        count_all(ctx, path, info);
}

enum status blobs_usage(const char *data, const char *folder, int64_t *bytes, struct error *err) {
    const struct walk blobs = {.each = count_all, .ctx = bytes},
                      own = {.each = count_single, .ctx = bytes};
    *bytes = 0;
    enum status status = walk_kind(data, KIND, blobs, err);
    if (!status)
        status = walk_kind(data, "datasets", own, err);
    if (!status && folder)
        each_file(folder, count_single, bytes);
    return status;
}
