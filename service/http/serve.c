#include "service/http/serve.h"

#include "api/limits.h"
#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/common/notify.h"
#include "service/common/ready.h"
#include "service/common/signals.h"
#include "service/http/app.h"
#include "service/http/server.h"
#include "service/store/blobs.h"
#include "service/store/folders.h"
#include "service/store/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SPARE_FILES = 256, LEFTOVER_MS = 24 * 60 * 60 * 1000 };

/* Each connection is a file; the usual soft limit of 1024 is too few for the default. */
static void raise_file_limit(int64_t connections) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        log_warn("few_files", log_int("limit", (int64_t)limit.rlim_cur),
                 log_int("connections", connections));
}

/* Says once what this Redis cannot promise; it may also come up later. */
static void check_redis(struct app *app) {
    struct str warning = STR_INIT;
    struct error err;
    if (pool_check_settings(app->pool, &warning, &err))
        log_warn("redis_unavailable", log_error_field(&err));
    else if (warning.len)
        log_warn("redis_settings", log_text("warning", str_text(&warning)));
    str_release(&warning);
}

/* A folder that is mounted later is fine, a mistyped one is not found out otherwise. */
static void check_roots(const char *roots) {
    char *list = xstrdup(roots), *rest = NULL;
    for (char *root = strtok_r(list, ":", &rest); root; root = strtok_r(NULL, ":", &rest))
        if (!file_is_dir(root))
            log_warn("no_such_import_root", log_text("path", root));
    free(list);
}

static enum status app_open(struct app *app, const struct config *config, struct error *err) {
    struct redis_address address;
    enum status status = redis_address_of(&address, config, err);
    if (!status)
        status = schema_check_data(config->data, err);
    if (status)
        return status;
    /* who else may hold a connection: the pump, the keeper, the deliverer, this thread, and those
     * that read long curves */
    int helpers = 4 + LIMIT_DECODERS;
    app->config = config;
    app->pool = pool_create(&address, (int)config->threads + helpers);
    status = schema_prepare(config->data, app->pool, err);
    bool schema_checked = status == STATUS_OK;
    if (schema_checked || status == STATUS_UNAVAILABLE) /* Redis may also come up later */
        status = folders_join(config->data, LEFTOVER_MS, err);
    if (!status)
        status = blobs_sweep(config->data, err);
    if (status) {
        pool_free(app->pool);
        return status;
    }
    id_source_init(&app->ids);
    app->keys = key_ring_create(config->data);
    app->rates = rate_table_create();
    app->telemetry = telemetry_create();
    app->models = model_cache_create(config);
    app->loaders = crew_create(LIMIT_LOADERS, LIMIT_LOADS_WAITING);
    app->decoders = crew_create(LIMIT_DECODERS, LIMIT_DECODES_WAITING);
    app->imports = crew_create(1, LIMIT_IMPORTS_WAITING);
    app->pump = pump_create(feed_create(&address));
    app->keeper = keeper_create(config, app->pool, schema_checked);
    app->deliverer = deliverer_create(config, app->pool);
    return STATUS_OK;
}

static void app_close(struct app *app) {
    deliverer_free(app->deliverer);
    keeper_free(app->keeper);
    pump_free(app->pump);
    crew_free(app->imports);
    crew_free(app->decoders);
    crew_free(app->loaders);
    model_cache_free(app->models);
    telemetry_free(app->telemetry);
    rate_table_free(app->rates);
    key_ring_free(app->keys);
    id_source_release(&app->ids);
    pool_free(app->pool);
}

/* Tells whoever started this process that requests are accepted. */
static void announce(const struct config *config, const char *url, struct notifier *notifier) {
    log_info("listening", log_text("url", url));
    notifier_ready(notifier, "listening on %s", url);
    if (config->ready_fd < 0) {
        printf("distilld ready %s\n", url);
        fflush(stdout);
        return;
    }
    ready_say(config, url);
}

static enum status run(struct app *app, const struct config *config, struct notifier *notifier,
                       struct error *err) {
    struct server *server;
    enum status status = server_create(&server, config, app, err);
    if (status) {
        ready_refuse(config, err);
        return status;
    }
    announce(config, server_url(server), notifier);
    check_roots(config->import_roots);
    check_redis(app);
    while (!status && !signals_wait(LIMIT_SWEEP_MS)) {
        if (signals_take_reload())
            server_reload(server);
        server_sweep(server);
        notifier_alive(notifier);
        status = keeper_failed(app->keeper, err);
    }
    log_info("draining");
    notifier_stopping(notifier);
    pump_stop(app->pump);
    server_drain(server, config->drain_ms);
    struct error *stop_err = status ? NULL : err;
    enum status stopped = server_stop(server, stop_err);
    return !status || stopped == STATUS_TIMEOUT ? stopped : status;
}

int serve_main(const struct config *config) {
    struct app app = {0};
    struct error err;
    struct notifier notifier;
    notifier_open(&notifier);
    if (config->tls_cert[0])
        signals_reload_on_hangup();
    raise_file_limit(config->connections);
    enum status status = app_open(&app, config, &err);
    if (status) {
        log_fail("serve_failed", log_error_field(&err));
        ready_refuse(config, &err);
        notifier_close(&notifier);
        return EXIT_FAILURE;
    }
    status = run(&app, config, &notifier, &err);
    notifier_close(&notifier);
    if (status == STATUS_TIMEOUT) { /* threads still use the app: leave it as it is */
        log_warn("stopped_at_work", log_error_field(&err));
        _exit(1);
    }
    app_close(&app);
    if (status) {
        log_fail("serve_failed", log_error_field(&err));
        return EXIT_FAILURE;
    }
    log_info("stopped");
    return app.device_lost ? EXIT_FAILURE : EXIT_SUCCESS;
}
