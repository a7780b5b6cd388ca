#include "service/store/lock_file.h"

#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

enum status lock_file_open(int *fd, const char *data, const char *name, struct error *err) {
    char path[FILE_PATH_BYTES];
    *fd = -1;
    enum status status = file_join(path, data, name, err);
    if (status)
        return status;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return *fd < 0 ? error_set_errno(err, errno, "opening %s", path) : STATUS_OK;
}

enum status lock_file_wait(int fd, int operation, struct error *err) {
    int result;
    do {
        result = flock(fd, operation);
    } while (result != 0 && errno == EINTR);
    return result != 0 ? error_set_errno(err, errno, "locking a file of the data directory")
                       : STATUS_OK;
}
