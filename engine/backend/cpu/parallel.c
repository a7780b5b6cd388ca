#include "engine/backend/cpu/parallel.h"

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

void parallel_set_threads(int threads) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
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

static void run_share(void *data) {
    const struct job *job = data;
    long worker = omp_get_thread_num(), team = omp_get_num_threads();
    int begin = (int)(job->items * worker / team), end = (int)(job->items * (worker + 1) / team);
    if (begin < end)
        job->run(job->context, (int)worker, begin, end);
}

void parallel_run(int threads, int items, size_t elements, parallel_task_fn *run,
                  const void *context) {
    if (threads == 1 || items <= 1 || elements < PARALLEL_MIN_ELEMENTS) {
        run(context, 0, 0, items);
        return;
    }
    struct job job = {run, context, items};
    GOMP_parallel(run_share, &job, (unsigned)threads, 0);
}
