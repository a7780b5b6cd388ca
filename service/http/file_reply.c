#include "service/http/file_reply.h"

#include "engine/base/file.h"
#include "service/http/byte_range.h"
#include "service/store/stored_error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { TAG_BYTES = 128 };

/* The entity tag is among those of an If-None-Match header. */
static bool knows_tag(const char *header, const char *tag) {
    return header && (str_equal(header, "*") || strstr(header, tag));
}

/* Chooses between all, a part, and a refusal, which is false, and fills the reply accordingly. */
static bool choose_part(const struct request *request, struct reply *reply, const char *tag) {
    const char *if_range = request_header(request, "If-Range");
    const char *header = request_header(request, "Range");
    struct byte_range range;
    enum byte_range_kind kind = BYTE_RANGE_NONE;
    uint64_t size = reply->file_bytes;
    if (header && (!if_range || str_equal(if_range, tag)))
        kind = byte_range_parse(header, size, &range);
    if (kind == BYTE_RANGE_UNSATISFIABLE) {
        reply_problem(reply, PROBLEM_BAD_RANGE, "%s begins after the last of %llu bytes", header,
                      (unsigned long long)size);
        reply_header(reply, "Content-Range", "bytes */%llu", (unsigned long long)size);
    } else if (kind == BYTE_RANGE_PART) {
        reply->code = HTTP_PARTIAL;
        reply->file_offset = range.first;
        reply->file_bytes = range.last - range.first + 1;
        reply_header(reply, "Content-Range", "bytes %llu-%llu/%llu",
                     (unsigned long long)range.first, (unsigned long long)range.last,
                     (unsigned long long)size);
    }
    return kind != BYTE_RANGE_UNSATISFIABLE;
}

/* Whoever asks has found what the file belongs to. */
static enum status refuse_open(const char *path, struct error *err) {
    enum status status = error_set_errno(err, errno, "opening %s", path);
    char folder[FILE_PATH_BYTES] = "";
    str_copy(folder, sizeof folder, path);
    char *name = strrchr(folder, '/');
    if (name)
        *name = '\0';
    return stored_error(folder, status, err);
}

static enum status open_file(struct reply *reply, const char *path, struct error *err) {
    int64_t bytes = file_size(path);
    reply->file = open(path, O_RDONLY | O_CLOEXEC);
    if (reply->file < 0 || bytes < 0)
        return refuse_open(path, err);
    reply->file_bytes = (uint64_t)bytes;
    return STATUS_OK;
}

enum status reply_file(const struct request *request, struct reply *reply,
                       const struct file_answer *answer, struct error *err) {
    char tag[TAG_BYTES];
    bool has_file = true;
    enum status status = open_file(reply, answer->path, err);
    if (status)
        return status;
    snprintf(tag, sizeof tag, "\"%s\"", answer->tag);
    reply_body(reply, HTTP_OK, answer->media_type);
    if (knows_tag(request_header(request, "If-None-Match"), tag)) {
        reply_release(reply);
        reply->code = HTTP_NOT_MODIFIED;
    } else {
        has_file = choose_part(request, reply, tag);
    }
    reply_header(reply, "Accept-Ranges", "bytes");
    if (!has_file)
        return STATUS_OK;
    reply_header(reply, "ETag", "%s", tag);
    reply_header(reply, "Content-Disposition", "attachment; filename=\"%s.%s\"", answer->name,
                 answer->suffix);
    return STATUS_OK;
}
