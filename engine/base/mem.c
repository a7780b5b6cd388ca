#include "engine/base/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE_ALIGN = 64, ARENA_MIN_BLOCK = 4096, ARENA_MAX_BLOCK = 1 << 20 };

static atomic_uint_fast64_t allocations; /* the only mutable global of the layer; for tests */

static void count_allocation(void) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

static void *require(void *ptr, size_t bytes) {
    if (!ptr) {
        fprintf(stderr, "out of memory: cannot allocate %zu bytes\n", bytes);
        abort();
    }
    return ptr;
}

static size_t require_product(size_t count, size_t bytes) {
    size_t product;
    CHECK(mem_mul(count, bytes, &product));
    return product ? product : 1; /* so that NULL always means failure */
}

void *xmalloc(size_t bytes) {
    bytes = require_product(1, bytes);
    count_allocation();
    return require(malloc(bytes), bytes);
}

void *xcalloc(size_t count, size_t bytes) {
    size_t total = require_product(count, bytes);
    count_allocation();
    return require(calloc(1, total), total);
}

void *xrealloc(void *ptr, size_t count, size_t bytes) {
    size_t total = require_product(count, bytes);
    count_allocation();
    return require(realloc(ptr, total), total);
}

char *xstrdup(const char *text) {
    if (!text)
        return NULL;
    size_t bytes = strlen(text) + 1;
    return memcpy(xmalloc(bytes), text, bytes);
}

uint64_t mem_allocations(void) {
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}

/* calloc instead of aligned_alloc and memset: fresh pages of the system are zero already, and
 * stay untouched until somebody needs them. The pointer to free sits before the aligned one. */
enum status mem_alloc_large(void **out, size_t bytes, const char *what, struct error *err) {
    size_t total;
    char *raw = NULL;
    if (mem_add(bytes, LARGE_ALIGN, &total))
        raw = calloc(1, total);
    if (!raw)
        return error_set(err, STATUS_OUT_OF_MEMORY, "cannot allocate %zu bytes for %s", bytes,
                         what);
    count_allocation();
    char *aligned = raw + (LARGE_ALIGN - (uintptr_t)raw % LARGE_ALIGN);
    CHECK((size_t)(aligned - raw) >= sizeof raw);
    memcpy(aligned - sizeof raw, &raw, sizeof raw);
    *out = aligned;
    return STATUS_OK;
}

void mem_free_large(void *ptr) {
    if (!ptr)
        return;
    char *raw;
    memcpy(&raw, (char *)ptr - sizeof raw, sizeof raw);
    free(raw);
}

bool mem_mul(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

bool mem_add(size_t a, size_t b, size_t *sum) {
    return !__builtin_add_overflow(a, b, sum);
}

struct arena_block {
    struct arena_block *next;
    size_t used, capacity;
    _Alignas(max_align_t) char data[];
};

static struct arena_block *block_create(size_t capacity) {
    size_t bytes;
    CHECK(mem_add(capacity, sizeof(struct arena_block), &bytes));
    struct arena_block *block = xcalloc(1, bytes);
    block->capacity = capacity;
    return block;
}

/* Blocks grow with the arena, so that small ones stay small and large ones need few. */
static struct arena_block *block_for(struct arena *arena, size_t bytes) {
    struct arena_block *head = arena->head;
    if (head && head->capacity - head->used >= bytes)
        return head;
    size_t capacity = arena->used_bytes;
    if (capacity < ARENA_MIN_BLOCK)
        capacity = ARENA_MIN_BLOCK;
    if (capacity > ARENA_MAX_BLOCK)
        capacity = ARENA_MAX_BLOCK;
    if (head && bytes > capacity / 4) { /* a block of its own; the head keeps its room */
        struct arena_block *block = block_create(bytes);
        block->next = head->next;
        head->next = block;
        return block;
    }
    struct arena_block *block = block_create(bytes > capacity ? bytes : capacity);
    block->next = head;
    arena->head = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    size_t rounded, align = _Alignof(max_align_t);
    CHECK(mem_add(bytes ? bytes : 1, align - 1, &rounded));
    rounded -= rounded % align;
    struct arena_block *block = block_for(arena, rounded);
    void *ptr = block->data + block->used;
    block->used += rounded;
    arena->used_bytes += rounded;
    return ptr;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len) {
    char *copy = arena_alloc(arena, len + 1);
    if (len)
        memcpy(copy, text, len);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    CHECK(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

void arena_release(struct arena *arena) {
    for (struct arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct arena){0};
}
