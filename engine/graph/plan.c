#include "engine/graph/plan.h"

#include "engine/base/mem.h"

#include <stdlib.h>

enum { PLAN_ALIGN = 64 };

static size_t aligned(size_t bytes) {
    return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

/* Larger first; the earlier one of equals, so that the plan does not depend on the sort. */
static int compare_size(const void *a, const void *b) {
    const struct plan_item *x = *(struct plan_item *const *)a, *y = *(struct plan_item *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

static bool alive_together(const struct plan_item *a, const struct plan_item *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* Lowest offset at which item overlaps none of the placed ones that live at the same time. placed
 * is ordered by offset. */
static size_t lowest_gap(struct plan_item *const *placed, int n, const struct plan_item *item) {
    size_t offset = 0;
    for (int i = 0; i < n; i++) {
        if (!alive_together(placed[i], item))
            continue;
        if (placed[i]->offset >= offset + aligned(item->bytes))
            break;
        size_t end = placed[i]->offset + aligned(placed[i]->bytes);
        offset = end > offset ? end : offset;
    }
    return offset;
}

static void insert_by_offset(struct plan_item **placed, int n, struct plan_item *item) {
    int i = n;
    for (; i > 0 && placed[i - 1]->offset > item->offset; i--)
        placed[i] = placed[i - 1];
    placed[i] = item;
}

size_t plan_memory(struct plan_item *items, int count) {
    struct plan_item **order = xcalloc((size_t)count + 1, sizeof *order);
    struct plan_item **placed = xcalloc((size_t)count + 1, sizeof *placed);
    size_t total = 0;
    for (int i = 0; i < count; i++)
        order[i] = &items[i];
    qsort(order, (size_t)count, sizeof *order, compare_size);
    for (int i = 0; i < count; i++) {
        order[i]->offset = lowest_gap(placed, i, order[i]);
        insert_by_offset(placed, i, order[i]);
        size_t end = order[i]->offset + aligned(order[i]->bytes);
        total = end > total ? end : total;
    }
    free(order);
    free(placed);
    return total;
}

size_t plan_floor(const struct plan_item *items, int count) {
    size_t peak = 0;
    for (int i = 0; i < count; i++) { /* a peak begins where some item begins */
        size_t sum = 0;
        for (int k = 0; k < count; k++)
            if (items[k].first <= items[i].first && items[i].first <= items[k].last)
                sum += aligned(items[k].bytes);
        peak = sum > peak ? sum : peak;
    }
    return peak;
}
