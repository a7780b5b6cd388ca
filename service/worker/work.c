#include "service/worker/work.h"

#include "engine/base/clock.h"
#include "service/common/log.h"
#include "service/common/ready.h"
#include "service/common/signals.h"
#include "service/store/folders.h"
#include "service/store/reaper.h"
#include "service/store/schema.h"
#include "service/worker/leftovers.h"
#include "service/worker/run.h"
#include "service/worker/slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CONNECTIONS = 3, /* the run's, its reporter's, and one to spare */
    IDLE_MS = 250,   /* between looks at an empty queue, when no change wakes the worker */
    AWAY_MS = 250,   /* between tries while Redis is away */
    LEFTOVER_MS = 60 * 60 * 1000
};

struct worker {
    const struct config *config;
    struct redis_pool *pool;
    struct feed *feed;
    struct slot slot;
    struct presence presence;
    struct notifier notifier;
    struct reaper reaper;
    bool away; /* Redis did not answer last time */
};

/* Says once that Redis is away, and once that it is back. */
static void note_redis(struct worker *worker, enum status status, const struct error *err) {
    bool away = status == STATUS_UNAVAILABLE;
    if (away && !worker->away)
        log_warn("redis_away", log_error_field(err));
    if (!away && worker->away)
        log_info("redis_back");
    worker->away = away;
}

/* Until it answers, holds what this version knows, and belongs to this data directory; CANCELLED
 * when the worker is to end before. */
static enum status wait_for_redis(struct worker *worker, struct error *err) {
    for (;;) {
        enum status status = schema_prepare(worker->config->data, worker->pool, err);
        note_redis(worker, status, err);
        if (status != STATUS_UNAVAILABLE)
            return status;
        notifier_status(&worker->notifier, "waiting for Redis");
        notifier_alive(&worker->notifier);
        if (signals_wait(AWAY_MS))
            return error_set(err, STATUS_CANCELLED, "stopped while redis is away");
    }
}

static enum status worker_open(struct worker *worker, const struct config *config,
                               struct error *err) {
    struct redis_address address;
    *worker = (struct worker){.config = config, .slot.fd = -1};
    notifier_open(&worker->notifier);
    enum status status = redis_address_of(&address, config, err);
    if (!status)
        status = schema_check_data(config->data, err);
    if (status)
        return status;
    worker->pool = pool_create(&address, CONNECTIONS);
    worker->reaper = (struct reaper){
        .pool = worker->pool, .lease_ms = config->lease_ms, .max_lost = config->max_lost};
    status = wait_for_redis(worker, err);
    if (!status)
        status = folders_join(config->data, LEFTOVER_MS, err);
    if (!status)
        status = slot_open(&worker->slot, config->data, err);
    if (status)
        return status;
    worker->feed = feed_create(&address);
    presence_init(&worker->presence, config, worker->pool, &worker->slot.name, &worker->notifier);
    worker->slot.name.devices = &worker->presence.card.devices;
    return STATUS_OK;
}

static void worker_close(struct worker *worker) {
    feed_free(worker->feed);
    pool_free(worker->pool);
    slot_close(&worker->slot);
    notifier_close(&worker->notifier);
}

/* The private Redis is set up as it must be; with another one, its owner should know. */
static void warn_of_settings(struct worker *worker) {
    struct str warning = STR_INIT;
    struct error ignored;
    if (!config_redis_is_private(worker->config) &&
        pool_check_settings(worker->pool, &warning, &ignored) == STATUS_OK && warning.len > 0)
        log_warn("redis_settings", log_text("warning", str_text(&warning)));
    str_release(&warning);
}

static void say_ready(struct worker *worker) {
    log_info("worker_ready", log_text("worker", worker->slot.name.name));
    notifier_ready(&worker->notifier, "waiting for a job");
    ready_say(worker->config, "ready");
}

static void reap(struct worker *worker) {
    struct error err = {0};
    enum status status = reaper_step(&worker->reaper, &err);
    note_redis(worker, status, &err);
}

/* The feed only wakes: the queue itself says what there is to do. */
static void on_change(void *ctx, const char *id) {
    (void)ctx;
    (void)id;
}

static void idle(struct worker *worker) {
    struct error err = {0};
    presence_tell(&worker->presence);
    reap(worker);
    if (feed_wait(worker->feed, IDLE_MS, on_change, NULL, &err) != STATUS_OK)
        signals_wait(AWAY_MS);
}

static enum run_end carry_out(struct worker *worker, const struct claim *claim,
                              int64_t claimed_ns) {
    log_info("job_claimed", log_text("job", claim->job.id), log_int("attempt", claim->job.attempt),
             log_text("worker", worker->slot.name.name));
    notifier_status(&worker->notifier, "at work on %s", claim->job.id);
    enum run_end end =
        run_claim(worker->config, worker->pool, claim, claimed_ns, &worker->presence);
    notifier_status(&worker->notifier, "waiting for a job");
    return end;
}

/* One look at the queue. False when this process cannot go on. */
static bool work_once(struct worker *worker, struct claim *claim) {
    struct error err = {0};
    const struct config *config = worker->config;
    int64_t claimed_ns = clock_mono_ns();
    presence_alive(&worker->presence);
    enum status status = queue_claim(worker->pool, &worker->slot.name, config->lease_ms,
                                     config->max_lost, claim, &err);
    note_redis(worker, status, &err);
    if (status == STATUS_OK)
        return carry_out(worker, claim, claimed_ns) != RUN_BROKEN;
    if (status == STATUS_NOT_FOUND)
        idle(worker);
    else
        signals_wait(AWAY_MS);
    if (status != STATUS_NOT_FOUND && status != STATUS_UNAVAILABLE)
        log_fail("claim_failed", log_error_field(&err));
    return true;
}

int work_main(const struct config *config) {
    struct worker worker;
    struct error err = {0};
    enum status status = worker_open(&worker, config, &err);
    if (status) {
        if (status != STATUS_CANCELLED)
            log_fail("worker_cannot_start", log_error_field(&err));
        ready_refuse(config, &err);
        worker_close(&worker);
        return status == STATUS_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    bool usable = true;
    presence_tell(&worker.presence);
    warn_of_settings(&worker);
    leftovers_remove(config->data, worker.pool);
    say_ready(&worker);
    struct claim *claim = xcalloc(1, sizeof *claim);
    while (usable && !signals_stop())
        usable = work_once(&worker, claim);
    free(claim);
    notifier_stopping(&worker.notifier);
    presence_leave(&worker.presence);
    worker_close(&worker);
    log_info("worker_ends");
    return usable ? EXIT_SUCCESS : EXIT_FAILURE;
}
