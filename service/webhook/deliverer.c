#include "service/webhook/deliverer.h"

#include "api/codec.h"
#include "api/limits.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/webhook/sender.h"
#include "service/webhook/signature.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { LOOK_MS = 250, LEASE_GRACE_MS = 5000, MOST_OF_A_HOOK = 4, MS_PER_S = 1000, HTTP_GONE = 410 };

/* How long to wait after each try that failed, in units of webhook_retry_ms: with its 5 s these are
 * 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h. */
static const int64_t DELAYS[LIMIT_MESSAGE_TRIES - 1] = {1,    60,    360,   1440, 3600,
                                                        7200, 10080, 14400, 17280};

struct deliverer {
    const struct config *config;
    struct redis_pool *pool;
    struct sender *sender;
    struct delivery work[LIMIT_MESSAGES_SENDING]; /* on its way; hook "" where there is none */
    int64_t look_ns;                              /* when the outboxes are looked at next */
    bool troubled;
    atomic_bool stopping;
    _Atomic int64_t delivered, failed, given_up;
    pthread_t thread;
};

static void report(struct deliverer *deliverer, enum status status, const struct error *err) {
    if (status && !deliverer->troubled)
        log_warn("webhooks_failed", log_error_field(err));
    deliverer->troubled = status != STATUS_OK;
}

/* ---- ends ---- */

enum outcome deliverer_judge(int64_t tries, int http_status) {
    if (http_status >= 200 && http_status <= 299)
        return OUTCOME_DELIVERED;
    if (http_status == HTTP_GONE)
        return OUTCOME_GONE;
    return tries + 1 < LIMIT_MESSAGE_TRIES ? OUTCOME_AGAIN : OUTCOME_GIVEN_UP;
}

int64_t deliverer_delay_ms(int64_t tries, int64_t retry_ms) {
    return DELAYS[tries] * retry_ms;
}

static void count(struct deliverer *deliverer, enum outcome outcome) {
    if (outcome == OUTCOME_DELIVERED)
        deliverer->delivered++;
    else if (outcome != OUTCOME_RETURNED)
        deliverer->failed++;
    if (outcome == OUTCOME_GIVEN_UP || outcome == OUTCOME_GONE)
        deliverer->given_up++;
}

static void settle(struct deliverer *deliverer, struct delivery *delivery, enum outcome outcome,
                   int http_status, const char *why) {
    struct error err = {0};
    const struct settlement settlement = {
        .hook = delivery->hook,
        .message = delivery->message,
        .outcome = outcome,
        .delay_ms = outcome == OUTCOME_AGAIN
                        ? deliverer_delay_ms(delivery->tries, deliverer->config->webhook_retry_ms)
                        : 0,
        .http_status = http_status,
        .error = why,
    };
    if (outcome == OUTCOME_GIVEN_UP || outcome == OUTCOME_GONE)
        log_warn("webhook_given_up", log_text("webhook", delivery->hook),
                 log_text("message", delivery->message), log_text("error", why));
    count(deliverer, outcome);
    report(deliverer, webhooks_settle(deliverer->pool, &settlement, &err), &err);
    free(delivery->job);
    *delivery = (struct delivery){0};
}

/* What is over makes room, so the outboxes are looked at again. */
static void settle_sent(struct deliverer *deliverer) {
    struct sent sent;
    while (sender_next(deliverer->sender, &sent)) {
        deliverer->look_ns = 0;
        struct delivery *delivery = &deliverer->work[sent.number];
        settle(deliverer, delivery, deliverer_judge(delivery->tries, sent.http_status),
               sent.http_status, sent.error);
    }
}

/* ---- beginnings ---- */

static void add_body(const struct delivery *delivery, struct str *out) {
    char time[CLOCK_TEXT_BYTES];
    clock_format(delivery->at_ms, time);
    str_addf(out, "{\"type\":\"%s\",\"timestamp\":\"%s\",\"data\":", delivery->kind, time);
    if (delivery->job)
        job_add_json(delivery->job, out);
    else
        str_addf(out, "{\"webhook\":\"%s\"}", delivery->hook);
    str_add(out, "}");
}

