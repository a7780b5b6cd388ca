#include "service/http/server.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/http/listen.h"
#include "service/http/server_internal.h"
#include "service/http/tls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From this version on libmicrohttpd unfolds lines and ends them at a lone LF before anybody sees
 * them, unless it is told to refuse that. Older ones show them to framing.c. */
#if MHD_VERSION >= 0x00097600
#define REFUSE_FOLDS MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, NULL
#else
#define REFUSE_FOLDS MHD_OPTION_STRICT_FOR_CLIENT, 0, NULL
#endif

static struct link *link_of(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void log_daemon(void *ctx, const char *format, va_list args) PRINTF_LIKE(2, 0);

static void log_daemon(void *ctx, const char *format, va_list args) {
    (void)ctx;
    struct str text = STR_INIT;
    str_vaddf(&text, format, args);
    log_debug("libmicrohttpd", log_text("message", str_text(&text)));
    str_release(&text);
}

static struct tls_identity *show_identity(struct server *server, void *session) {
    pthread_mutex_lock(&server->identity_lock);
    struct tls_identity *identity = server->identity;
    tls_identity_share(identity, session);
    pthread_mutex_unlock(&server->identity_lock);
    return identity;
}

static struct link *link_create(struct server *server, struct MHD_Connection *connection) {
    int socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    void *session = tls ? tls->tls_session : NULL;
    struct link *link = watch_add(&server->watch, socket, session);
    if (session)
        link->identity = show_identity(server, session);
    return link;
}

/* A connection opens or closes; in between its link says where it is. */
static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct server *server = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct link *link = link_create(server, connection);
        link_set_deadline(link, server->config->request_timeout_ms);
        *socket_context = link;
        return;
    }
    struct link *link = *socket_context;
    exchange_free(link->exchange);
    tls_identity_release(link->identity);
    watch_remove(&server->watch, link);
    acceptor_forget(&server->acceptor);
}

/* The request line has arrived. */
static void *on_target(void *ctx, const char *raw, struct MHD_Connection *connection) {
    struct server *server = ctx;
    struct link *link = link_of(connection);
    exchange_free(link->exchange);
    link->exchange = exchange_create(server, link, connection, raw);
    atomic_store(&link->excused_ms, 0);
    link_set_deadline(link, server->config->request_timeout_ms);
    atomic_store(&link->busy, true);
    atomic_store(&link->answer_due, true);
    return link->exchange;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_bytes, void **context) {
    (void)ctx, (void)connection, (void)url;
    return exchange_run(*context, method, version, data, data_bytes);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    (void)code;
    struct server *server = ctx;
    struct link *link = link_of(connection);
    exchange_free(link->exchange);
    link->exchange = NULL;
    *context = NULL;
    atomic_store(&link->answer_due, false);
    atomic_store(&link->busy, false);
    link_set_deadline(link, server->config->request_timeout_ms);
}

/* Targets are decoded by target.c, from the raw text. */
static size_t keep_escaped(void *ctx, struct MHD_Connection *connection, char *text) {
    (void)ctx, (void)connection;
    return strlen(text);
}

/* The acceptor keeps to the limit. libmicrohttpd has more room in each thread, because it counts a
 * connection until some time after it has told of its end. */
static enum status start_daemon(struct server *server, const struct tls *tls, struct error *err) {
    const struct config *config = server->config;
    char priorities[] = TLS_PRIORITIES;
    struct MHD_OptionItem secure[] = {
        {tls->cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, tls->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_daemon, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, config->threads > 1 ? config->threads : 0, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, 2 * config->connections + config->threads, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)config->address_connections, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, LIMIT_CONNECTION_BYTES, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, LIMIT_INACTIVE_S, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escaped, NULL},
        {REFUSE_FOLDS},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     MHD_USE_NO_LISTEN_SOCKET | (tls->cert ? MHD_USE_TLS : 0);
    server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_ARRAY,
                                      options, MHD_OPTION_ARRAY, secure, MHD_OPTION_END);
    if (!server->daemon)
        return error_set(err, STATUS_INTERNAL, "libmicrohttpd does not start");
    return STATUS_OK;
}

