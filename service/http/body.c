#include "service/http/body.h"

#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_FIRST_BYTES = 4096 };

static enum status body_grow(struct body *body, size_t needed, struct error *err) {
    size_t capacity = body->capacity ? body->capacity : BODY_FIRST_BYTES;
    while (capacity < needed)
        capacity *= 2;
    int64_t more = (int64_t)(capacity - body->capacity);
    struct body_budget *budget = body->budget;
    char *data = NULL;
    if (atomic_fetch_add(&budget->used_bytes, more) + more <= budget->max_bytes)
        data = realloc(body->data, capacity);
    if (!data) {
        atomic_fetch_sub(&budget->used_bytes, more);
        return error_set(err, STATUS_UNAVAILABLE, "too many large requests at the same time");
    }
    body->data = data;
    body->capacity = capacity;
    return STATUS_OK;
}

enum status body_count_file(struct body *body, struct error *err) {
    struct body_budget *budget = body->budget;
    body->counts = atomic_fetch_add(&budget->files, 1) < budget->max_files;
    if (body->counts)
        return STATUS_OK;
    atomic_fetch_sub(&budget->files, 1);
    return error_set(err, STATUS_UNAVAILABLE, "%d uploads are under way already",
                     budget->max_files);
}

enum status body_open_file(struct body *body, const char *folder, struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, folder, "upload", err); /* a name that is never given */
    if (!status)
        status = body_count_file(body, err);
    if (status)
        return status;
    body->file = xcalloc(1, sizeof *body->file);
    return file_writer_open(body->file, path, err);
}

enum status body_add(struct body *body, const char *bytes, size_t len, struct error *err) {
    if (len > body->max_bytes - body->len)
        return error_set(err, STATUS_TOO_LARGE, "the body has more than %zu bytes",
                         body->max_bytes);
    if (body->sink.take) {
        body->len += len;
        return body->sink.take(body->sink.ctx, bytes, len, err);
    }
    if (body->file) {
        body->len += len;
        return file_writer_add(body->file, bytes, len, err);
    }
    size_t needed = body->len + len + 1;
    enum status status = needed > body->capacity ? body_grow(body, needed, err) : STATUS_OK;
    if (status)
        return status;
    memcpy(body->data + body->len, bytes, len);
    body->len += len;
    body->data[body->len] = '\0';
    return STATUS_OK;
}

void body_release(struct body *body) {
    if (body->budget)
        atomic_fetch_sub(&body->budget->used_bytes, (int64_t)body->capacity);
    if (body->file) {
        file_writer_abandon(body->file);
        free(body->file);
    }
    if (body->counts)
        atomic_fetch_sub(&body->budget->files, 1);
    free(body->data);
    *body = (struct body){0};
}
