#include "engine/base/mem.h"

#include "tests/support/t.h"

/* The sanitizers otherwise abort where malloc returns NULL. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void test_small_allocations(void) {
    char *empty = xmalloc(0), *zeroed = xcalloc(3, 5);
    T_CHECK(empty);
    for (int i = 0; i < 15; i++)
        T_INT(zeroed[i], 0);
    zeroed = xrealloc(zeroed, 100, 2);
    zeroed[199] = 1;
    char *copy = xstrdup("hello");
    T_STR(copy, "hello");
    T_CHECK(xstrdup(NULL) == NULL);
    free(empty);
    free(zeroed);
    free(copy);
}

static void test_allocations_are_counted(void) {
    uint64_t before = mem_allocations();
    void *large = NULL;
    free(xmalloc(1));
    free(xcalloc(1, 1));
    free(xrealloc(NULL, 1, 1));
    free(xstrdup("x"));
    T_INT(mem_alloc_large(&large, 10, "a test", NULL), STATUS_OK);
    mem_free_large(large);
    T_INT(mem_allocations() - before, 5);
}

static void test_large_is_aligned_and_zero(void) {
    for (size_t bytes = 0; bytes < 300; bytes += 7) {
        void *ptr = NULL;
        T_INT(mem_alloc_large(&ptr, bytes, "a test", NULL), STATUS_OK);
        T_INT((uintptr_t)ptr % 64, 0);
        for (size_t i = 0; i < bytes; i++)
            T_INT(((char *)ptr)[i], 0);
        memset(ptr, 1, bytes);
        mem_free_large(ptr);
    }
    mem_free_large(NULL);
}

static void test_large_can_fail(void) {
    struct error err = {0};
    void *ptr = NULL;
    T_INT(mem_alloc_large(&ptr, SIZE_MAX - 3, "activations", &err), STATUS_OUT_OF_MEMORY);
    T_STR(err.message, "cannot allocate 18446744073709551612 bytes for activations");
    T_INT(mem_alloc_large(&ptr, (size_t)1 << 60, "activations", &err), STATUS_OUT_OF_MEMORY);
    T_CHECK(ptr == NULL);
}

static void test_overflow(void) {
    size_t out;
    T_CHECK(mem_mul(1000, 1000, &out) && out == 1000000);
    T_CHECK(!mem_mul((size_t)1 << 33, (size_t)1 << 31, &out));
    T_CHECK(mem_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
    T_CHECK(!mem_add(SIZE_MAX, 1, &out));
}

static void test_grow(void) {
    int *array = NULL;
    size_t count = 0, capacity = 0;
    for (int i = 0; i < 1000; i++) {
        MEM_GROW(array, count, capacity);
        array[count++] = i;
    }
    for (int i = 0; i < 1000; i++)
        T_INT(array[i], i);
    T_INT(capacity, 1024);
    free(array);
}

static void test_arena_gives_distinct_zeroed_memory(void) {
    struct arena arena = {0};
    struct piece {
        unsigned char *data;
        size_t bytes;
    } pieces[500];
    for (int i = 0; i < 500; i++) {
        pieces[i].bytes = i % 50 == 49 ? 20000 : (size_t)(i * 7 % 300);
        pieces[i].data = arena_alloc(&arena, pieces[i].bytes);
        T_INT((uintptr_t)pieces[i].data % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < pieces[i].bytes; k++)
            if (pieces[i].data[k])
                T_FAIL("byte %zu of piece %d is not zero", k, i);
        memset(pieces[i].data, i, pieces[i].bytes);
    }
    for (int i = 0; i < 500; i++)
        for (size_t k = 0; k < pieces[i].bytes; k++)
            if (pieces[i].data[k] != (unsigned char)i)
                T_FAIL("byte %zu of piece %d was overwritten", k, i);
    arena_release(&arena);
}

static void test_arena_needs_few_allocations(void) {
    struct arena arena = {0};
    uint64_t before = mem_allocations();
    for (int i = 0; i < 100000; i++)
        arena_alloc(&arena, 16);
    T_INT(arena.used_bytes, 1600000);
    T_CHECK(mem_allocations() - before < 20);
    arena_release(&arena);
}

static void test_arena_text(void) {
    struct arena arena = {0};
    T_STR(arena_strndup(&arena, "abcdef", 3), "abc");
    T_STR(arena_strndup(&arena, NULL, 0), "");
    T_STR(arena_printf(&arena, "%s-%d", "layer", 12), "layer-12");
    arena_release(&arena);
    T_CHECK(arena.head == NULL && arena.used_bytes == 0);
    T_STR(arena_strndup(&arena, "again", 5), "again");
    arena_release(&arena);
    arena_release(&arena);
}

int main(void) {
    T_RUN(test_small_allocations);
    T_RUN(test_allocations_are_counted);
    T_RUN(test_large_is_aligned_and_zero);
    T_RUN(test_large_can_fail);
    T_RUN(test_overflow);
    T_RUN(test_grow);
    T_RUN(test_arena_gives_distinct_zeroed_memory);
    T_RUN(test_arena_needs_few_allocations);
    T_RUN(test_arena_text);
    return t_done();
}
