#include "service/store/guard.h"

#include "service/store/lock_file.h"

#include <sys/file.h>
#include <unistd.h>

static enum status lock(int *guard, const char *data, int operation, struct error *err) {
    int fd;
    *guard = -1;
    enum status status = lock_file_open(&fd, data, "inputs.lock", err);
    if (status)
        return status;
    status = lock_file_wait(fd, operation, err);
    if (status)
        close(fd);
    else
        *guard = fd;
    return status;
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
