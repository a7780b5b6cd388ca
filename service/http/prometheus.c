/* GET /metrics: what Prometheus asks for now and then; nothing here grows with the number of jobs.
 */
#include "api/job.h"
#include "api/limits.h"
#include "service/http/app.h"
#include "service/http/handlers.h"
#include "service/store/jobs.h"
#include "service/store/webhooks.h"
#include "service/store/workers.h"

#include <sys/statvfs.h>

static void add_gauge(struct str *out, const char *name, const char *help, int64_t value) {
    telemetry_add_help(out, name, "gauge", help);
    str_addf(out, "%s %lld\n", name, (long long)value);
}

/* ---- what Redis knows; without an answer there are no such lines ---- */

/* Jobs by state; false when Redis is away. */
static bool add_jobs(struct app *app, struct str *out) {
    int64_t count[JOB_STATE_COUNT], oldest_ms;
    bool up = jobs_count(app->pool, count, NULL) == STATUS_OK;
    add_gauge(out, "distilld_redis_up", "1 when Redis answers.", up);
    if (!up)
        return false;
    telemetry_add_help(out, "distilld_jobs", "gauge",
                       "Jobs by state; queued is the queue's depth.");
    for (int state = 0; state < JOB_STATE_COUNT; state++)
        str_addf(out, "distilld_jobs{state=\"%s\"} %lld\n", job_state_slug((enum job_state)state),
                 (long long)count[state]);
    if (jobs_oldest_ms(app->pool, &oldest_ms, NULL) == STATUS_OK)
        add_gauge(out, "distilld_queue_oldest_seconds",
                  "Age of the oldest job that waits for a worker.", oldest_ms / 1000);
    return true;
}

static void add_workers(struct app *app, struct str *out) {
    int count[WORKER_STATES] = {0};
    struct worker_list workers = {0};
    if (workers_list(app->pool, &workers, NULL))
        return;
    for (int i = 0; i < workers.count; i++)
        count[workers.item[i].state]++;
    worker_list_release(&workers);
    telemetry_add_help(out, "distilld_workers", "gauge",
                       "Workers by state; lost and ended ones for an hour.");
    for (int state = 0; state < WORKER_STATES; state++)
        str_addf(out, "distilld_workers{state=\"%s\"} %d\n", worker_states[state], count[state]);
}

static void add_waiting_messages(struct app *app, struct str *out) {
    struct webhook_list webhooks = {0};
    int64_t waiting = 0;
    if (webhooks_list(app->pool, "", LIMIT_WEBHOOKS, &webhooks, NULL))
        return;
    for (int i = 0; i < webhooks.count; i++)
        waiting += webhooks.item[i].waiting;
    webhook_list_release(&webhooks);
    add_gauge(out, "distilld_webhook_waiting", "Messages that wait to be sent to webhooks.",
              waiting);
}

/* ---- what this process knows ---- */

static void add_deliveries(struct app *app, struct str *out) {
    struct deliverer_counts counts = deliverer_counts(app->deliverer);
    telemetry_add_help(out, "distilld_webhook_tries_total", "counter",
                       "Messages sent to webhooks, by whether they arrived.");
    str_addf(out, "distilld_webhook_tries_total{outcome=\"delivered\"} %lld\n",
             (long long)counts.delivered);
    str_addf(out, "distilld_webhook_tries_total{outcome=\"failed\"} %lld\n",
             (long long)counts.failed);
    telemetry_add_help(out, "distilld_webhook_given_up_total", "counter",
                       "Messages that were tried for the last time in vain.");
    str_addf(out, "distilld_webhook_given_up_total %lld\n", (long long)counts.given_up);
}

static void add_models(struct app *app, struct str *out) {
    add_gauge(out, "distilld_models_loaded", "Models ready to classify.",
              model_cache_count(app->models));
    add_gauge(out, "distilld_models_bytes", "Memory of these models.",
              model_cache_bytes(app->models));
    add_gauge(out, "distilld_predictions_waiting", "Pictures that wait to be classified.",
              model_cache_waiting(app->models));
}

static void add_room(struct app *app, struct str *out) {
    struct statvfs room;
    if (statvfs(app->config->data, &room) == 0)
        add_gauge(out, "distilld_data_free_bytes", "Room for the data directory.",
                  (int64_t)((uint64_t)room.f_bavail * room.f_frsize));
}

enum status handle_prometheus(struct request *request, struct reply *reply, struct error *err) {
    (void)err;
    struct app *app = request->app;
    struct str *out = reply_body(reply, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8");
    telemetry_add_help(out, "distilld_build_info", "gauge", "1, and which version this is.");
    str_add(out, "distilld_build_info{version=\"" DISTILL_VERSION "\"} 1\n");
    if (add_jobs(app, out)) {
        add_workers(app, out);
        add_waiting_messages(app, out);
    }
    add_models(app, out);
    add_room(app, out);
    add_deliveries(app, out);
    telemetry_add_text(app->telemetry, out);
    return STATUS_OK;
}
