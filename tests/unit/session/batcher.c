#include "engine/session/batcher.h"

#include "engine/base/clock.h"
#include "tests/unit/session/model_fixture.h"

#include <pthread.h>
#include <semaphore.h>

static const char *folder;
enum { PICTURES = 100, QUEUE = 120 };
static uint8_t *pictures;
static float expected[PICTURES * FIXTURE_CLASSES]; /* by a predictor alone */

/* A request for pictures [first, first + count) with a place for its answer. */
struct question {
    struct batch_request request;
    float logits[PICTURES * FIXTURE_CLASSES];
    int first;
    sem_t answered, *gate; /* gate: where the batcher's thread waits inside done, or NULL */
};

static void on_done(struct batch_request *request) {
    struct question *question = request->ctx;
    sem_t *gate = question->gate;
    sem_post(&question->answered);
    if (gate)
        sem_wait(gate);
}

static void question_init(struct question *question, int first, int count, sem_t *gate) {
    memset(question, 0, sizeof *question);
    question->request = (struct batch_request){.pictures = pictures + first * FIXTURE_PIXELS,
                                               .count = count,
                                               .logits = question->logits,
                                               .done = on_done,
                                               .ctx = question};
    question->first = first;
    question->gate = gate;
    sem_init(&question->answered, 0, 0);
}

static void expect_answer(struct question *question) {
    sem_wait(&question->answered);
    T_INT(question->request.status, STATUS_OK);
    for (int i = 0; i < question->request.count * FIXTURE_CLASSES; i++)
        T_NEAR(question->logits[i], expected[question->first * FIXTURE_CLASSES + i], 1e-5);
}

static struct batcher *open_crew(int threads, bool lone, int queue_limit) {
    struct batcher_predictors predictors = {.count = threads, .most = 16};
    struct predictor **each = predictors.each;
    struct batcher *batcher = NULL;
    T_INT(predictor_create(&each[0], folder, DEVICE_REF, 1, PRECISION_F32, NULL), STATUS_OK);
    predictor_limit(each[0], predictors.most);
    for (int i = 1; i < threads; i++)
        T_INT(predictor_twin(&each[i], each[0], 1, NULL), STATUS_OK);
    if (lone)
        T_INT(predictor_twin(&predictors.lone, each[0], 1, NULL), STATUS_OK);
    T_INT(batcher_create(&batcher, &predictors, queue_limit, NULL), STATUS_OK);
    return batcher;
}

static struct batcher *open_batcher(int queue_limit) {
    return open_crew(1, false, queue_limit);
}

static void ask_alone(struct batcher *batcher) {
    static const int counts[] = {1, 5, 64, PICTURES};
    static struct question question;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        question_init(&question, 0, counts[i], NULL);
        T_INT(batcher_submit(batcher, &question.request, NULL), STATUS_OK);
        expect_answer(&question);
    }
    batcher_free(batcher);
}

static void test_alone(void) {
    ask_alone(open_batcher(QUEUE));
    ask_alone(open_crew(3, false, QUEUE));
    ask_alone(open_crew(3, true, QUEUE));
}

/* Holds one thread in done until the gate opens, and asks for pictures meanwhile. */
static void hold_and_ask(struct batcher *batcher, sem_t *gate, struct question *waiting,
                         int count) {
    static struct question held;
    sem_init(gate, 0, 0);
    question_init(&held, 0, 1, gate);
    T_INT(batcher_submit(batcher, &held.request, NULL), STATUS_OK);
    expect_answer(&held);
    for (int i = 0; i < count; i++) {
        question_init(&waiting[i], i * 3, 1 + i, NULL);
        T_INT(batcher_submit(batcher, &waiting[i].request, NULL), STATUS_OK);
    }
}

/* One thread is held in done; the others go on, and share what has been asked meanwhile. */
static void test_others_go_on(void) {
    static struct question waiting[12];
    struct batcher *batcher = open_crew(3, true, QUEUE);
    sem_t gate;
    hold_and_ask(batcher, &gate, waiting, 12);
    for (int i = 0; i < 12; i++)
        expect_answer(&waiting[i]);
    sem_post(&gate);
    batcher_free(batcher);
}

/* While the thread is held in done, requests pile up; they then run together, cut into batches. */
static void test_together(void) {
    static struct question waiting[12];
    struct batcher *batcher = open_batcher(QUEUE);
    sem_t gate;
    hold_and_ask(batcher, &gate, waiting, 12);
    sem_post(&gate);
    for (int i = 0; i < 12; i++)
        expect_answer(&waiting[i]);
    batcher_free(batcher);
}

