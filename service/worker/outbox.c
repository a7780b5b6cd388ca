#include "service/worker/outbox.h"

#include "api/limits.h"
#include "engine/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct metric_point *slot(const struct outbox *outbox, int index) {
    return &outbox->point[(outbox->first + index) % outbox->capacity];
}

/* Makes room for one more; the ring starts at 0 afterwards when it had to grow. */
static void grow(struct outbox *outbox) {
    if (outbox->count < outbox->capacity)
        return;
    CHECK(outbox->count == outbox->capacity);
    int capacity = outbox->capacity ? 2 * outbox->capacity : 64;
    struct metric_point *larger = xcalloc((size_t)capacity, sizeof *larger);
    for (int i = 0; i < outbox->count; i++)
        larger[i] = *slot(outbox, i);
    free(outbox->point);
    outbox->point = larger;
    outbox->first = 0;
    outbox->capacity = capacity;
}

static void append(struct outbox *outbox, const struct metric_point *point) {
    grow(outbox);
    *slot(outbox, outbox->count++) = *point;
}

/* A record that a crash cut off was never a point. */
static enum status load(struct outbox *outbox, const char *path, struct error *err) {
    char *data = NULL;
    size_t len = 0;
    enum status status =
        file_read(path, LIMIT_POINTS_WAITING * sizeof *outbox->point, &data, &len, err);
    for (size_t at = 0; !status && at + sizeof *outbox->point <= len; at += sizeof *outbox->point) {
        struct metric_point point;
        memcpy(&point, data + at, sizeof point);
        append(outbox, &point);
    }
    free(data);
    return status;
}

static enum status open_file(struct outbox *outbox, const char *path, struct error *err) {
    outbox->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (outbox->fd < 0)
        return error_set_errno(err, errno, "opening %s", path);
    off_t whole = (off_t)((size_t)outbox->count * sizeof *outbox->point);
    if (ftruncate(outbox->fd, whole) != 0)
        return error_set_errno(err, errno, "truncating %s", path);
    return STATUS_OK;
}

void outbox_init(struct outbox *outbox) {
    memset(outbox, 0, sizeof *outbox);
    pthread_mutex_init(&outbox->lock, NULL);
    outbox->fd = -1;
}

void outbox_release(struct outbox *outbox) {
    if (outbox->fd >= 0)
        close(outbox->fd);
    free(outbox->point);
    pthread_mutex_destroy(&outbox->lock);
}

enum status outbox_open(struct outbox *outbox, const char *path, struct error *err) {
    pthread_mutex_lock(&outbox->lock);
    enum status status = file_exists(path) ? load(outbox, path, err) : STATUS_OK;
    if (!status)
        status = open_file(outbox, path, err);
    pthread_mutex_unlock(&outbox->lock);
    return status;
}

static enum status add_locked(struct outbox *outbox, const struct metric_point *point,
                              struct error *err) {
    if (outbox->count == LIMIT_POINTS_WAITING)
        return error_set(err, STATUS_UNAVAILABLE, "%d points wait to be published",
                         LIMIT_POINTS_WAITING);
    ssize_t written = write(outbox->fd, point, sizeof *point);
    if (written != (ssize_t)sizeof *point)
        return error_set_errno(err, written < 0 ? errno : ENOSPC, "keeping a point");
    append(outbox, point);
    outbox->unsynced = true;
    return STATUS_OK;
}

enum status outbox_add(struct outbox *outbox, const struct metric_point *point, struct error *err) {
    pthread_mutex_lock(&outbox->lock);
    enum status status = add_locked(outbox, point, err);
    pthread_mutex_unlock(&outbox->lock);
    return status;
}

bool outbox_first(struct outbox *outbox, struct metric_point *point) {
    pthread_mutex_lock(&outbox->lock);
    bool any = outbox->count > 0;
    if (any)
        *point = *slot(outbox, 0);
    pthread_mutex_unlock(&outbox->lock);
    return any;
}

/* The file shrinks only when all is published. Until then it may hold points that are published
 * already, which publishing again does not harm. */
void outbox_remove_first(struct outbox *outbox) {
    pthread_mutex_lock(&outbox->lock);
    CHECK(outbox->count > 0);
    outbox->first = (outbox->first + 1) % outbox->capacity;
    outbox->count--;
    if (outbox->count == 0 && outbox->fd >= 0 && ftruncate(outbox->fd, 0) == 0)
        outbox->unsynced = false;
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_sync(struct outbox *outbox) {
    pthread_mutex_lock(&outbox->lock);
    if (outbox->unsynced && fdatasync(outbox->fd) == 0)
        outbox->unsynced = false;
    pthread_mutex_unlock(&outbox->lock);
}
