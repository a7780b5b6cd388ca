#include "engine/backend/cpu/parallel.h"

#include "engine/base/parallel.h"

#include <stdatomic.h>

/* From libgomp, whose header only one of the compilers has. */
void GOMP_parallel(void (*run)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
void omp_set_num_threads(int threads);
void omp_set_dynamic(int enabled);

enum { PARALLEL_MIN_ELEMENTS = 10000 };

struct job {
    parallel_task_fn *run;
    const void *context;
    int items;
};

/* What is left of a worker's range, on a line of the cache of its own. */
struct range {
    _Alignas(64) atomic_int next;
    int end;
};

struct shared_job {
    struct job job;
    struct range *range; /* of each worker that was asked for; there may be fewer */
    int ranges;
};

void parallel_set_threads(int threads) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
}

size_t parallel_worker(void) {
    return (size_t)omp_get_thread_num();
}

static void count_team(void *data) {
    if (omp_get_thread_num() == 0)
        *(int *)data = omp_get_num_threads();
}

int parallel_granted(int wanted) {
    int granted = 0;
    GOMP_parallel(count_team, &granted, (unsigned)wanted, 0);
    return granted;
}

static int begin_of(const struct job *job, int worker, int team) {
    return (int)((long)job->items * worker / team);
}

static void run_range(void *data) {
    const struct job *job = data;
    int worker = omp_get_thread_num(), team = omp_get_num_threads();
    int begin = begin_of(job, worker, team), end = begin_of(job, worker + 1, team);
    if (begin < end)
        job->run(job->context, begin, end);
}

static void run_rest(const struct job *job, struct range *range) {
    int i;
    while ((i = atomic_fetch_add_explicit(&range->next, 1, memory_order_relaxed)) < range->end)
        job->run(job->context, i, i + 1);
}

/* Its own range first: what lies there is in its cache. */
static void run_shared(void *data) {
    const struct shared_job *shared = data;
    int worker = omp_get_thread_num();
    for (int i = 0; i < shared->ranges; i++)
        run_rest(&shared->job, &shared->range[(worker + i) % shared->ranges]);
}

static bool pays(int threads, int items, size_t elements) {
    return threads > 1 && items > 1 && elements >= PARALLEL_MIN_ELEMENTS;
}

void parallel_run(int threads, int items, size_t elements, parallel_task_fn *run,
                  const void *context) {
    if (!pays(threads, items, elements)) {
        run(context, 0, items);
        return;
    }
    struct job job = {run, context, items};
    GOMP_parallel(run_range, &job, (unsigned)threads, 0);
}

void parallel_share(int threads, int items, size_t elements, parallel_task_fn *run,
                    const void *context) {
    if (!pays(threads, items, elements)) {
        run(context, 0, items);
        return;
    }
    struct range range[PARALLEL_MAX_THREADS];
    struct shared_job shared = {{run, context, items}, range, threads};
    for (int worker = 0; worker < threads; worker++) {
        atomic_init(&range[worker].next, begin_of(&shared.job, worker, threads));
        range[worker].end = begin_of(&shared.job, worker + 1, threads);
    }
    GOMP_parallel(run_shared, &shared, (unsigned)threads, 0);
}
