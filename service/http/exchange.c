#include "service/http/server_internal.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/common/origins.h"
#include "service/http/app.h"
#include "service/http/cors.h"
#include "service/store/space.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct exchange *exchange_of(const struct request *request) {
    return (struct exchange *)(uintptr_t)request;
}

/* What handlers ask of their request. */

static const char *find_header(const struct request *request, const char *name) {
    return MHD_lookup_connection_value(exchange_of(request)->connection, MHD_HEADER_KIND, name);
}

static void suspend(struct request *request, handler_fn then) {
    struct exchange *exchange = exchange_of(request);
    CHECK(exchange->state == EXCHANGE_BODY || exchange->state == EXCHANGE_WAITING);
    exchange->state = EXCHANGE_WAITING;
    exchange->then = then;
    atomic_fetch_add(&exchange->server->suspended, 1);
    MHD_suspend_connection(exchange->connection);
}

static void resume(struct request *request) {
    struct exchange *exchange = exchange_of(request);
    struct server *server = exchange->server; /* outlives the exchange */
    MHD_resume_connection(exchange->connection);
    atomic_fetch_sub(&server->suspended, 1);
}

static const struct request_ops request_ops = {find_header, suspend, resume};

/* Life. */

struct exchange *exchange_create(struct server *server, struct link *link,
                                 struct MHD_Connection *connection, const char *raw) {
    struct exchange *exchange = xcalloc(1, sizeof *exchange);
    exchange->server = server;
    exchange->link = link;
    exchange->connection = connection;
    exchange->raw = xstrdup(raw);
    exchange->begun_ns = clock_mono_ns();
    exchange->request.app = server->app;
    exchange->request.ops = &request_ops;
    exchange->request.holder = &exchange->holder;
    exchange->request.target = &exchange->target;
    exchange->request.content_type = exchange->content_type;
    reply_init(&exchange->reply);
    exchange->reply.data = server->config->data;
    atomic_fetch_add(&server->exchanges, 1);
    return exchange;
}

static void record(const struct exchange *exchange) {
    double seconds = (double)(clock_mono_ns() - exchange->begun_ns) * 1e-9;
    telemetry_request(exchange->server->app->telemetry, exchange->route, exchange->code, seconds);
    struct str path = STR_INIT; /* a query may hold what was meant for a header */
    str_add_bytes(&path, exchange->raw, strcspn(exchange->raw, "?"));
    log_debug("request", log_text("route", exchange->route ? exchange->route->name : NULL),
              log_text("path", str_text(&path)), log_int("code", exchange->code),
              log_double("seconds", seconds), request_by(&exchange->request));
    str_release(&path);
}

void exchange_free(struct exchange *exchange) {
    if (!exchange)
        return;
    record(exchange);
    if (exchange->request.release)
        exchange->request.release(exchange->request.state);
    reply_release(&exchange->reply);
    body_release(&exchange->body);
    target_release(&exchange->target);
    free(exchange->raw);
    atomic_fetch_sub(&exchange->server->exchanges, 1);
    free(exchange);
}

void exchange_add_headers(struct exchange *exchange) {
    throttle_add_headers(&exchange->left, &exchange->reply);
    cors_add(exchange->server->config->cors_origins, find_header(&exchange->request, "Origin"),
             &exchange->reply);
}

/* Ends the connection with an answer written past libmicrohttpd. A client that is still sending
 * is listened to for a moment, or else it might never see the answer. */
static enum MHD_Result refuse(struct exchange *exchange, bool linger) {
    exchange_add_headers(exchange);
    exchange->state = EXCHANGE_REFUSED;
    exchange->code = exchange->reply.code;
    if (!link_claim_answer(exchange->link))
        return MHD_NO;
    wire_send(&exchange->link->wire, &exchange->reply);
    if (!linger)
        return MHD_NO;
    wire_end(&exchange->link->wire);
    link_set_deadline(exchange->link, LIMIT_LINGER_MS);
    return MHD_YES;
}

/* The head of a request. */

/* "Image/PNG; x=y" to "image/png". */
static void copy_media_type(char out[CONTENT_TYPE_BYTES], const char *header) {
    size_t len = header ? strcspn(header, "; \t") : 0;
    if (len >= CONTENT_TYPE_BYTES)
        len = 0;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)tolower((unsigned char)header[i]);
    out[len] = '\0';
}

static enum body_kind body_kind(const struct exchange *exchange) {
    return exchange->route ? route_body(exchange->route, exchange->content_type) : BODY_UNUSED;
}

