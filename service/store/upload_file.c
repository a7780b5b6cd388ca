#include "service/store/upload_file.h"

#include "service/store/publish.h"
#include "service/store/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 256 << 10, STATE_VERSION = 1 };

/* What a .state file holds; one of another program or version is worth nothing. */
struct kept_state {
    uint32_t version, bytes;
    struct incoming_state state;
};

/* ---- places ---- */

static enum status find_places(struct upload_file_writer *file, struct error *err) {
    char files[FILE_PATH_BYTES], name[UPLOAD_FILE_BYTES + 8];
    enum status status = upload_folder(file->folder, file->config, file->id, err);
    if (!status)
        status = file_join(files, file->folder, "files", err);
    if (!status)
        status = file_join(file->path, files, file->name, err);
    snprintf(name, sizeof name, "%s.part", file->name);
    if (!status)
        status = file_join(file->part, files, name, err);
    snprintf(name, sizeof name, "%s.state", file->name);
    return status ? status : file_join(file->state, file->folder, name, err);
}

/* ---- the limits ---- */

static enum status measure(struct upload_file_writer *file, struct error *err) {
    const struct config *config = file->config;
    int64_t own, all;
    enum status status = uploads_usage(config, file->id, file->name, &own, &all, err);
    if (!status)
        status = space_check(config->data, config->min_free_bytes, err);
    if (status)
        return status;
    file->most_own = config->upload_bytes - own;
    file->most_all = config->uploads_bytes ? config->uploads_bytes - all : INT64_MAX;
    file->mark = file->bytes + UPLOAD_REREAD_BYTES;
    return STATUS_OK;
}

enum status upload_file_check_size(const struct upload_file_writer *file, int64_t bytes,
                                   struct error *err) {
    if (bytes > file->most_own)
        return error_set(err, STATUS_TOO_LARGE,
                         "the upload would have more bytes than upload_bytes, which is %lld",
                         (long long)file->config->upload_bytes);
    if (bytes > file->most_all)
        return error_set(err, STATUS_NO_SPACE,
                         "all uploads would have more bytes than uploads_bytes, which is %lld",
                         (long long)file->config->uploads_bytes);
    return STATUS_OK;
}

/* ---- the check ---- */

/* What is wrong with the bytes is a wrong value of the request. */
static enum status blame(const struct upload_file_writer *file, enum status status,
                         struct error *err) {
    struct error cause = *err;
    if (status != STATUS_CORRUPT && status != STATUS_TOO_LARGE)
        return status;
    return error_set_field(err, STATUS_INVALID, file->name, "%s, %.*s", file->name,
                           ERROR_MESSAGE_BYTES - UPLOAD_FILE_BYTES, cause.message);
}

/* Nothing can be made of a file with a wrong byte. */
static void drop(struct upload_file_writer *file) {
    file->blind = true; /* and no state is kept */
    if (file->anew)
        return;
    unlink(file->part);
    unlink(file->state);
}

static enum status check(struct upload_file_writer *file, const void *bytes, size_t len,
                         struct error *err) {
    struct error own = {0};
    if (file->blind)
        return STATUS_OK;
    enum status status = incoming_add(&file->incoming, bytes, len, &own);
    if (!status)
        return STATUS_OK;
    status = blame(file, status, &own);
    if (err)
        *err = own;
    drop(file);
    return status;
}

static void keep_state(struct upload_file_writer *file) {
    struct kept_state kept = {STATE_VERSION, sizeof kept, file->incoming.state};
    if (file->blind || file->anew || !file->incoming.kind || !incoming_can_pause(&file->incoming))
        return;
    if (file_write(file->state, &kept, sizeof kept, NULL))
        unlink(file->state); /* the check begins anew then */
}

/* The state that was kept, if it is of the part as it is. */
static bool find_state(const struct upload_file_writer *file, struct incoming_state *state) {
    char *text = NULL;
    size_t len = 0;
    if (file_read(file->state, sizeof(struct kept_state), &text, &len, NULL))
        return false;
    struct kept_state kept = {.version = 0};
    if (len == sizeof kept)
        memcpy(&kept, text, sizeof kept);
    free(text);
    *state = kept.state;
    return kept.version == STATE_VERSION && kept.bytes == sizeof kept &&
           kept.state.file_bytes <= (uint64_t)file->bytes;
}

static enum status read_again(struct upload_file_writer *file, int64_t from, struct error *err) {
    enum status status = STATUS_OK;
    uint8_t *buffer = xmalloc(READ_BYTES);
    while (!status && from < file->bytes) {
        ssize_t n = pread(file->fd, buffer, READ_BYTES, from);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            status = error_set_errno(err, n ? errno : EIO, "reading %s", file->part);
        else
            status = check(file, buffer, (size_t)n, err);
        from += n;
    }
    free(buffer);
    return status;
}

/* Brings the check to where the part ends. */
static enum status begin_check(struct upload_file_writer *file, struct error *err) {
    struct incoming_state state;
    bool found = file->bytes && find_state(file, &state);
    int64_t from = found ? (int64_t)state.file_bytes : 0;
    enum status status =
        incoming_begin(&file->incoming, incoming_find(file->name), found ? &state : NULL, err);
    file->blind = file->bytes - from > UPLOAD_REREAD_BYTES;
    return status || file->blind ? status : read_again(file, from, err);
}

