/* Bodies that are files of an upload: PUT /uploads/{id}/files/{file}, and an archive that is sent
 * to POST /datasets, which is an upload of its own for as long as its request. */
#include "service/common/log.h"
#include "service/http/content_range.h"
#include "service/http/dataset_import.h"
#include "service/http/handlers.h"
#include "service/store/upload_file.h"

#include <stdlib.h>

struct stream_in {
    struct import import; /* first: what the import of an archive answers from */
    struct upload_file_writer file;
    struct content_range range;
    bool has_range;
    bool is_own; /* the upload is the request's, and ends with it */
};

/* Lets others work at the upload, if it is not the request's own. Due before an answer: who has it
 * may go on at once. */
static void stream_in_end(struct stream_in *stream) {
    upload_file_close(&stream->file);
    if (stream->is_own && uploads_remove(stream->file.config, stream->import.upload, NULL))
        log_debug("upload_gone", log_text("upload", stream->import.upload)); /* it was imported */
    stream->is_own = false;
}

static void stream_in_free(void *state) {
    struct stream_in *stream = state;
    stream_in_end(stream);
    import_release(&stream->import);
    free(stream);
}

static enum status take(void *ctx, const void *bytes, size_t len, struct error *err) {
    struct stream_in *stream = ctx;
    enum status status = upload_file_add(&stream->file, bytes, len, err);
    if (status)
        stream_in_end(stream);
    return status;
}

static struct stream_in *stream_in_create(struct request *request) {
    struct stream_in *stream = xcalloc(1, sizeof *stream);
    stream->file = (struct upload_file_writer){
        .config = request->app->config, .lock = -1, .fd = -1, .expected = -1};
    request->state = stream;
    request->release = stream_in_free;
    return stream;
}

/* ---- PUT /uploads/{id}/files/{file} ---- */

static enum status read_range(struct stream_in *stream, struct request *request,
                              struct error *err) {
    const char *header = request_header(request, "Content-Range");
    stream->range = (struct content_range){.total = -1};
    stream->has_range = header != NULL;
    if (!header || content_range_parse(header, &stream->range))
        return STATUS_OK;
    return request_refuse(request, "Content-Range", header, "bytes FIRST-LAST/TOTAL", err);
}

/* What a request says before its first byte about how long the file will be; 0: nothing. */
static int64_t announced_bytes(const struct stream_in *stream, const struct request *request) {
    const char *length = request_header(request, "Content-Length");
    int64_t bytes = 0;
    if (stream->has_range)
        return stream->range.total < 0 ? stream->range.last + 1 : stream->range.total;
    return length && str_parse_i64(length, &bytes) ? bytes : 0;
}

enum status begin_upload_file(struct request *request, struct reply *reply, struct error *err) {
    struct stream_in *stream = stream_in_create(request);
    const char *name = request->second_arg;
    enum status status = read_range(stream, request, err);
    if (!status)
        status = upload_file_open(&stream->file, request->app->config, request->arg, name,
                                  stream->range.first, err);
    if (status == STATUS_INVALID && str_equal(err->field, "file"))
        status = request_refuse(request, "file", name, INCOMING_NAMES, err);
    if (!status)
        status = upload_file_check_size(&stream->file, announced_bytes(stream, request), err);
    request->sink = (struct body_sink){take, stream};
    if (!status)
        return STATUS_OK;
    stream_in_end(stream);
    if (stream->file.expected < 0)
        return status;
    reply_field_errors(reply, err, request->wrong);
    reply_extend(reply, "expected_offset", stream->file.expected);
    return STATUS_OK;
}

/* What came stays, so that a client can see what went wrong and go on. */
static enum status check_range(const struct stream_in *stream, struct error *err) {
    const struct content_range *range = &stream->range;
    if (!stream->has_range || stream->file.bytes == range->last + 1)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "Content-Range",
                           "Content-Range promised %lld bytes, the body had %lld",
                           (long long)(range->last + 1 - range->first),
                           (long long)(stream->file.bytes - range->first));
}

enum status handle_upload_file(struct request *request, struct reply *reply, struct error *err) {
    struct stream_in *stream = request->state;
    struct upload_file_writer *file = &stream->file;
    struct upload_file answer = {.bytes = file->bytes};
    answer.complete = !stream->has_range || stream->range.total == file->bytes;
    str_copy(answer.name, sizeof answer.name, file->name);
    enum status status = check_range(stream, err);
    if (!status && answer.complete)
        status = upload_file_complete(file, err);
    stream_in_end(stream);
    if (!status)
        upload_file_add_json(&answer, reply_json(reply, HTTP_OK));
    return status;
}

/* ---- POST /datasets with an archive ---- */

static enum status read_name(const struct request *request, const char **name, struct error *err) {
    *name = request_query(request, "name");
    if (*name)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "name", "the parameter name is missing");
}

enum status begin_dataset_archive(struct request *request, struct reply *reply, struct error *err) {
    (void)reply;
    struct stream_in *stream = stream_in_create(request);
    const struct config *config = request->app->config;
    bool is_gzip = str_equal(request->content_type, "application/gzip");
    char *id = stream->import.upload;
    const char *name;
    enum status status = read_name(request, &name, err);
    if (!status)
        status = uploads_create(config, &request->app->ids, name, id, err);
    stream->is_own = !status;
    if (!status)
        status = upload_file_open(&stream->file, config, id,
                                  is_gzip ? "dataset.tar.gz" : "dataset.tar", 0, err);
    request->sink = (struct body_sink){take, stream};
    if (status)
        stream_in_end(stream);
    else
        str_copy(stream->import.asked.name, sizeof stream->import.asked.name, name);
    return status;
}

enum status finish_dataset_archive(struct request *request, struct reply *reply,
                                   struct error *err) {
    (void)reply;
    struct stream_in *stream = request->state;
    enum status status = upload_file_complete(&stream->file, err);
    if (status) {
        stream_in_end(stream);
        return status;
    }
    upload_file_close(&stream->file); /* the import wants the upload alone */
    import_start(&stream->import, request);
    return STATUS_OK;
}
