/* Ids of checkpoints: they become names of files, so there is one way to write each. */
#include "api/checkpoint.h"
#include "tests/support/t.h"

#define JOB "job_01ARZ3NDEKTSV4RRFFQ69G5FAV"

static void test_ids_come_back(void) {
    char id[CHECKPOINT_ID_BYTES], job[ID_BYTES];
    int64_t step = -1;
    checkpoint_id_make(id, JOB, 640);
    T_STR(id, JOB "-640");
    T_CHECK(checkpoint_id_parse(id, job, &step));
    T_STR(job, JOB);
    T_INT(step, 640);
}

static void test_other_texts_are_none(void) {
    static const char *const bad[] = {"",        JOB,           JOB "-",   JOB "--1", JOB "-x",
                                      JOB "-01", JOB "-1 ",     JOB "-+1", "model-1", "-1",
                                      JOB "_-1", "../../job-1", JOB "-1/", JOB "-1e3"};
    char job[ID_BYTES];
    int64_t step;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (checkpoint_id_parse(bad[i], job, &step))
            T_FAIL("%s was read", bad[i]);
}

int main(void) {
    T_RUN(test_ids_come_back);
    T_RUN(test_other_texts_are_none);
    return t_done();
}