/* ---- opening ---- */

/* Another request may have completed or dropped the part just before it was locked. */
static enum status lock_part(struct upload_file_writer *file, struct error *err) {
    struct stat own, named;
    bool locked = flock(file->fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK)
        return error_set_errno(err, errno, "locking %s", file->part);
    if (!locked || fstat(file->fd, &own) != 0 || stat(file->part, &named) != 0 ||
        own.st_ino != named.st_ino)
        return error_set(err, STATUS_CONFLICT, "another request is sending %s", file->name);
    file->bytes = own.st_size;
    return STATUS_OK;
}

static enum status refuse_offset(struct upload_file_writer *file, int64_t expected,
                                 struct error *err) {
    file->expected = expected;
    return error_set(err, STATUS_CONFLICT, "%s goes on at byte %lld", file->name,
                     (long long)expected);
}

static enum status open_part(struct upload_file_writer *file, int64_t offset, struct error *err) {
    int create = offset ? 0 : O_CREAT;
    file->fd = open(file->part, O_RDWR | O_APPEND | O_CLOEXEC | create, 0644);
    if (file->fd < 0 && errno == ENOENT && file_exists(file->path))
        return error_set(err, STATUS_CONFLICT, "%s has arrived whole", file->name);
    if (file->fd < 0 && errno == ENOENT)
        return refuse_offset(file, 0, err);
    if (file->fd < 0)
        return error_set_errno(err, errno, "opening %s", file->part);
    enum status status = lock_part(file, err);
    if (!status && offset && offset != file->bytes)
        status = refuse_offset(file, file->bytes, err);
    file->anew = !status && !offset;
    if (file->anew)
        file->bytes = 0;
    return status;
}

enum status upload_file_open(struct upload_file_writer *file, const struct config *config,
                             const char *id, const char *name, int64_t offset, struct error *err) {
    *file = (struct upload_file_writer){.config = config, .lock = -1, .fd = -1, .expected = -1};
    if (!incoming_find(name))
        return error_set_field(err, STATUS_INVALID, "file", "%.60s is no file of a data set", name);
    str_copy(file->id, sizeof file->id, id);
    str_copy(file->name, sizeof file->name, name);
    enum status status = find_places(file, err);
    if (!status)
        status = upload_lock(&file->lock, file->folder, false, err);
    if (!status)
        status = open_part(file, offset, err);
    if (!status)
        status = measure(file, err);
    return status ? status : begin_check(file, err);
}

/* ---- writing ---- */

/* What there was of the file goes. */
static enum status clear(struct upload_file_writer *file, struct error *err) {
    if (!file->anew)
        return STATUS_OK;
    file->anew = false;
    unlink(file->path);
    unlink(file->state);
    return ftruncate(file->fd, 0) == 0 ? STATUS_OK
                                       : error_set_errno(err, errno, "emptying %s", file->part);
}

static enum status write_all(struct upload_file_writer *file, const char *bytes, size_t len,
                             struct error *err) {
    while (len > 0) {
        ssize_t n = write(file->fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "writing %s", file->part);
        bytes += n;
        len -= (size_t)n;
        file->bytes += n;
    }
    return STATUS_OK;
}

enum status upload_file_add(struct upload_file_writer *file, const void *bytes, size_t len,
                            struct error *err) {
    enum status status = upload_file_check_size(file, file->bytes + (int64_t)len, err);
    if (!status)
        status = clear(file, err);
    if (!status)
        status = check(file, bytes, len, err);
    if (!status)
        status = write_all(file, bytes, len, err);
    if (status || file->bytes < file->mark)
        return status;
    keep_state(file);
    sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* so that the end has not to wait */
    return measure(file, err);
}

static enum status check_end(struct upload_file_writer *file, struct error *err) {
    struct error own = {0};
    enum status status = file->blind ? STATUS_OK : incoming_end(&file->incoming, &own);
    if (!status)
        return STATUS_OK;
    status = blame(file, status, &own);
    if (err)
        *err = own;
    drop(file);
    return status;
}

enum status upload_file_complete(struct upload_file_writer *file, struct error *err) {
    char parent[FILE_PATH_BYTES];
    enum status status = check_end(file, err);
    if (status)
        return status;
    if (fsync(file->fd) != 0)
        return error_set_errno(err, errno, "syncing %s", file->part);
    if (rename(file->part, file->path) != 0)
        return error_set_errno(err, errno, "renaming to %s", file->path);
    unlink(file->state);
    file->blind = true; /* no state is kept */
    str_copy(parent, sizeof parent, file->path);
    *strrchr(parent, '/') = '\0';
    return folder_sync(parent, err);
}

/* A part that was made for what never came. */
static void remove_empty(const struct upload_file_writer *file) {
    struct stat info;
    if (file->anew && fstat(file->fd, &info) == 0 && info.st_size == 0)
        unlink(file->part);
}

void upload_file_close(struct upload_file_writer *file) {
    if (file->fd >= 0) {
        keep_state(file);
        remove_empty(file);
    }
    incoming_release(&file->incoming);
    if (file->fd >= 0)
        close(file->fd);
    if (file->lock >= 0)
        close(file->lock);
    file->fd = file->lock = -1;
}
