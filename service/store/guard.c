#include "service/store/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static enum status lock(int *guard, const char *data, int operation, struct error *err) {
    char path[FILE_PATH_BYTES];
    int result;
    *guard = -1;
    enum status status = file_join(path, data, "inputs.lock", err);
    if (status)
        return status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(err, errno, "opening %s", path);
    do {
        result = flock(fd, operation);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        status = error_set_errno(err, errno, "locking %s", path);
        close(fd);
        return status;
    }
    *guard = fd;
    return STATUS_OK;
}

enum status guard_share(int *guard, const char *data, struct error *err) {
    return lock(guard, data, LOCK_SH, err);
}

enum status guard_take(int *guard, const char *data, struct error *err) {
    return lock(guard, data, LOCK_EX, err);
}

void guard_give(int *guard) {
    if (*guard >= 0)
        close(*guard);
    *guard = -1;
}
