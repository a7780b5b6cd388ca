/* Webhooks and their outboxes, against a real Redis. */
#include "service/store/webhooks.h"
#include "tests/support/queue_case.h"

enum { TAKEN_MS = 400 };

static void make_hook(char id[ID_BYTES], const char *tag) {
    struct webhook_request request = {.url = "http://example.org/"};
    struct webhook_card card;
    str_copy(request.events.item[request.events.count++], FIELD_TEXT_BYTES, "job.submitted");
    str_copy(request.events.item[request.events.count++], FIELD_TEXT_BYTES, "job.cancelled");
    str_copy(request.tag, sizeof request.tag, tag);
    id_make(&ids, ID_PREFIX_WEBHOOK, id);
    must(webhooks_create(fixture.pool, id, "whsec_AAAA", &request, &card, &why), "create");
    T_STR(card.secret, "whsec_AAAA");
}

static struct webhook_card show(const char *id) {
    struct webhook_card card = {0};
    must(webhooks_get(fixture.pool, id, &card, &why), "get");
    return card;
}

static struct delivery_list take_some(int most, const char *const *busy, int busy_count) {
    struct delivery_list list;
    const struct take take = {TAKEN_MS, most, 4, busy_count, busy};
    must(webhooks_take(fixture.pool, &take, &list, &why), "take");
    return list;
}

static int count_taken(int most) {
    struct delivery_list list = take_some(most, NULL, 0);
    int count = list.count;
    delivery_list_release(&list);
    return count;
}

static void settle(const char *hook, const char *message, enum outcome outcome, int64_t delay_ms) {
    const struct settlement settlement = {hook, message, outcome, delay_ms, 500, "answered 500"};
    must(webhooks_settle(fixture.pool, &settlement, &why), "settle");
}

/* A message is its taker's for the lease, then anybody's; its name stays. */
static void test_a_message_is_taken_for_a_time(void) {
    fresh();
    char hook[ID_BYTES];
    make_hook(hook, "");
    submit(0);
    struct delivery_list first = take_some(32, NULL, 0);
    T_INT(first.count, 1);
    T_INT(count_taken(32), 0);
    clock_sleep_ms(TAKEN_MS + 50);
    struct delivery_list again = take_some(32, NULL, 0);
    T_INT(again.count, 1);
    T_STR(again.item[0].message, first.item[0].message);
    T_INT(again.item[0].tries, 0);
    settle(hook, first.item[0].message, OUTCOME_DELIVERED, 0);
    settle(hook, first.item[0].message, OUTCOME_AGAIN, 0); /* too late: it has arrived */
    struct webhook_card card = show(hook);
    T_INT(card.delivered, 1);
    T_INT(card.failures, 0);
    T_INT(card.waiting, 0);
    delivery_list_release(&first);
    delivery_list_release(&again);
}

static void test_tries_are_counted(void) {
    fresh();
    char hook[ID_BYTES];
    make_hook(hook, "");
    must(webhooks_test(fixture.pool, hook, "event_1", &why), "test");
    T_INT(count_taken(32), 1);
    settle(hook, "event_1", OUTCOME_AGAIN, 100000);
    T_INT(count_taken(32), 0); /* not yet */
    settle(hook, "event_1", OUTCOME_AGAIN, 0);
    struct delivery_list list = take_some(32, NULL, 0);
    T_INT(list.count, 1);
    T_INT(list.item[0].tries, 2);
    T_CHECK(list.item[0].job == NULL);
    delivery_list_release(&list);
    settle(hook, "event_1", OUTCOME_RETURNED, 0);
    T_INT(show(hook).failures, 2);
    settle(hook, "event_1", OUTCOME_GIVEN_UP, 0);
    struct webhook_card card = show(hook);
    T_INT(card.failures, 3);
    T_INT(card.given_up, 1);
    T_INT(card.waiting, 0);
    T_STR(card.last_error, "answered 500");
}

/* One webhook never takes all places. */
static void test_few_of_a_hook_at_once(void) {
    fresh();
    char busy[ID_BYTES], other[ID_BYTES];
    make_hook(busy, "");
    make_hook(other, "");
    for (int i = 0; i < 10; i++)
        submit(0);
    const char *const three[] = {busy, busy, busy};
    struct delivery_list list = take_some(32, three, 3);
    T_INT(list.count, 1 + 4);
    delivery_list_release(&list);
    T_INT(count_taken(3), 3);
}

