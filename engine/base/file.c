#include "engine/base/file.h"

#include "engine/base/open.h"
#include "engine/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_READ_BYTES = 16 << 10, TMP_ATTEMPTS = 16 };

static enum status open_file(const char *path, int *fd, struct stat *info, struct error *err) {
    *fd = open_to_read(path, 0);
    if (*fd < 0)
        return open_failed(errno, path, err);
    int failure = fstat(*fd, info) != 0 ? errno : S_ISDIR(info->st_mode) ? EISDIR : 0;
    if (failure) {
        close(*fd);
        return error_set_errno(err, failure, "open %s", path);
    }
    return STATUS_OK;
}

enum status file_map_fd(struct file_map *map, int fd, const char *path, struct error *err) {
    struct stat info = {0};
    *map = (struct file_map){0};
    if (fstat(fd, &info) != 0)
        return error_set_errno(err, errno, "map %s", path);
    if (info.st_size == 0) { /* mmap refuses empty files */
        *map = (struct file_map){.data = (const uint8_t *)"", .len = 0};
        return STATUS_OK;
    }
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return error_set_errno(err, errno, "map %s", path);
    *map = (struct file_map){.data = data, .len = (size_t)info.st_size};
    return STATUS_OK;
}

enum status file_map(struct file_map *map, const char *path, struct error *err) {
    int fd;
    struct stat info = {0};
    enum status status = open_file(path, &fd, &info, err);
    if (status)
        return status;
    status = file_map_fd(map, fd, path, err);
    close(fd);
    return status;
}

void file_unmap(struct file_map *map) {
    if (map->len)
        munmap((void *)(uintptr_t)map->data, map->len);
    *map = (struct file_map){0};
}

/* What was read so far; there is always room for a NUL behind it. */
struct content {
    char *data;
    size_t len, capacity;
};

static bool content_reserve(struct content *content, size_t capacity) {
    char *data = realloc(content->data, capacity + 1);
    if (!data)
        return false;
    content->data = data;
    content->capacity = capacity;
    return true;
}

/* Reads to the end; one byte over the limit is enough to know that it is exceeded. */
static enum status read_all(int fd, const char *path, size_t max, struct content *content,
                            struct error *err) {
    for (;;) {
        if (content->len > max)
            return error_set(err, STATUS_TOO_LARGE, "%s has more than %zu bytes", path, max);
        if (content->len == content->capacity) {
            size_t doubled = 2 * content->capacity;
            if (!content_reserve(content, doubled < max ? doubled : max + 1))
                return error_set_errno(err, ENOMEM, "read %s", path);
        }
        ssize_t n = read(fd, content->data + content->len, content->capacity - content->len);
        if (n == 0)
            return STATUS_OK;
        if (n > 0)
            content->len += (size_t)n;
        else if (errno != EINTR)
            return error_set_errno(err, errno, "read %s", path);
    }
}

enum status file_read(const char *path, size_t max, char **data, size_t *len, struct error *err) {
    int fd;
    struct stat info = {0};
    struct content content = {0};
    enum status status = open_file(path, &fd, &info, err);
    if (status)
        return status;
    if (max > SIZE_MAX / 4)
        max = SIZE_MAX / 4; /* so that sizes can be doubled */
    size_t expected = info.st_size > 0 ? (size_t)info.st_size : FIRST_READ_BYTES;
    /* One byte more than the file has, so that the end is seen without growing. */
    if (!content_reserve(&content, (expected < max ? expected : max) + 1)) {
        status = error_set_errno(err, ENOMEM, "read %s", path);
        goto out;
    }
    status = read_all(fd, path, max, &content, err);
    if (status)
        goto out;
    content.data[content.len] = '\0';
    *data = content.data;
    *len = content.len;
    content.data = NULL;
out:
    free(content.data);
    close(fd);
    return status;
}

enum status file_write_fd(int fd, const void *data, size_t len, const char *name,
                          struct error *err) {
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "write %s", name);
        at += n;
        len -= (size_t)n;
    }
    return STATUS_OK;
}

enum status file_write(const char *path, const void *data, size_t len, struct error *err) {
    struct file_writer writer;
    enum status status = file_writer_open(&writer, path, err);
    if (!status)
        status = file_writer_add(&writer, data, len, err);
    if (!status)
        status = file_writer_commit(&writer, err);
    return status; /* a failed add or commit has removed the temporary file */
}

