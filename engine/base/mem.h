/*
 * mem.h - memory: small allocations that cannot fail, large ones that can, and arenas.
 *
 * Small allocations abort when the system has no memory (the supervisor restarts the process and
 * the queue keeps the job). Large or user-sized ones use mem_alloc_large and report
 * OUT_OF_MEMORY with the size that was asked for.
 *
 * Ownership: x* and mem_alloc_large results belong to the caller; free() and mem_free_large().
 * Threads:   an arena belongs to one thread; the counter is atomic.
 */
#ifndef ENGINE_BASE_MEM_H
#define ENGINE_BASE_MEM_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* malloc that aborts instead of returning NULL; bytes may be 0. */
void *xmalloc(size_t bytes);

/* calloc that aborts, also when the product overflows. */
void *xcalloc(size_t count, size_t bytes);

/* realloc to count * bytes that aborts, also when the product overflows. */
void *xrealloc(void *ptr, size_t count, size_t bytes);

/* Copy of a string, or NULL of NULL. */
char *xstrdup(const char *text);

/* How many allocations went through this module so far, for tests of "none per step". */
uint64_t mem_allocations(void);

/* 64-byte aligned, zeroed memory for tensors; OUT_OF_MEMORY names the size and what it is for. */
MUST_CHECK enum status mem_alloc_large(void **out, size_t bytes, const char *what,
                                       struct error *err);

/* Frees what mem_alloc_large returned; NULL is allowed. */
void mem_free_large(void *ptr);

/* a * b and a + b that report overflow by false. */
bool mem_mul(size_t a, size_t b, size_t *product);
bool mem_add(size_t a, size_t b, size_t *sum);

/* Makes room for one more element in a growing array of xmalloc memory. */
#define MEM_GROW(array, count, capacity)                                                           \
    do {                                                                                           \
        if ((count) == (capacity)) {                                                               \
            (capacity) = (capacity) ? 2 * (capacity) : 16;                                         \
            (array) = xrealloc((array), (size_t)(capacity), sizeof *(array));                      \
        }                                                                                          \
    } while (0)

/* A bump allocator: everything dies together. Zero-initialise, release at the end. */
struct arena {
    struct arena_block *head;
    size_t used_bytes;
};

/* Zeroed memory that lives until arena_release; aligned for any type. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* Copy of the first len bytes of text, with a terminating NUL. */
char *arena_strndup(struct arena *arena, const char *text, size_t len);

/* Formatted string in the arena. */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Frees everything; the arena is empty and usable again. */
void arena_release(struct arena *arena);

#endif