static void test_hooks_take_turns(void) {
    fresh();
    char hook[3][ID_BYTES], taken[4][ID_BYTES];
    for (int i = 0; i < 3; i++)
        make_hook(hook[i], "");
    submit(0);
    submit(0);
    for (int i = 0; i < 4; i++) {
        struct delivery_list list = take_some(1, NULL, 0);
        T_INT(list.count, 1);
        str_copy(taken[i], sizeof taken[i], list.item[0].hook);
        delivery_list_release(&list);
    }
    for (int i = 0; i < 4; i++)
        T_STR(taken[i], hook[i % 3]);
}

static void test_who_failed_gets_one_at_a_time(void) {
    fresh();
    char hook[ID_BYTES];
    make_hook(hook, "");
    const char *const one[] = {hook};
    for (int i = 0; i < 10; i++)
        submit(0);
    struct delivery_list first = take_some(32, NULL, 0);
    T_INT(first.count, 4);
    settle(hook, first.item[0].message, OUTCOME_AGAIN, 100000);
    struct delivery_list busy = take_some(32, one, 1), next = take_some(32, NULL, 0);
    T_INT(busy.count, 0);
    T_INT(next.count, 1);
    settle(hook, next.item[0].message, OUTCOME_DELIVERED, 0);
    T_INT(count_taken(32), 4); /* it is well again */
    delivery_list_release(&first);
    delivery_list_release(&busy);
    delivery_list_release(&next);
}

static void test_only_what_was_asked_for(void) {
    fresh();
    char tagged[ID_BYTES], all[ID_BYTES];
    make_hook(tagged, "vision");
    make_hook(all, "");
    struct job job = submit(0);
    struct claim claim;
    const struct job_edit edit = {.tags = {1, {"vision"}}, .has_tags = true};
    must(claim_as(&ALICE, LEASE_MS, &claim), "claim"); /* nobody wants to know */
    must(jobs_edit(fixture.pool, job.id, &edit, NULL, &why), "edit");
    must(jobs_change(fixture.pool, JOB_EVENT_CANCEL, job.id, NULL, &why), "cancel");
    enum job_state state;
    must(queue_release(fixture.pool, &claim, &state, &why), "release");
    T_INT(show(all).waiting, 2);
    T_INT(show(tagged).waiting, 1);
}

static void test_an_outbox_has_an_end(void) {
    fresh();
    char hook[ID_BYTES], message[ID_BYTES];
    make_hook(hook, "");
    must(webhooks_test(fixture.pool, hook, "event_first", &why), "test");
    settle(hook, "event_first", OUTCOME_AGAIN, 100000);
    for (int i = 0; i < 1000; i++) {
        id_make(&ids, ID_PREFIX_EVENT, message);
        must(webhooks_test(fixture.pool, hook, message, &why), "test");
    }
    struct webhook_card card = show(hook);
    T_INT(card.waiting, 1000);
    T_INT(card.given_up, 1); /* the one that was to be tried last */
    settle(hook, "event_first", OUTCOME_DELIVERED, 0);
    T_INT(show(hook).delivered, 0);
    must(webhooks_remove(fixture.pool, hook, &why), "remove");
    T_INT(count_taken(32), 0);
    T_INT(webhooks_get(fixture.pool, hook, &card, NULL), STATUS_NOT_FOUND);
    T_INT(webhooks_remove(fixture.pool, hook, NULL), STATUS_NOT_FOUND);
}

int main(void) {
    id_source_init(&ids);
    fixture_open(&fixture);
    T_RUN(test_a_message_is_taken_for_a_time);
    T_RUN(test_tries_are_counted);
    T_RUN(test_few_of_a_hook_at_once);
    T_RUN(test_hooks_take_turns);
    T_RUN(test_who_failed_gets_one_at_a_time);
    T_RUN(test_only_what_was_asked_for);
    T_RUN(test_an_outbox_has_an_end);
    fixture_close(&fixture);
    id_source_release(&ids);
    return t_done();
}
