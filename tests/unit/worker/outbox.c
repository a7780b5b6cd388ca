/* Points that wait survive the process, in order, and the file shrinks when none wait. */
#include "service/worker/outbox.h"
#include "api/limits.h"
#include "tests/support/t.h"

static char path[512];
static struct error why;

static void must(enum status status) {
    if (status)
        T_FAIL("%s", why.message);
}

static struct metric_point point_at(int64_t step) {
    return (struct metric_point){.phase = METRIC_TRAIN, .epoch = 1, .step = step, .loss = 0.5};
}

static void add(struct outbox *outbox, int64_t step) {
    struct metric_point point = point_at(step);
    must(outbox_add(outbox, &point, &why));
}

static void expect_first(struct outbox *outbox, int64_t step) {
    struct metric_point point;
    T_CHECK(outbox_first(outbox, &point));
    T_INT(point.step, step);
    T_CHECK(point.loss == 0.5);
}

static void test_first_in_first_out(void) {
    struct outbox outbox;
    struct metric_point point;
    outbox_init(&outbox);
    T_CHECK(!outbox_first(&outbox, &point)); /* also before there is a file */
    must(outbox_open(&outbox, path, &why));
    int64_t next = 0;
    for (int64_t step = 0; step < 1000; step++) {
        add(&outbox, step);
        if (step % 3 == 0) {
            expect_first(&outbox, next++);
            outbox_remove_first(&outbox);
        }
    }
    for (; next < 1000; next++) {
        expect_first(&outbox, next);
        outbox_remove_first(&outbox);
    }
    T_CHECK(!outbox_first(&outbox, &point));
    T_INT(file_size(path), 0);
    outbox_release(&outbox);
}

static void test_a_killed_process_leaves_its_points(void) {
    struct outbox outbox;
    outbox_init(&outbox);
    must(outbox_open(&outbox, path, &why));
    for (int64_t step = 0; step < 100; step++)
        add(&outbox, step);
    outbox_remove_first(&outbox);
    outbox_sync(&outbox);
    outbox_release(&outbox);
    /* A record that was cut off by the crash. */
    FILE *file = fopen(path, "a");
    fputs("half a point", file);
    fclose(file);
    outbox_init(&outbox);
    must(outbox_open(&outbox, path, &why));
    add(&outbox, 100);
    outbox_release(&outbox);
    outbox_init(&outbox);
    must(outbox_open(&outbox, path, &why));
    /* 0 was published, but what is published twice is kept once by the store. */
    for (int64_t step = 0; step <= 100; step++) {
        expect_first(&outbox, step);
        outbox_remove_first(&outbox);
    }
    outbox_release(&outbox);
}

static void test_it_is_bounded(void) {
    struct outbox outbox;
    outbox_init(&outbox);
    must(outbox_open(&outbox, path, &why));
    for (int64_t step = 0; step < LIMIT_POINTS_WAITING; step++)
        add(&outbox, step);
    struct metric_point point = point_at(LIMIT_POINTS_WAITING);
    T_INT(outbox_add(&outbox, &point, &why), STATUS_UNAVAILABLE);
    outbox_release(&outbox);
}

static void test_a_full_disk_is_reported(void) {
    struct outbox outbox;
    struct metric_point point = point_at(1);
    outbox_init(&outbox);
    enum status status = outbox_open(&outbox, "/dev/full", &why);
    if (!status) {
        T_INT(outbox_add(&outbox, &point, &why), STATUS_NO_SPACE);
        T_CHECK(!outbox_first(&outbox, &point)); /* what is not kept is not there */
    }
    outbox_release(&outbox);
}

int main(void) {
    const char *dir = t_temp_dir();
    snprintf(path, sizeof path, "%s/points", dir);
    T_RUN(test_first_in_first_out);
    T_RUN(test_a_killed_process_leaves_its_points);
    T_RUN(test_it_is_bounded);
    T_RUN(test_a_full_disk_is_reported);
    must(file_remove_all(dir, &why));
    return t_done();
}
