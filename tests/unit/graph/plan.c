/* plan.h: offsets of values with lifetimes. */
#include "engine/graph/plan.h"

#include "engine/base/rng.h"
#include "tests/support/t.h"

#include <stdbool.h>
#include <stdint.h>

enum { MOST_ITEMS = 200 };

static uint32_t draw(uint32_t round, uint32_t item, uint32_t what, uint32_t below) {
    return rng_below(rng_philox(7, item, round, RNG_TEST, what).word[0], below);
}

static int draw_items(uint32_t round, struct plan_item *items) {
    int count = 1 + (int)draw(round, 0, 9, MOST_ITEMS);
    for (int i = 0; i < count; i++) {
        int first = (int)draw(round, (uint32_t)i, 0, 100);
        items[i] = (struct plan_item){.bytes = 1 + draw(round, (uint32_t)i, 1, 100000),
                                      .first = first,
                                      .last = first + (int)draw(round, (uint32_t)i, 2, 30)};
    }
    return count;
}

static bool alive_together(const struct plan_item *a, const struct plan_item *b) {
    return a->first <= b->last && b->first <= a->last;
}

static bool share_bytes(const struct plan_item *a, const struct plan_item *b) {
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static void check_plan(const struct plan_item *items, int count, size_t total) {
    for (int i = 0; i < count; i++) {
        T_INT(items[i].offset % 64, 0);
        T_CHECK(items[i].offset + items[i].bytes <= total);
        for (int k = 0; k < i; k++)
            if (alive_together(&items[i], &items[k]) && share_bytes(&items[i], &items[k]))
                T_FAIL("items %d and %d of %d overlap", k, i, count);
    }
}

static void random_lifetimes_never_overlap(void) {
    static struct plan_item items[MOST_ITEMS];
    for (uint32_t round = 0; round < 100; round++) {
        int count = draw_items(round, items);
        size_t total = plan_memory(items, count);
        check_plan(items, count, total);
        T_CHECK(total >= plan_floor(items, count));
    }
}

/* A forward pass whose activations wait for the backward pass, with short-lived gradients: what
 * training has. The item of layer i lives from i to 2 n - i. */
static int nested_lifetimes(struct plan_item *items, int layers) {
    int n = 0;
    for (int i = 0; i < layers; i++) {
        size_t bytes = (size_t)(64 * 1024) >> (i * 3 / layers);
        items[n++] = (struct plan_item){bytes, i, 2 * layers - i, 0};
        items[n++] = (struct plan_item){bytes, 2 * layers - i, 2 * layers - i + 1, 0};
    }
    return n;
}

static void training_is_near_the_floor(void) {
    struct plan_item items[MOST_ITEMS];
    for (int layers = 3; layers <= MOST_ITEMS / 2; layers += 7) {
        int count = nested_lifetimes(items, layers);
        size_t total = plan_memory(items, count), floor = plan_floor(items, count);
        check_plan(items, count, total);
        T_CHECK(total >= floor && (double)total <= 1.1 * (double)floor);
    }
}

static void items_one_after_the_other_share_a_place(void) {
    struct plan_item items[] = {{1000, 0, 1, 9}, {1000, 2, 3, 9}, {500, 4, 4, 9}};
    T_INT(plan_memory(items, 3), 1024);
    T_INT(plan_floor(items, 3), 1024);
    for (int i = 0; i < 3; i++)
        T_INT(items[i].offset, 0);
}

static void items_at_the_same_time_do_not(void) {
    struct plan_item items[] = {{1, 0, 1, 0}, {65, 1, 2, 0}, {64, 1, 1, 0}};
    T_INT(plan_memory(items, 3), 64 + 128 + 64);
    T_INT(plan_floor(items, 3), 64 + 128 + 64);
}

static void nothing_takes_nothing(void) {
    struct plan_item none = {0, 0, 0, 0};
    T_INT(plan_memory(&none, 0), 0);
    T_INT(plan_floor(&none, 0), 0);
    T_INT(plan_memory(&none, 1), 0);
}

/* Items of equal size must not depend on what qsort does with them. */
static void equal_sizes_keep_their_order(void) {
    struct plan_item items[MOST_ITEMS];
    for (int i = 0; i < MOST_ITEMS; i++)
        items[i] = (struct plan_item){64, 0, 0, 0};
    T_INT(plan_memory(items, MOST_ITEMS), 64 * MOST_ITEMS);
    for (int i = 0; i < MOST_ITEMS; i++)
        T_INT(items[i].offset, 64 * i);
}

int main(void) {
    T_RUN(random_lifetimes_never_overlap);
    T_RUN(training_is_near_the_floor);
    T_RUN(items_one_after_the_other_share_a_place);
    T_RUN(items_at_the_same_time_do_not);
    T_RUN(nothing_takes_nothing);
    T_RUN(equal_sizes_keep_their_order);
    return t_done();
}
