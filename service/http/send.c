#include "service/http/server_internal.h"

#include "service/http/stream.h"

#include <stdlib.h>

/* Bytes that libmicrohttpd copies from a stream at a time. */
enum { STREAM_BLOCK_BYTES = 16 * 1024 };

static void sleep_connection(void *connection) {
    MHD_suspend_connection(connection);
}

static void wake_connection(void *connection) {
    MHD_resume_connection(connection);
}

static const struct stream_sleeper sleeper = {sleep_connection, wake_connection};

static ssize_t read_stream(void *ctx, uint64_t position, char *out, size_t max) {
    (void)position;
    ssize_t taken = stream_take(ctx, out, max);
    return taken == STREAM_ENDED ? MHD_CONTENT_READER_END_OF_STREAM : taken;
}

static void close_stream(void *ctx) {
    stream_close(ctx);
}

static struct MHD_Response *stream_response(struct exchange *exchange) {
    struct reply *reply = &exchange->reply;
    stream_attach(reply->stream, &sleeper, exchange->connection);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, reply->stream, close_stream);
    if (response)
        reply->stream = NULL;
    /* libmicrohttpd would end even a body that it leaves out with a last chunk: the client would
     * take that for the beginning of the next answer */
    if (response && exchange->is_head)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

static struct MHD_Response *file_response(struct reply *reply) {
    struct MHD_Response *response =
        MHD_create_response_from_fd_at_offset64(reply->file_bytes, reply->file, reply->file_offset);
    if (response)
        reply->file = -1;
    return response;
}

static struct MHD_Response *bytes_response(struct reply *reply) {
    size_t len = reply->body.len;
    char *bytes = str_take(&reply->body);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(bytes);
    return response;
}

static void add_headers(struct MHD_Response *response, const struct exchange *exchange) {
    const struct reply *reply = &exchange->reply;
    if (reply->content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (int i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->header[i].name, reply->header[i].value);
    if (atomic_load(&exchange->server->draining))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* How long the client may take to read the answer; a stream has its own ways. */
static void set_read_deadline(struct exchange *exchange, uint64_t answer_bytes) {
    if (exchange->reply.stream)
        return;
    uint64_t rate_ms = answer_bytes * 1000 / LIMIT_RATE_BYTES_PER_S;
    link_set_deadline(exchange->link, LIMIT_GRACE_MS + (int64_t)rate_ms);
}

enum MHD_Result exchange_send(struct exchange *exchange) {
    struct reply *reply = &exchange->reply;
    exchange_add_headers(exchange);
    exchange->state = EXCHANGE_DONE;
    exchange->code = reply->code;
    set_read_deadline(exchange, reply->file >= 0 ? reply->file_bytes : reply->body.len);
    struct MHD_Response *response = reply->stream      ? stream_response(exchange)
                                    : reply->file >= 0 ? file_response(reply)
                                                       : bytes_response(reply);
    if (!response)
        return MHD_NO;
    add_headers(response, exchange);
    enum MHD_Result result =
        MHD_queue_response(exchange->connection, (unsigned)reply->code, response);
    MHD_destroy_response(response);
    return result;
}
