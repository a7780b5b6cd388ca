#include "service/worker/reporter.h"

#include "engine/base/clock.h"
#include "engine/base/str.h"
#include "service/common/log.h"
#include "service/store/reaper.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    RENEW_MAX_MS = 1000, /* also how soon a cancel is noticed */
    RETRY_MS = 200       /* while Redis is away */
};

/* ---- what the training thread does ---- */

static struct job_progress progress_of(const struct train_progress *from) {
    struct job_progress to = {
        .epoch = from->epoch,
        .epochs = from->epochs,
        .step = from->step,
        .steps = from->steps,
        .fraction = from->steps > 0 ? (double)from->step / (double)from->steps : 0,
        .images_per_s = from->images_per_s,
        .remaining_s = from->remaining_s,
    };
    str_copy(to.phase, sizeof to.phase, from->phase ? from->phase : "");
    return to;
}

enum verdict reporter_tick(struct reporter *reporter, const struct train_progress *progress) {
    pthread_mutex_lock(&reporter->lock);
    reporter->ticked_ns = clock_mono_ns();
    int64_t checkpoint = reporter->progress.checkpoint;
    if (progress)
        reporter->progress = progress_of(progress);
    reporter->progress.checkpoint = checkpoint;
    enum verdict verdict = reporter->verdict;
    pthread_mutex_unlock(&reporter->lock);
    return verdict;
}

void reporter_checkpoint(struct reporter *reporter, int64_t step) {
    pthread_mutex_lock(&reporter->lock);
    reporter->progress.checkpoint = step;
    pthread_mutex_unlock(&reporter->lock);
}

void reporter_wake(struct reporter *reporter) {
    pthread_mutex_lock(&reporter->lock);
    pthread_cond_signal(&reporter->changed);
    pthread_mutex_unlock(&reporter->lock);
}

/* ---- what the thread does ---- */

static struct point point_of(const struct claim *claim, const struct metric_point *from) {
    return (struct point){
        .phase = from->phase == METRIC_EVAL ? POINT_EVAL : POINT_TRAIN,
        .epoch = from->epoch,
        .step = from->step,
        .loss = from->loss,
        .ce = from->ce,
        .distill = claim->job.spec.method == METHOD_CE ? NAN : from->distill,
        .top1 = from->top1,
        .top5 = from->top5,
        .learning_rate = from->learning_rate,
        .images_per_s = from->images_per_s,
    };
}

/* Publishes what waits, in order, until something goes wrong. */
static enum status publish_all(struct reporter *reporter, struct error *err) {
    struct metric_point next;
    enum status status = STATUS_OK;
    while (outbox_first(reporter->outbox, &next)) {
        struct point point = point_of(reporter->claim, &next);
        if ((status = queue_publish(reporter->pool, reporter->claim, &point, err)))
            return status;
        outbox_remove_first(reporter->outbox);
    }
    return status;
}

static enum verdict verdict_of(enum job_request wish) {
    static const enum verdict verdicts[JOB_REQUEST_COUNT] = {
        [JOB_REQUEST_NONE] = VERDICT_GO,
        [JOB_REQUEST_PAUSE] = VERDICT_PAUSE,
        [JOB_REQUEST_CANCEL] = VERDICT_CANCEL,
    };
    return verdicts[wish];
}

static void set_verdict(struct reporter *reporter, enum verdict verdict) {
    pthread_mutex_lock(&reporter->lock);
    /* Who has lost the claim does not get it back. */
    if (reporter->verdict != VERDICT_GONE)
        reporter->verdict = verdict;
    pthread_mutex_unlock(&reporter->lock);
}

static enum status renew(struct reporter *reporter, struct error *err) {
    pthread_mutex_lock(&reporter->lock);
    struct job_progress progress = reporter->progress;
    pthread_mutex_unlock(&reporter->lock);
    enum job_request wish;
    int64_t sent_ns = clock_mono_ns();
    enum status status =
        queue_renew(reporter->pool, reporter->claim, reporter->lease_ms, &progress, &wish, err);
    if (status)
        return status;
    pthread_mutex_lock(&reporter->lock);
    reporter->lease_ends_ns = sent_ns + reporter->lease_ms * NS_PER_MS;
    pthread_mutex_unlock(&reporter->lock);
    set_verdict(reporter, verdict_of(wish));
    return STATUS_OK;
}

void reporter_renew(struct reporter *reporter) {
    struct error ignored;
    enum status status = renew(reporter, &ignored);
    (void)status; /* the settling that follows finds out by itself */
}

static int64_t silent_ms(struct reporter *reporter) {
    pthread_mutex_lock(&reporter->lock);
    int64_t silent_ns = clock_mono_ns() - reporter->ticked_ns;
    pthread_mutex_unlock(&reporter->lock);
    return silent_ns / NS_PER_MS;
}

/* Nothing ends a thread that hangs in a device or a file system but the end of its process; the
 * supervisor starts another one. */
