/* Ids: form, order, time, and threads. */
#include "api/ids.h"
#include "engine/base/clock.h"
#include "tests/support/t.h"

enum { THREADS = 4, IDS_PER_THREAD = 5000 };

static struct id_source source;

static void test_form(void) {
    char id[ID_BYTES];
    id_make(&source, ID_PREFIX_JOB, id);
    T_INT(strlen(id), 4 + ID_ULID_CHARS);
    T_CHECK(id_is_valid(id, ID_PREFIX_JOB));
    T_CHECK(!id_is_valid(id, ID_PREFIX_MODEL));
    int64_t age_ms = clock_wall_ms() - id_time_ms(id);
    T_CHECK(age_ms >= 0 && age_ms < 10000);
}

static void test_ids_rise(void) {
    char last[ID_BYTES] = "", id[ID_BYTES];
    for (int i = 0; i < 20000; i++) {
        id_make(&source, ID_PREFIX_MODEL, id);
        T_CHECK(strcmp(last, id) < 0);
        memcpy(last, id, sizeof last);
    }
}

static void test_a_clock_that_steps_back_changes_nothing(void) {
    struct id_source ahead;
    char first[ID_BYTES], second[ID_BYTES];
    id_source_init(&ahead);
    ahead.last_ms = (uint64_t)clock_wall_ms() + 1000000;
    memset(ahead.random, 0xFF, sizeof ahead.random); /* the increment overflows, too */
    id_make(&ahead, "", first);
    id_make(&ahead, "", second);
    T_CHECK(strcmp(first, second) < 0);
    T_CHECK(id_is_valid(first, ""));
    T_CHECK(id_time_ms(first) > clock_wall_ms());
    id_source_release(&ahead);
}

/* From the specification of ULID: 2016-07-30T23:54:10.259Z. */
static void test_time_of_a_known_id(void) {
    T_INT(id_time_ms("01ARZ3NDEKTSV4RRFFQ69G5FAV"), 1469922850259);
    T_INT(id_time_ms("job_01ARZ3NDEKTSV4RRFFQ69G5FAV"), 1469922850259);
    T_INT(id_time_ms("job_"), -1);
    T_INT(id_time_ms("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), 281474976710655);
}

static void test_what_is_no_id(void) {
    static const char *const bad[] = {
        "",
        "job_",
        "job_01ARZ3NDEKTSV4RRFFQ69G5FA",
        "job_01ARZ3NDEKTSV4RRFFQ69G5FAVX",
        "job_01arz3ndektsv4rrffq69g5fav",
        "job_81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "job_01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "job_../../../../../../etc/pa",
        "Job_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        T_CHECK(!id_is_valid(bad[i], ID_PREFIX_JOB));
    T_CHECK(id_is_valid("job_01ARZ3NDEKTSV4RRFFQ69G5FAV", ID_PREFIX_JOB));
}

static char made[THREADS * IDS_PER_THREAD][ID_BYTES];

static void *make_many(void *first) {
    char(*ids)[ID_BYTES] = first;
    for (int i = 0; i < IDS_PER_THREAD; i++)
        id_make(&source, "", ids[i]);
    return NULL;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

static void test_threads_never_share_an_id(void) {
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++)
        T_INT(pthread_create(&thread[i], NULL, make_many, made[i * IDS_PER_THREAD]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    qsort(made, THREADS * IDS_PER_THREAD, ID_BYTES, compare);
    for (int i = 1; i < THREADS * IDS_PER_THREAD; i++)
        T_CHECK(strcmp(made[i - 1], made[i]) < 0);
}

int main(void) {
    id_source_init(&source);
    T_RUN(test_form);
    T_RUN(test_ids_rise);
    T_RUN(test_a_clock_that_steps_back_changes_nothing);
    T_RUN(test_time_of_a_known_id);
    T_RUN(test_what_is_no_id);
    T_RUN(test_threads_never_share_an_id);
    id_source_release(&source);
    return t_done();
}
