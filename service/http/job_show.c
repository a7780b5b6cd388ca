#include "service/http/handlers.h"

#include "api/codec.h"
#include "api/limits.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/http/access.h"
#include "service/http/app.h"
#include "service/store/jobs.h"

#include <stdlib.h>

/* Whether a job still is as it was: a stream that says nothing and ends with the change. */
struct watched {
    struct app *app;
    char id[ID_BYTES];
    enum job_state state;
    enum job_request requested;
};

static enum status look(void *ctx, struct str *out, enum stream_next *next, struct error *err) {
    const struct watched *watched = ctx;
    struct job job;
    (void)out;
    enum status status = jobs_get(watched->app->pool, watched->id, &job, err);
    bool changed =
        status == STATUS_NOT_FOUND ||
        (!status && (job.state != watched->state || job.requested != watched->requested));
    *next = changed ? STREAM_ENDS : STREAM_WAITS;
    return changed ? STATUS_OK : status;
}

/* The request that waits is the stream's connection. */

static enum status reply_now(struct request *request, struct reply *reply, struct error *err) {
    struct job job;
    if (!key_ring_allows(request->app->keys, request->holder, KEY_ROLE_READ)) {
        access_refuse(reply); /* the key went away meanwhile */
        return STATUS_OK;
    }
    enum status status = jobs_get(request->app->pool, request->arg, &job, err);
    if (!status)
        job_add_json(&job, reply_json(reply, HTTP_OK));
    return status;
}

static void put_to_sleep(void *connection) {
    request_suspend(connection, reply_now);
}

static void wake(void *connection) {
    request_resume(connection);
}

static void stop_watching(void *state) {
    stream_close(state);
}

/* Replies later; or at once, if the stream has ended already. */
static enum status wait_for_change(struct request *request, struct reply *reply,
                                   const struct job *job, int64_t wait_s, struct error *err) {
    static const struct stream_sleeper sleeper = {put_to_sleep, wake};
    struct watched *watched = xcalloc(1, sizeof *watched);
    struct stream *stream = NULL;
    char nothing[1];
    *watched =
        (struct watched){.app = request->app, .state = job->state, .requested = job->requested};
    str_copy(watched->id, sizeof watched->id, job->id);
    struct stream_source source = {.ctx = watched,
                                   .fill = look,
                                   .release = free,
                                   .quiet = true,
                                   .keys = request->app->keys,
                                   .reader = *request->holder,
                                   .ends_ns = clock_mono_ns() + wait_s * 1000 * NS_PER_MS};
    str_copy(source.topic, sizeof source.topic, job->id);
    enum status status = stream_open(request->app->pump, &source, &stream, err);
    if (status) {
        free(watched);
        return status;
    }
    stream_attach(stream, &sleeper, request);
    request->state = stream;
    request->release = stop_watching;
    return stream_take(stream, nothing, sizeof nothing) == STREAM_ENDED
               ? reply_now(request, reply, err)
               : STATUS_OK;
}

enum status handle_job_show(struct request *request, struct reply *reply, struct error *err) {
    struct job job;
    int64_t wait_s = request_query_value(request, "wait_s");
    enum status status = jobs_get(request->app->pool, request->arg, &job, err);
    if (status)
        return status;
    if (wait_s > 0 && !job_state_finished(job.state))
        return wait_for_change(request, reply, &job, wait_s, err);
    job_add_json(&job, reply_json(reply, HTTP_OK));
    return STATUS_OK;
}
