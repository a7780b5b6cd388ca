#include "engine/data/unpack.h"

#include "engine/base/str.h"
#include "engine/data/gzip.h"
#include "engine/data/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What is there already, or lies below a file, was in the archive before. */
static enum status refuse(const char *name, int failure, struct error *err) {
    if (failure == EEXIST || failure == EISDIR)
        return error_set(err, STATUS_CORRUPT, "%s is there twice", name);
    if (failure == ENOTDIR)
        return error_set(err, STATUS_CORRUPT, "%s lies below a file", name);
    return error_set_errno(err, failure, "unpack %s", name);
}

static enum status make_parent(char path[FILE_PATH_BYTES], struct error *err) {
    char *slash = strrchr(path, '/');
    *slash = '\0';
    enum status status = file_make_dirs(path, err);
    *slash = '/';
    return status;
}

static enum status unpack_file(const char *folder, const struct tar_entry *entry,
                               struct error *err) {
    enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, folder, entry->name, err);
    if (status)
        return status;
    int fd = open(path, FLAGS, 0644);
    if (fd < 0 && errno == ENOENT) {
        status = make_parent(path, err);
        if (status)
            return status;
        fd = open(path, FLAGS, 0644);
    }
    if (fd < 0)
        return refuse(entry->name, errno, err);
    status = file_write_fd(fd, entry->data, entry->len, entry->name, err);
    if (close(fd) != 0 && !status)
        status = error_set_errno(err, errno, "unpack %s", entry->name);
    return status;
}

static enum status unpack_all(const struct file_map *map, const char *folder, struct error *err) {
    struct tar tar;
    struct tar_entry entry;
    bool more = true;
    enum status status = file_make_dirs(folder, err);
    tar_init(&tar, map->data, map->len);
    while (!status && more) {
        status = tar_next(&tar, &entry, &more, err);
        if (!status && more && !tar_is_hidden(&entry))
            status = unpack_file(folder, &entry, err);
    }
    return status;
}

enum status archive_unpack(const char *path, const char *folder, struct error *err) {
    struct file_map map = {0};
    enum status status =
        str_has_suffix(path, "gz") ? gzip_map(&map, path, err) : file_map(&map, path, err);
    if (status)
        return status;
    status = unpack_all(&map, folder, err);
    file_unmap(&map);
    return error_wrap(err, status, "%s", path);
}
