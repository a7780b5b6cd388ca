#include "service/worker/slot.h"

#include "engine/base/sha256.h"
#include "service/store/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { MAX_SLOTS = 1024 };

/* The lock's descriptor, or -1 when another worker has the slot. */
static enum status try_slot(const char *data, int number, int *fd, struct error *err) {
    char name[32], path[FILE_PATH_BYTES];
    snprintf(name, sizeof name, "%d.lock", number);
    enum status status = folder_path(path, data, "workers", name, err);
    if (status)
        return status;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0)
        return error_set_errno(err, errno, "opening %s", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return STATUS_OK;
    if (errno != EWOULDBLOCK)
        status = error_set_errno(err, errno, "locking %s", path);
    close(*fd);
    *fd = -1;
    return status;
}

/* <host>-<data directory>-<slot>: workers of different machines may share one Redis, and so may
 * different data directories of one machine. */
static void name_worker(struct worker_name *name, const char *data, int number) {
    char host[65] = "", digest[SHA256_HEX_BYTES];
    char *real = realpath(data, NULL);
    const char *place = real ? real : data;
    gethostname(host, sizeof host - 1);
    sha256_hex(place, strlen(place), digest);
    free(real);
    snprintf(name->name, sizeof name->name, "%s-%.8s-%d", host, digest, number);
    struct id_source source;
    id_source_init(&source);
    id_make(&source, "worker_", name->instance);
    id_source_release(&source);
}

enum status slot_open(struct slot *slot, const char *data, struct error *err) {
    slot->fd = -1;
    for (int number = 1; number <= MAX_SLOTS; number++) {
        enum status status = try_slot(data, number, &slot->fd, err);
        if (status)
            return status;
        if (slot->fd >= 0) {
            name_worker(&slot->name, data, number);
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_TOO_LARGE, "%d workers use %s already", MAX_SLOTS, data);
}

void slot_close(struct slot *slot) {
    if (slot->fd >= 0)
        close(slot->fd);
    slot->fd = -1;
}
