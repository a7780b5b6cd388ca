#include "engine/base/open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_NONBLOCK: a pipe is refused afterwards, not waited for. */
enum { READ_FLAGS = O_RDONLY | O_CLOEXEC, STRICT_FLAGS = READ_FLAGS | O_NONBLOCK | O_NOCTTY };

/* Opens the part of that length below a folder, which is closed. */
static int step(int folder, const char *part, size_t len, int flags) {
    char name[NAME_MAX + 1];
    int fd = -1;
    if (len < sizeof name) {
        memcpy(name, part, len);
        name[len] = '\0';
        fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
    } else {
        errno = ENAMETOOLONG;
    }
    int reason = errno;
    close(folder);
    errno = reason;
    return fd;
}

int open_part_by_part(const char *path, int flags) {
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    path += strspn(path, "/");
    while (fd >= 0 && *path) {
        size_t len = strcspn(path, "/");
        const char *rest = path + len + strspn(path + len, "/");
        fd = step(fd, path, len, *rest ? O_PATH | O_DIRECTORY : STRICT_FLAGS | flags);
        path = rest;
    }
    return fd;
}

static int open_at_once(const char *path, int flags) {
    struct open_how how = {.flags = (unsigned)(STRICT_FLAGS | flags),
                           .resolve = RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static bool is_strict(const char *path) {
    return path[0] == '/' && path[1] == '/';
}

/* Where links are followed, such errors tell of none. */
enum status open_failed(int reason, const char *path, struct error *err) {
    if (is_strict(path) && (reason == ELOOP || reason == ENOTDIR))
        return error_set(err, STATUS_CORRUPT,
                         "%s is a link or lies behind one; put what it leads to in its place",
                         path);
    if (reason == EINVAL)
        return error_set(err, STATUS_CORRUPT, "%s is neither a file nor a folder", path);
    return error_set_errno(err, reason, "open %s", path);
}

int open_to_read(const char *path, int flags) {
    struct stat info;
    if (!is_strict(path))
        return open(path, READ_FLAGS | flags);
    int fd = open_at_once(path, flags);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = open_part_by_part(path, flags);
    if (fd < 0 || (fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}
