#include "engine/base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct work {
    parallel_fn *each;
    void *ctx;
    int64_t count;
    atomic_llong next;
};

int parallel_processors(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > PARALLEL_MAX_THREADS ? PARALLEL_MAX_THREADS : count;
}

static void *run(void *ctx) {
    struct work *work = ctx;
    for (;;) {
        int64_t index = atomic_fetch_add(&work->next, 1);
        if (index >= work->count)
            return NULL;
        work->each(work->ctx, index);
    }
}

void parallel_each(int64_t count, parallel_fn *each, void *ctx) {
    struct work work = {each, ctx, count, 0};
    pthread_t thread[PARALLEL_MAX_THREADS];
    int wanted = parallel_processors() - 1, started = 0;
    if (wanted > count - 1)
        wanted = count > 0 ? (int)count - 1 : 0;
    while (started < wanted && pthread_create(&thread[started], NULL, run, &work) == 0)
        started++;
    run(&work);
    for (int i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
}
