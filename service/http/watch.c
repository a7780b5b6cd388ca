#include "service/http/watch.h"

#include "api/limits.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/http/reply.h"

#include <stdlib.h>

void watch_init(struct watch *watch) {
    watch->links = NULL;
    pthread_mutex_init(&watch->lock, NULL);
}

void watch_release(struct watch *watch) {
    CHECK(!watch->links);
    pthread_mutex_destroy(&watch->lock);
}

bool link_claim_answer(struct link *link) {
    return atomic_exchange(&link->answer_due, false);
}

static void answer_late(struct wire *wire) {
    struct link *link = (struct link *)wire;
    if (!link_claim_answer(link))
        return;
    struct reply reply;
    reply_init(&reply);
    reply_problem(&reply, PROBLEM_REQUEST_TIMEOUT, "the request did not arrive in time");
    wire_send(wire, &reply);
    reply_release(&reply);
}

struct link *watch_add(struct watch *watch, int socket, void *tls) {
    struct link *link = xcalloc(1, sizeof *link);
    wire_open(&link->wire, socket, tls, answer_late);
    pthread_mutex_lock(&watch->lock);
    link->next = watch->links;
    if (link->next)
        link->next->previous = link;
    watch->links = link;
    pthread_mutex_unlock(&watch->lock);
    return link;
}

void watch_remove(struct watch *watch, struct link *link) {
    pthread_mutex_lock(&watch->lock);
    if (link->next)
        link->next->previous = link->previous;
    if (link->previous)
        link->previous->next = link->next;
    else
        watch->links = link->next;
    pthread_mutex_unlock(&watch->lock);
    free(link);
}

void link_set_deadline(struct link *link, int64_t duration_ms) {
    atomic_store(&link->deadline_ns, clock_mono_ns() + duration_ms * NS_PER_MS);
}

void link_clear_deadline(struct link *link) {
    atomic_store(&link->deadline_ns, 0);
}

/* Puts off a deadline that has passed; false when the connection's thread got on meanwhile. */
static bool link_put_off(struct link *link, int64_t passed_ns, int64_t duration_ms) {
    int64_t later_ns = clock_mono_ns() + duration_ms * NS_PER_MS;
    return atomic_compare_exchange_strong(&link->deadline_ns, &passed_ns, later_ns);
}

/* The connection's own thread may have to write the answer: the next time it is cut anyway. */
static void link_end_late(struct link *link, int64_t passed_ns) {
    bool may_answer = atomic_load(&link->answer_due) && !atomic_load(&link->wire.interrupted);
    if (!link_put_off(link, passed_ns, LIMIT_LINGER_MS))
        return;
    if (may_answer) {
        wire_interrupt(&link->wire);
        return;
    }
    wire_cut(&link->wire);
    link_clear_deadline(link);
}

/* What is missing has come, but this server does not get round to reading it. */
static bool waits_for_us(const struct link *link) {
    bool is_read = atomic_load(&link->answer_due) || !atomic_load(&link->busy);
    return is_read && wire_has_input(&link->wire);
}

static void link_excuse(struct link *link, int64_t passed_ns) {
    if (link_put_off(link, passed_ns, LIMIT_GRACE_MS))
        atomic_fetch_add(&link->excused_ms, LIMIT_GRACE_MS);
}

/* Sockets stay open while the lock is held: watch_remove comes before the close. */
void watch_sweep(struct watch *watch) {
    int64_t now_ns = clock_mono_ns();
    pthread_mutex_lock(&watch->lock);
    for (struct link *link = watch->links; link; link = link->next) {
        int64_t deadline_ns = atomic_load(&link->deadline_ns);
        if (!deadline_ns || deadline_ns >= now_ns)
            continue;
        if (waits_for_us(link))
            link_excuse(link, deadline_ns);
        else
            link_end_late(link, deadline_ns);
    }
    pthread_mutex_unlock(&watch->lock);
}

void watch_close_idle(struct watch *watch) {
    pthread_mutex_lock(&watch->lock);
    for (struct link *link = watch->links; link; link = link->next)
        if (!atomic_load(&link->busy))
            wire_cut(&link->wire);
    pthread_mutex_unlock(&watch->lock);
}
