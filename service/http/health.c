#include "service/http/handlers.h"

#include "api/job.h"
#include "service/http/app.h"
#include "service/store/jobs.h"

enum { HTTP_OK = 200 };

void handle_health(struct request *request, struct reply *reply) {
    (void)request;
    str_add(reply_json(reply, HTTP_OK), "{\"status\":\"ok\"}");
}

void handle_ready(struct request *request, struct reply *reply) {
    struct error err;
    if (pool_ping(request->app->pool, &err))
        reply_error(reply, &err);
    else
        str_add(reply_json(reply, HTTP_OK), "{\"status\":\"ready\"}");
}

static void add_gauge(struct str *out, const char *name, const char *help, int64_t value) {
    telemetry_add_help(out, name, "gauge", help);
    str_addf(out, "%s %lld\n", name, (long long)value);
}

/* Jobs by state; when Redis is away, only that. */
static void add_jobs(struct app *app, struct str *out) {
    int64_t count[JOB_STATE_COUNT];
    bool up = jobs_count(app->pool, count, NULL) == STATUS_OK;
    add_gauge(out, "distilld_redis_up", "1 when Redis answers.", up);
    if (!up)
        return;
    telemetry_add_help(out, "distilld_jobs", "gauge",
                       "Jobs by state; queued is the queue's depth.");
    for (int state = 0; state < JOB_STATE_COUNT; state++)
        str_addf(out, "distilld_jobs{state=\"%s\"} %lld\n", job_state_slug((enum job_state)state),
                 (long long)count[state]);
}

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

void handle_prometheus(struct request *request, struct reply *reply) {
    struct app *app = request->app;
    struct str *out = reply_body(reply, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8");
    add_jobs(app, out);
    add_gauge(out, "distilld_models_loaded", "Models ready to classify.",
              model_cache_count(app->models));
    add_gauge(out, "distilld_models_bytes", "Memory of these models.",
              model_cache_bytes(app->models));
    add_gauge(out, "distilld_predictions_waiting", "Pictures that wait to be classified.",
              model_cache_waiting(app->models));
    add_deliveries(app, out);
    telemetry_add_text(app->telemetry, out);
}
