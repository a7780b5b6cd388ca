/*
 * plan.h - offsets for values with known lifetimes in one block of memory.
 *
 * Greedy by size: large items first, each at the lowest offset that is free during its life.
 */
#ifndef ENGINE_GRAPH_PLAN_H
#define ENGINE_GRAPH_PLAN_H

#include <stddef.h>

struct plan_item {
    size_t bytes;
    int first, last; /* inclusive */
    size_t offset;   /* filled, a multiple of 64 */
};

/* Fills the offsets; returns the bytes of the block. */
size_t plan_memory(struct plan_item *items, int count);

/* The largest sum of bytes alive at once: no plan can be smaller. */
size_t plan_floor(const struct plan_item *items, int count);

#endif