/* Bytes of the path up to and with its last slash; 0 if it has none. */
static size_t folder_bytes(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Not mkostemp, because its files are 0600 whatever the umask, and others read these. */
static int open_temporary(struct file_writer *writer) {
    int prefix = (int)folder_bytes(writer->path);
    for (int attempt = 0; attempt < TMP_ATTEMPTS; attempt++) {
        unsigned long long nonce;
        if (getrandom(&nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce)
            return -1;
        int len = snprintf(writer->tmp_path, sizeof writer->tmp_path, "%.*s" FILE_TMP_PREFIX "%llx",
                           prefix, writer->path, nonce);
        if (len >= (int)sizeof writer->tmp_path) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(writer->tmp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

enum status file_writer_open(struct file_writer *writer, const char *path, struct error *err) {
    *writer = (struct file_writer){.fd = -1};
    if (!str_copy(writer->path, sizeof writer->path, path))
        return error_set(err, STATUS_TOO_LARGE, "path of more than %d bytes: %.64s...",
                         FILE_PATH_BYTES - 1, path);
    writer->fd = open_temporary(writer);
    if (writer->fd < 0) {
        enum status status = error_set_errno(err, errno, "create %s", path);
        writer->tmp_path[0] = '\0'; /* somebody else's, if it exists */
        return status;
    }
    return STATUS_OK;
}

/* After a failed add the writer is abandoned, so that a later commit cannot publish a part. */
enum status file_writer_add(struct file_writer *writer, const void *data, size_t len,
                            struct error *err) {
    if (writer->fd < 0)
        return error_set(err, STATUS_IO, "write %s: nothing is open", writer->path);
    enum status status = file_write_fd(writer->fd, data, len, writer->path, err);
    if (status)
        file_writer_abandon(writer);
    return status;
}

/* A rename is durable only when the directory is. Some file systems cannot sync one (EINVAL). */
static int sync_folder(const char *path) {
    char folder[FILE_PATH_BYTES] = ".";
    size_t len = folder_bytes(path);
    if (len) {
        memcpy(folder, path, len);
        folder[len] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int failure = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    close(fd);
    return failure;
}

enum status file_writer_commit(struct file_writer *writer, struct error *err) {
    if (writer->fd < 0)
        return error_set(err, STATUS_IO, "write %s: nothing is open", writer->path);
    int failure = fsync(writer->fd) != 0 ? errno : 0;
    if (close(writer->fd) != 0 && !failure)
        failure = errno;
    writer->fd = -1;
    if (!failure && rename(writer->tmp_path, writer->path) != 0)
        failure = errno;
    if (failure)
        unlink(writer->tmp_path);
    else
        failure = sync_folder(writer->path);
    writer->tmp_path[0] = '\0';
    return failure ? error_set_errno(err, failure, "write %s", writer->path) : STATUS_OK;
}

void file_writer_abandon(struct file_writer *writer) {
    if (writer->tmp_path[0] == '\0') /* zeroed, committed or abandoned before */
        return;
    if (writer->fd >= 0)
        close(writer->fd);
    writer->fd = -1;
    unlink(writer->tmp_path);
    writer->tmp_path[0] = '\0';
}

enum status file_open_nameless(int *fd, struct error *err) {
    const char *folder = getenv("TMPDIR");
    folder = folder && *folder ? folder : "/tmp";
    *fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0)
        return STATUS_OK;
    char path[FILE_PATH_BYTES]; /* not every file system knows files without a name */
    enum status status = file_join(path, folder, FILE_TMP_PREFIX "XXXXXX", err);
    if (status)
        return status;
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0)
        return error_set_errno(err, errno, "create a temporary file in %s", folder);
    unlink(path);
    return STATUS_OK;
}

enum status file_make_dirs(const char *path, struct error *err) {
    char part[FILE_PATH_BYTES];
    if (!str_copy(part, sizeof part, path))
        return error_set(err, STATUS_TOO_LARGE, "path of more than %d bytes: %.64s...",
                         FILE_PATH_BYTES - 1, path);
    for (char *slash = part; *slash;) {
        slash = strchrnul(slash + 1, '/');
        char kept = *slash;
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return error_set_errno(err, errno, "create directory %s", part);
        *slash = kept;
    }
    if (!file_is_dir(path))
        return error_set_errno(err, *path ? ENOTDIR : ENOENT, "create directory %s", path);
    return STATUS_OK;
}

static int remove_at(int folder, const char *name);

/* Empties an open directory, which is closed. Returns 0 or an errno value. */
static int remove_content(int fd) {
    DIR *entries = fdopendir(fd);
    if (!entries) {
        int failure = errno;
        close(fd);
        return failure;
    }
    int failure = 0;
    while (!failure) {
        errno = 0;
        const struct dirent *entry = readdir(entries);
        if (!entry) {
            failure = errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            failure = remove_at(dirfd(entries), entry->d_name);
    }
    closedir(entries);
    return failure;
}

/* Goes down by open directories and O_NOFOLLOW: whoever swaps a directory for a link while this
 * runs loses the link and nothing behind it. Returns 0 or an errno value. */
static int remove_at(int folder, const char *name) {
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return errno;
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : errno; /* somebody else removes it, too */
    int failure = remove_content(fd);
    if (!failure && unlinkat(folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        failure = errno;
    return failure;
}

enum status file_remove_all(const char *path, struct error *err) {
    char trimmed[FILE_PATH_BYTES];
    if (!str_copy(trimmed, sizeof trimmed, path))
        return error_set(err, STATUS_TOO_LARGE, "path of more than %d bytes: %.64s...",
                         FILE_PATH_BYTES - 1, path);
    size_t len = strlen(trimmed);
    while (len && trimmed[len - 1] == '/') /* "link/" would be what the link points to */
        trimmed[--len] = '\0';
    const char *name = trimmed + folder_bytes(trimmed);
    if (str_equal(name, "") || str_equal(name, ".") || str_equal(name, ".."))
        return error_set(err, STATUS_INVALID, "will not remove \"%s\"", path);
    int failure = remove_at(AT_FDCWD, trimmed);
    return failure ? error_set_errno(err, failure, "remove %s", path) : STATUS_OK;
}

void path_name(char out[FILE_PATH_BYTES], const char *path) {
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    snprintf(out, FILE_PATH_BYTES, "%.*s", (int)(end - begin), path + begin);
}

bool file_exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

bool file_is_dir(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int64_t file_size(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) ? (int64_t)info.st_size : -1;
}

enum status file_join(char out[FILE_PATH_BYTES], const char *dir, const char *name,
                      struct error *err) {
    const char *slash = *dir == '\0' || str_has_suffix(dir, "/") ? "" : "/";
    int len = snprintf(out, FILE_PATH_BYTES, "%s%s%s", dir, slash, name);
    if (len < 0 || len >= FILE_PATH_BYTES)
        return error_set(err, STATUS_TOO_LARGE, "path of more than %d bytes: %.64s...",
                         FILE_PATH_BYTES - 1, dir);
    return STATUS_OK;
}
