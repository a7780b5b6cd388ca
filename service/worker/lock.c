#include "service/worker/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The holder before us may have removed the folder, and the lock's file with it. */
static bool is_current(int fd, const char *path) {
    struct stat held, named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

static enum status try_lock(const char *path, int *fd, struct error *err) {
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0)
        return error_set_errno(err, errno, "opening %s", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0 && is_current(*fd, path))
        return STATUS_OK;
    close(*fd);
    *fd = -1;
    return error_set(err, STATUS_CONFLICT, "an earlier attempt still holds the job's folder");
}

enum status lock_folder(const char *folder, int *fd, struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = file_make_dirs(folder, err);
    if (!status)
        status = file_join(path, folder, "lock", err);
    return status ? status : try_lock(path, fd, err);
}
