#include "service/http/keeper.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/store/reaper.h"
#include "service/store/retention.h"
#include "service/store/schema.h"
#include "service/store/uploads.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { PERIOD_MS = 1000, NS_PER_S = 1000000000 };

static const int64_t MS_PER_DAY = 24 * 60 * 60 * 1000;

struct keeper {
    const struct config *config;
    struct redis_pool *pool;
    struct retention retention;
    struct reaper reaper;
    bool schema_checked, troubled;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    bool stopping;
    enum status failed;
    struct error why;
};

static void check_schema(struct keeper *keeper) {
    struct error err = {0};
    enum status status = schema_prepare(keeper->config->data, keeper->pool, &err);
    if (status == STATUS_UNAVAILABLE)
        return;
    keeper->schema_checked = true;
    pthread_mutex_lock(&keeper->lock);
    keeper->failed = status;
    keeper->why = err;
    pthread_mutex_unlock(&keeper->lock);
}

/* What failed is tried again a third of a lease later. */
static void reap(struct keeper *keeper) {
    struct error ignored;
    enum status status = reaper_step(&keeper->reaper, &ignored);
    (void)status;
}

/* Says once what is in the way, and again after it went well. */
static void retire(struct keeper *keeper) {
    struct error err = {0}, uploads_err = {0};
    enum status uploads = uploads_expire(keeper->config, &uploads_err);
    enum status status = retention_step(&keeper->retention, &err);
    if (!status && uploads) {
        status = uploads;
        err = uploads_err;
    }
    if (status && !keeper->troubled)
        log_warn("retention_failed", log_error_field(&err));
    keeper->troubled = status != STATUS_OK;
}

/* False when it is time to end. */
static bool rest(struct keeper *keeper) {
    int64_t wake_ns = clock_mono_ns() + (int64_t)PERIOD_MS * NS_PER_MS;
    struct timespec wake = {wake_ns / NS_PER_S, wake_ns % NS_PER_S};
    int timed_out = 0;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping && !timed_out)
        timed_out = pthread_cond_timedwait(&keeper->changed, &keeper->lock, &wake);
    bool stopping = keeper->stopping;
    pthread_mutex_unlock(&keeper->lock);
    return !stopping;
}

static void *keep(void *ctx) {
    struct keeper *keeper = ctx;
    do {
        if (!keeper->schema_checked)
            check_schema(keeper);
        if (keeper->schema_checked && !keeper->failed) {
            reap(keeper);
            retire(keeper);
        }
    } while (rest(keeper));
    return NULL;
}

struct keeper *keeper_create(const struct config *config, struct redis_pool *pool,
                             bool schema_checked) {
    struct keeper *keeper = xcalloc(1, sizeof *keeper);
    pthread_condattr_t attributes;
    keeper->config = config;
    keeper->pool = pool;
    keeper->schema_checked = schema_checked;
    keeper->retention = (struct retention){
        .pool = pool,
        .data = config->data,
        .keep_jobs_ms = config->keep_jobs_days * MS_PER_DAY,
        .keep_checkpoints_ms = config->keep_checkpoints_days * MS_PER_DAY,
    };
    keeper->reaper =
        (struct reaper){.pool = pool, .lease_ms = config->lease_ms, .max_lost = config->max_lost};
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    CHECK(pthread_create(&keeper->thread, NULL, keep, keeper) == 0);
    return keeper;
}

enum status keeper_failed(struct keeper *keeper, struct error *err) {
    pthread_mutex_lock(&keeper->lock);
    enum status status = keeper->failed;
    if (status && err)
        *err = keeper->why;
    pthread_mutex_unlock(&keeper->lock);
    return status;
}

void keeper_free(struct keeper *keeper) {
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