static enum status send(struct deliverer *deliverer, int number, struct error *err) {
    struct delivery *delivery = &deliverer->work[number];
    struct str body = STR_INIT;
    char signature[SIGNATURE_BYTES];
    int64_t now_s = clock_wall_ms() / MS_PER_S;
    add_body(delivery, &body);
    enum status status =
        signature_make(delivery->secret, delivery->message, now_s, &body, signature, err);
    const struct post post = {delivery->url, delivery->message, signature, now_s, &body};
    if (!status)
        status = sender_post(deliverer->sender, &post, number, err);
    str_release(&body);
    return status;
}

static int free_place(const struct deliverer *deliverer) {
    for (int i = 0; i < LIMIT_MESSAGES_SENDING; i++)
        if (!deliverer->work[i].hook[0])
            return i;
    return -1;
}

static void begin(struct deliverer *deliverer, struct delivery *delivery) {
    struct error err = {0};
    int number = free_place(deliverer);
    CHECK(number >= 0);
    deliverer->work[number] = *delivery;
    delivery->job = NULL;
    if (send(deliverer, number, &err))
        settle(deliverer, &deliverer->work[number],
               deliverer_judge(deliverer->work[number].tries, 0), 0, err.message);
}

/* Takes as many as there is room for. */
static void look(struct deliverer *deliverer) {
    const char *busy[LIMIT_MESSAGES_SENDING];
    struct delivery_list list;
    struct error err = {0};
    struct take take = {
        .lease_ms = deliverer->config->webhook_timeout_ms + LEASE_GRACE_MS,
        .most_of_a_hook = MOST_OF_A_HOOK,
        .busy = busy,
    };
    for (int i = 0; i < LIMIT_MESSAGES_SENDING; i++)
        if (deliverer->work[i].hook[0])
            busy[take.busy_count++] = deliverer->work[i].hook;
    take.most = LIMIT_MESSAGES_SENDING - take.busy_count;
    if (!take.most)
        return;
    enum status status = webhooks_take(deliverer->pool, &take, &list, &err);
    report(deliverer, status, &err);
    for (int i = 0; i < list.count; i++)
        begin(deliverer, &list.item[i]);
    delivery_list_release(&list);
}

/* ---- the thread ---- */

static void *deliver(void *ctx) {
    struct deliverer *deliverer = ctx;
    while (!deliverer->stopping) {
        int64_t now_ns = clock_mono_ns();
        if (now_ns >= deliverer->look_ns) {
            look(deliverer);
            deliverer->look_ns = clock_mono_ns() + (int64_t)LOOK_MS * 1000 * 1000;
        }
        sender_run(deliverer->sender, LOOK_MS);
        settle_sent(deliverer);
    }
    for (int i = 0; i < LIMIT_MESSAGES_SENDING; i++)
        if (deliverer->work[i].hook[0])
            settle(deliverer, &deliverer->work[i], OUTCOME_RETURNED, 0, "");
    return NULL;
}

struct deliverer *deliverer_create(const struct config *config, struct redis_pool *pool) {
    struct deliverer *deliverer = xcalloc(1, sizeof *deliverer);
    deliverer->config = config;
    deliverer->pool = pool;
    deliverer->sender = sender_create(config->webhook_timeout_ms, config->webhook_private);
    CHECK(pthread_create(&deliverer->thread, NULL, deliver, deliverer) == 0);
    return deliverer;
}

void deliverer_free(struct deliverer *deliverer) {
    if (!deliverer)
        return;
    deliverer->stopping = true;
    sender_wake(deliverer->sender);
    pthread_join(deliverer->thread, NULL);
    sender_free(deliverer->sender);
    free(deliverer);
}

struct deliverer_counts deliverer_counts(struct deliverer *deliverer) {
    return (struct deliverer_counts){deliverer->delivered, deliverer->failed, deliverer->given_up};
}