static void test_queue_is_bounded(void) {
    static struct question held, fits, full, empty;
    struct batcher *batcher = open_batcher(10);
    struct error err = {0};
    sem_t gate;
    sem_init(&gate, 0, 0);
    question_init(&held, 0, 10, &gate);
    T_INT(batcher_submit(batcher, &held.request, NULL), STATUS_OK);
    expect_answer(&held);
    question_init(&fits, 1, 10, NULL);
    T_INT(batcher_submit(batcher, &fits.request, NULL), STATUS_OK);
    question_init(&full, 2, 1, NULL);
    T_INT(batcher_submit(batcher, &full.request, &err), STATUS_TOO_LARGE);
    T_CONTAINS(err.message, "10");
    question_init(&empty, 0, 0, NULL);
    T_INT(batcher_submit(batcher, &empty.request, NULL), STATUS_INVALID);
    sem_post(&gate);
    expect_answer(&fits);
    T_INT(batcher_submit(batcher, &full.request, NULL), STATUS_OK);
    expect_answer(&full);
    question_init(&held, 0, 11, NULL); /* longer than the queue, which is empty */
    T_INT(batcher_submit(batcher, &held.request, NULL), STATUS_OK);
    expect_answer(&held);
    batcher_free(batcher);
}

struct freeing {
    struct batcher *batcher;
    sem_t gate;
};

/* A request that can never be queued tells full from stopping without changing anything. */
static void *open_gate_when_stopping(void *arg) {
    static struct question probe;
    struct freeing *freeing = arg;
    enum status status = STATUS_TOO_LARGE;
    question_init(&probe, 0, QUEUE + 1, NULL);
    while (status == STATUS_TOO_LARGE) {
        status = batcher_submit(freeing->batcher, &probe.request, NULL);
        clock_sleep_ms(1);
    }
    T_INT(status, STATUS_UNAVAILABLE);
    sem_post(&freeing->gate);
    return NULL;
}

static void test_free_finishes_the_queue(void) {
    static struct question held, waiting[3];
    struct freeing freeing = {.batcher = open_batcher(QUEUE)};
    pthread_t thread;
    sem_init(&freeing.gate, 0, 0);
    question_init(&held, 0, 1, &freeing.gate);
    T_INT(batcher_submit(freeing.batcher, &held.request, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        question_init(&waiting[i], i, 30, NULL);
        T_INT(batcher_submit(freeing.batcher, &waiting[i].request, NULL), STATUS_OK);
    }
    T_INT(pthread_create(&thread, NULL, open_gate_when_stopping, &freeing), 0);
    batcher_free(freeing.batcher);
    pthread_join(thread, NULL);
    expect_answer(&held);
    for (int i = 0; i < 3; i++) {
        T_INT(sem_trywait(&waiting[i].answered), 0);
        sem_post(&waiting[i].answered);
        expect_answer(&waiting[i]);
    }
    batcher_free(NULL);
}

static void *ask_many(void *arg) {
    static const int rounds = 20;
    struct question *question = xcalloc(1, sizeof *question);
    for (int i = 0; i < rounds; i++) {
        question_init(question, i, 1 + i % 4, NULL);
        T_INT(batcher_submit(arg, &question->request, NULL), STATUS_OK);
        expect_answer(question);
    }
    free(question);
    return NULL;
}

static void ask_from_many_threads(struct batcher *batcher) {
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        T_INT(pthread_create(&threads[i], NULL, ask_many, batcher), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    batcher_free(batcher);
}

static void test_many_threads(void) {
    ask_from_many_threads(open_batcher(QUEUE));
    ask_from_many_threads(open_crew(3, true, QUEUE));
}

int main(void) {
    struct predictor *predictor = NULL;
    struct error err;
    folder = t_temp_dir();
    fixture_write_model(folder);
    pictures = fixture_pictures(PICTURES);
    T_INT(predictor_create(&predictor, folder, DEVICE_REF, 1, PRECISION_F32, NULL), STATUS_OK);
    T_INT(predictor_logits(predictor, pictures, PICTURES, expected, NULL), STATUS_OK);
    predictor_free(predictor);
    T_RUN(test_alone);
    T_RUN(test_together);
    T_RUN(test_others_go_on);
    T_RUN(test_queue_is_bounded);
    T_RUN(test_free_finishes_the_queue);
    T_RUN(test_many_threads);
    free(pictures);
    T_INT(file_remove_all(folder, &err), STATUS_OK);
    return t_done();
}