static size_t body_limit(const struct exchange *exchange) {
    enum body_kind kind = body_kind(exchange);
    if (kind == BODY_PICTURES || kind == BODY_TENSORS)
        return (size_t)exchange->server->config->max_body_bytes;
    if (kind == BODY_FILE)
        return LIMIT_WEIGHTS_BYTES;
    if (kind == BODY_STREAM || kind == BODY_ARCHIVE)
        return (size_t)exchange->server->config->upload_bytes;
    return kind == BODY_JSON ? LIMIT_JSON_BYTES : LIMIT_UNUSED_BODY_BYTES;
}

/* The body is compressed or the like. */
static bool is_coded(const struct exchange *exchange) {
    const char *coding = find_header(&exchange->request, "Content-Encoding");
    return body_kind(exchange) != BODY_UNUSED && coding && strcasecmp(coding, "identity") != 0;
}

/* Errors under /v2 are in that protocol's form, also those of the target itself. */
static void choose_form(struct exchange *exchange) {
    const struct target *target = &exchange->target;
    if (target->segment_count > 0 && str_equal(target->segment[0], "v2"))
        exchange->reply.form = REPLY_INFERENCE;
}

/* Finds the route, or fills the reply with why there is none. */
static void find_route(struct exchange *exchange, const char *method) {
    struct route_match match;
    router_match(method, &exchange->target, &match);
    exchange->is_head = str_equal(method, MHD_HTTP_METHOD_HEAD);
    exchange->route = match.route;
    exchange->request.route = match.route ? match.route->name : NULL;
    exchange->request.arg = match.arg[0];
    exchange->request.second_arg = match.arg[1];
    copy_media_type(exchange->content_type, find_header(&exchange->request, "Content-Type"));
    if (!match.route && match.allow[0]) {
        reply_problem(&exchange->reply, PROBLEM_METHOD_NOT_ALLOWED,
                      "the resource does not know this method, only %s", match.allow);
        reply_header(&exchange->reply, "Allow", "%s", match.allow);
    } else if (!match.route) {
        struct error err;
        error_set(&err, STATUS_NOT_FOUND, "there is no such resource");
        reply_error(&exchange->reply, &err);
    } else if (!route_takes(match.route, exchange->content_type)) {
        reply_problem(&exchange->reply, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "this resource takes %s",
                      route_media(match.route));
    } else if (is_coded(exchange)) {
        reply_problem(&exchange->reply, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                      "bodies are taken as they are, without a content coding");
    }
}

/* A browser asks first whether a page may send such a request. */
static void answer_preflight(struct exchange *exchange, const char *method,
                             const struct framing *framing) {
    const char *origin = find_header(&exchange->request, "Origin");
    struct route_match match;
    if (!str_equal(method, MHD_HTTP_METHOD_OPTIONS) || framing->chunked || framing->length ||
        !origin || !origins_have(exchange->server->config->cors_origins, origin) ||
        !find_header(&exchange->request, "Access-Control-Request-Method"))
        return;
    router_match(method, &exchange->target, &match);
    if (match.allow[0])
        cors_answer_preflight(match.allow, &exchange->reply);
}

/* Whether this caller may use the route, and now. */
static void check_caller(struct exchange *exchange) {
    const struct request *request = &exchange->request;
    if (access_check(request, exchange->route, &exchange->holder, &exchange->reply))
        throttle_check(request, exchange->route, exchange->link->wire.socket, &exchange->left,
                       &exchange->reply);
}

static enum status check_length(const struct exchange *exchange, const struct framing *framing,
                                struct error *err) {
    if (framing->length <= exchange->body.max_bytes)
        return STATUS_OK;
    return error_set(err, STATUS_TOO_LARGE, "the body has %llu bytes, the limit is %zu",
                     (unsigned long long)framing->length, exchange->body.max_bytes);
}

/* A body that is a file has one from here on. */
static enum status open_file(struct exchange *exchange, struct error *err) {
    char folder[FILE_PATH_BYTES];
    const struct config *config = exchange->server->config;
    enum status status = config_path(config, "models", folder, err);
    if (!status)
        status = space_check(config->data, config->min_free_bytes, err);
    if (!status)
        status = space_check_count(config->data, "models", LIMIT_MODELS, err);
    return status ? status : body_open_file(&exchange->body, folder, err);
}

/* Lets the handler fill the reply, and answers with the error that it returns instead, or with what
 * is wrong with the query. */
static void run_handler(struct exchange *exchange, handler_fn handler) {
    struct field_errors wrong;
    struct error err = {0};
    wrong.count = 0;
    exchange->request.wrong = &wrong;
    if (request_check_query(&exchange->request, &err) ||
        handler(&exchange->request, &exchange->reply, &err))
        reply_field_errors(&exchange->reply, &err, &wrong);
}