static void end_if_hung(struct reporter *reporter) {
    int64_t silent = silent_ms(reporter);
    if (silent < reporter->hang_ms)
        return;
    log_fail("run_hangs", log_text("job", reporter->claim->job.id), log_int("silent_ms", silent));
    _exit(EXIT_FAILURE);
}

static bool lease_may_be_over(struct reporter *reporter) {
    pthread_mutex_lock(&reporter->lock);
    bool over = clock_mono_ns() >= reporter->lease_ends_ns;
    pthread_mutex_unlock(&reporter->lock);
    return over;
}

/* One round: points first, because an end that is noticed must find them published. */
static enum status report(struct reporter *reporter, bool renewal_due, struct error *err) {
    enum status status = publish_all(reporter, err);
    if (!status && renewal_due && silent_ms(reporter) < reporter->lease_ms)
        status = renew(reporter, err);
    if (status == STATUS_CONFLICT || status == STATUS_NOT_FOUND) {
        log_warn("claim_lost", log_text("job", reporter->claim->job.id), log_error_field(err));
        set_verdict(reporter, VERDICT_GONE);
    }
    return status;
}

/* Sleeps until the time has come, a point waits, or the end. */
static bool sleep_until(struct reporter *reporter, int64_t wake_ns) {
    struct timespec wake = {wake_ns / (1000 * NS_PER_MS), wake_ns % (1000 * NS_PER_MS)};
    pthread_mutex_lock(&reporter->lock);
    if (!reporter->stopping)
        pthread_cond_timedwait(&reporter->changed, &reporter->lock, &wake);
    bool stopping = reporter->stopping;
    pthread_mutex_unlock(&reporter->lock);
    return !stopping;
}

static void note_trouble(struct reporter *reporter, bool *away, const struct error *err) {
    if (!*away)
        log_warn("redis_away", log_text("job", reporter->claim->job.id), log_error_field(err));
    *away = true;
    if (lease_may_be_over(reporter))
        set_verdict(reporter, VERDICT_LAPSED);
}

static bool is_gone(struct reporter *reporter) {
    pthread_mutex_lock(&reporter->lock);
    bool gone = reporter->verdict == VERDICT_GONE;
    pthread_mutex_unlock(&reporter->lock);
    return gone;
}

/* Workers that train also look after the jobs of those that died. */
static void reap(struct reaper *reaper) {
    struct error ignored;
    enum status status = reaper_step(reaper, &ignored);
    (void)status; /* the next report finds out by itself whether Redis is there */
}

static void *report_thread(void *ctx) {
    struct reporter *reporter = ctx;
    int64_t period_ms =
        reporter->lease_ms / 3 < RENEW_MAX_MS ? reporter->lease_ms / 3 : RENEW_MAX_MS;
    struct reaper reaper = {.pool = reporter->pool,
                            .lease_ms = reporter->lease_ms,
                            .max_lost = reporter->max_lost,
                            .due_ns = clock_mono_ns() + reporter->lease_ms * NS_PER_MS};
    int64_t renew_ns = 0;
    bool away = false;
    for (int64_t wake_ns = 0; sleep_until(reporter, wake_ns);) {
        struct error err = {0};
        int64_t now_ns = clock_mono_ns();
        bool due = now_ns >= renew_ns;
        presence_alive(reporter->presence);
        end_if_hung(reporter);
        if (is_gone(reporter)) {
            wake_ns = now_ns + period_ms * NS_PER_MS;
            continue;
        }
        if (report(reporter, due, &err) != STATUS_OK) {
            if (!is_gone(reporter))
                note_trouble(reporter, &away, &err);
            clock_sleep_ms(RETRY_MS); /* whatever wakes it: a point does not make Redis return */
            continue;
        }
        away = false;
        if (reporter->presence)
            presence_tell(reporter->presence);
        if (due)
            renew_ns = now_ns + period_ms * NS_PER_MS;
        reap(&reaper);
        wake_ns = renew_ns;
    }
    return NULL;
}

void reporter_start(struct reporter *reporter) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&reporter->lock, NULL);
    pthread_cond_init(&reporter->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    reporter->ticked_ns = clock_mono_ns();
    reporter->lease_ends_ns = reporter->claimed_ns + reporter->lease_ms * NS_PER_MS;
    reporter->progress = reporter->claim->job.progress;
    str_copy(reporter->progress.phase, sizeof reporter->progress.phase, "preparing");
    CHECK(pthread_create(&reporter->thread, NULL, report_thread, reporter) == 0);
}

void reporter_stop(struct reporter *reporter) {
    pthread_mutex_lock(&reporter->lock);
    reporter->stopping = true;
    pthread_cond_signal(&reporter->changed);
    pthread_mutex_unlock(&reporter->lock);
    pthread_join(reporter->thread, NULL);
    pthread_cond_destroy(&reporter->changed);
    pthread_mutex_destroy(&reporter->lock);
}