/* Binds, then starts libmicrohttpd; *listener may be open also after a failure. */
static enum status start(struct server *server, int *listener, struct error *err) {
    const struct config *config = server->config;
    struct tls tls = {NULL, NULL};
    enum status status = STATUS_OK;
    if (config->tls_cert[0] && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        status = error_set_field(err, STATUS_UNSUPPORTED, "tls_cert",
                                 "tls_cert: this libmicrohttpd was built without TLS");
    else if (config->tls_cert[0])
        status = tls_load(&tls, config->tls_cert, config->tls_key, err);
    if (!status)
        status = listen_open(listener, config, server->url, sizeof server->url, err);
    if (!status && tls.cert)
        server->identity = tls_identity_create(&tls);
    if (!status)
        status = start_daemon(server, &tls, err);
    tls_release(&tls);
    return status;
}

static void server_free(struct server *server) {
    watch_release(&server->watch);
    tls_identity_release(server->identity);
    pthread_mutex_destroy(&server->identity_lock);
    free(server);
}

enum status server_create(struct server **out, const struct config *config, struct app *app,
                          struct error *err) {
    struct server *server = xcalloc(1, sizeof *server);
    server->config = config;
    server->app = app;
    server->budget.max_bytes = LIMIT_BODIES_BYTES;
    server->budget.max_files = LIMIT_UPLOADS;
    watch_init(&server->watch);
    pthread_mutex_init(&server->identity_lock, NULL);
    int listener = -1;
    enum status status = start(server, &listener, err);
    if (!status) {
        acceptor_start(&server->acceptor, server->daemon, listener, config->connections);
        *out = server;
        return STATUS_OK;
    }
    if (listener >= 0)
        close(listener);
    server_free(server);
    return status;
}

const char *server_url(const struct server *server) {
    return server->url;
}

void server_reload(struct server *server) {
    const struct config *config = server->config;
    struct tls tls;
    struct error err;
    if (!server->identity)
        return;
    if (tls_load(&tls, config->tls_cert, config->tls_key, &err)) {
        log_fail("tls_not_reloaded", log_error_field(&err));
        return;
    }
    struct tls_identity *fresh = tls_identity_create(&tls);
    tls_release(&tls);
    pthread_mutex_lock(&server->identity_lock);
    struct tls_identity *old = server->identity;
    server->identity = fresh;
    pthread_mutex_unlock(&server->identity_lock);
    tls_identity_release(old);
    log_info("tls_reloaded", log_text("tls_cert", config->tls_cert));
}

void server_sweep(struct server *server) {
    watch_sweep(&server->watch);
}

/* Whoever resumes a request may still be about to say so when its answer is out already. */
static bool is_busy(struct server *server) {
    return atomic_load(&server->exchanges) > 0 || atomic_load(&server->suspended) > 0;
}

void server_drain(struct server *server, int64_t max_ms) {
    enum { STEP_MS = 10 };
    atomic_store(&server->draining, true);
    acceptor_stop(&server->acceptor);
    int64_t end_ns = clock_mono_ns() + max_ms * NS_PER_MS;
    while (is_busy(server) && clock_mono_ns() < end_ns) {
        watch_close_idle(&server->watch);
        watch_sweep(&server->watch);
        clock_sleep_ms(STEP_MS);
    }
}

enum status server_stop(struct server *server, struct error *err) {
    int suspended = atomic_load(&server->suspended);
    if (suspended > 0) /* libmicrohttpd aborts if stopped now */
        return error_set(err, STATUS_TIMEOUT, "%d requests are still worked on", suspended);
    MHD_stop_daemon(server->daemon);
    server_free(server);
    return STATUS_OK;
}