/* What takes the body is there from here on; a sink is made by the route. */
static void open_body(struct exchange *exchange, const struct framing *framing) {
    struct error err;
    exchange->body.max_bytes = body_limit(exchange);
    exchange->body.budget = &exchange->server->budget;
    if (exchange->reply.code)
        return;
    handler_fn begin = route_begin(exchange->route, exchange->content_type);
    enum status status = check_length(exchange, framing, &err);
    if (!status && body_kind(exchange) == BODY_FILE)
        status = open_file(exchange, &err);
    if (!status && begin)
        status = body_count_file(&exchange->body, &err);
    if (status)
        reply_error(&exchange->reply, &err);
    if (status || !begin)
        return;
    run_handler(exchange, begin);
    exchange->body.sink = exchange->request.sink;
    CHECK(exchange->body.sink.take || exchange->reply.code);
}

static enum MHD_Result read_head(struct exchange *exchange, const char *method,
                                 const char *version) {
    struct http_headers headers;
    struct framing framing;
    struct error err;
    exchange_headers(exchange, &headers);
    enum status status = framing_check(&headers, version, &framing, &err);
    if (status == STATUS_TOO_LARGE)
        reply_problem(&exchange->reply, PROBLEM_HEADERS_TOO_LARGE, "%s", err.message);
    else if (status)
        reply_error(&exchange->reply, &err);
    if (status)
        return refuse(exchange, false);
    status = target_parse(&exchange->target, exchange->raw, &err);
    choose_form(exchange);
    if (status)
        reply_error(&exchange->reply, &err);
    else
        find_route(exchange, method);
    if (exchange->route)
        check_caller(exchange);
    if (!status)
        answer_preflight(exchange, method, &framing);
    open_body(exchange, &framing);
    exchange->state = EXCHANGE_BODY;
    if (!exchange->reply.code || (!framing.chunked && !framing.length))
        return MHD_YES;
    return refuse(exchange, !framing.expects_continue);
}

/* The body. */

/* At a minimum rate after some grace, and but for a file as a whole within the configured time. */
static void set_body_deadline(struct exchange *exchange) {
    bool is_file = exchange->body.counts;
    int64_t spent_ms = (clock_mono_ns() - exchange->begun_ns) / NS_PER_MS -
                       atomic_load(&exchange->link->excused_ms);
    int64_t whole_ms = is_file ? INT64_MAX : exchange->server->config->request_timeout_ms;
    int64_t rate = is_file ? LIMIT_UPLOAD_RATE_BYTES_PER_S : LIMIT_RATE_BYTES_PER_S;
    int64_t rate_ms = LIMIT_GRACE_MS + (int64_t)exchange->body.len * 1000 / rate;
    link_set_deadline(exchange->link, (rate_ms < whole_ms ? rate_ms : whole_ms) - spent_ms);
}

static enum MHD_Result read_body(struct exchange *exchange, const char *data, size_t *data_bytes) {
    size_t len = *data_bytes;
    *data_bytes = 0; /* all of it is taken */
    if (exchange->state != EXCHANGE_BODY)
        return MHD_YES;
    struct error err;
    if (body_add(&exchange->body, data, len, &err)) {
        reply_error(&exchange->reply, &err);
        return refuse(exchange, true);
    }
    set_body_deadline(exchange);
    return MHD_YES;
}

/* The answer. */

static enum MHD_Result let_handler_answer(struct exchange *exchange, handler_fn handler) {
    run_handler(exchange, handler);
    if (exchange->state == EXCHANGE_WAITING && exchange->then)
        return MHD_YES;
    CHECK(exchange->reply.code); /* every handler answers or suspends */
    return exchange_send(exchange);
}

static enum MHD_Result answer(struct exchange *exchange) {
    link_clear_deadline(exchange->link); /* first: after it nobody finds the request late */
    if (!link_claim_answer(exchange->link))
        return MHD_NO;
    exchange->request.body = exchange->body.data ? exchange->body.data : "";
    exchange->request.body_len = exchange->body.len;
    exchange->request.body_path = exchange->body.file ? exchange->body.file->tmp_path : NULL;
    if (exchange->reply.code)
        return exchange_send(exchange);
    return let_handler_answer(exchange, exchange->route->handler);
}

static enum MHD_Result go_on(struct exchange *exchange) {
    handler_fn then = exchange->then;
    exchange->then = NULL;
    return let_handler_answer(exchange, then);
}

enum MHD_Result exchange_run(struct exchange *exchange, const char *method, const char *version,
                             const char *data, size_t *data_bytes) {
    if (exchange->state == EXCHANGE_HEAD)
        return read_head(exchange, method, version);
    if (*data_bytes)
        return read_body(exchange, data, data_bytes);
    if (exchange->state == EXCHANGE_BODY)
        return answer(exchange);
    return exchange->state == EXCHANGE_WAITING ? go_on(exchange) : MHD_NO;
}
