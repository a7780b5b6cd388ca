#include "service/http/crew.h"

#include "engine/base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct crew {
    pthread_t *threads;
    int thread_count, max_waiting;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    struct task *first, **last;
    int waiting;
    bool stopping;
};

/* The next task, or NULL when there will be none any more. */
static struct task *crew_take(struct crew *crew) {
    pthread_mutex_lock(&crew->lock);
    while (!crew->first && !crew->stopping)
        pthread_cond_wait(&crew->changed, &crew->lock);
    struct task *task = crew->first;
    if (task) {
        crew->first = task->next;
        crew->waiting--;
        if (!crew->first)
            crew->last = &crew->first;
    }
    pthread_mutex_unlock(&crew->lock);
    return task;
}

static void *crew_run(void *ctx) {
    struct task *task;
    while ((task = crew_take(ctx)))
        task->run(task);
    return NULL;
}

struct crew *crew_create(int threads, int max_waiting) {
    struct crew *crew = xcalloc(1, sizeof *crew);
    crew->last = &crew->first;
    crew->max_waiting = max_waiting;
    crew->thread_count = threads;
    crew->threads = xcalloc((size_t)threads, sizeof *crew->threads);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->changed, NULL);
    for (int i = 0; i < threads; i++)
        CHECK(pthread_create(&crew->threads[i], NULL, crew_run, crew) == 0);
    return crew;
}

enum status crew_submit(struct crew *crew, struct task *task, struct error *err) {
    pthread_mutex_lock(&crew->lock);
    bool accepted = !crew->stopping && crew->waiting < crew->max_waiting;
    if (accepted) {
        task->next = NULL;
        *crew->last = task;
        crew->last = &task->next;
        crew->waiting++;
        pthread_cond_signal(&crew->changed);
    }
    pthread_mutex_unlock(&crew->lock);
    if (accepted)
        return STATUS_OK;
    return error_set(err, STATUS_UNAVAILABLE, "too much work is waiting already");
}

void crew_free(struct crew *crew) {
    if (!crew)
        return;
    pthread_mutex_lock(&crew->lock);
    crew->stopping = true;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    for (int i = 0; i < crew->thread_count; i++)
        pthread_join(crew->threads[i], NULL);
    pthread_cond_destroy(&crew->changed);
    pthread_mutex_destroy(&crew->lock);
    free(crew->threads);
    free(crew);
}
