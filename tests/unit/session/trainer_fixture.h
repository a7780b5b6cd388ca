/*
 * trainer_fixture.h - small training runs on the ref backend, watched through their callbacks.
 *
 * 21 pictures of 8x8 in batches of 8: three steps an epoch, the last one of 5 pictures.
 */
#ifndef TESTS_UNIT_SESSION_TRAINER_FIXTURE_H
#define TESTS_UNIT_SESSION_TRAINER_FIXTURE_H

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/base/safetensors.h"
#include "engine/session/trainer.h"
#include "tests/support/t.h"

enum { SIDE = 8, CLASSES = 3, TRAIN_COUNT = 21, TEST_COUNT = 10, MOST_POINTS = 64 };

static char root[256]; /* of all files of a test program */

static inline const char *path_in(char out[FILE_PATH_BYTES], const char *folder, const char *name) {
    CHECK(file_join(out, folder, name, NULL) == STATUS_OK);
    return out;
}

/* Pictures whose brightness tells the class, with noise. */
static inline void fixture_write_split(const char *folder, const char *name, int count) {
    uint8_t *images = xmalloc((size_t)count * SIDE * SIDE);
    int64_t *labels = xmalloc((size_t)count * sizeof *labels);
    for (int i = 0; i < count; i++) {
        labels[i] = i % CLASSES;
        for (int k = 0; k < SIDE * SIDE; k++) {
            uint32_t noise = rng_philox(11, (uint32_t)i, (uint32_t)k, RNG_TEST, 0).word[0];
            images[i * SIDE * SIDE + k] = (uint8_t)(60 * labels[i] + rng_below(noise, 100));
        }
    }
    struct tensor tensor[] = {{"images", TENSOR_U8, 4, {count, SIDE, SIDE, 1}, images, 0},
                              {"labels", TENSOR_I64, 1, {count}, labels, 0}};
    tensor[0].bytes = (size_t)count * SIDE * SIDE;
    tensor[1].bytes = (size_t)count * sizeof *labels;
    char path[FILE_PATH_BYTES];
    CHECK(safetensors_write(path_in(path, folder, name), tensor, 2, NULL, 0, NULL) == STATUS_OK);
    free(images);
    free(labels);
}

static inline void fixture_write_data(const char *folder, int train_count) {
    CHECK(file_make_dirs(folder, NULL) == STATUS_OK);
    fixture_write_split(folder, "train.safetensors", train_count);
    fixture_write_split(folder, "test.safetensors", TEST_COUNT);
}

/* A run and what its callbacks saw. */
struct run {
    struct train_spec spec;
    struct train_job job;
    enum train_feed feed;
    char data[FILE_PATH_BYTES], out[FILE_PATH_BYTES], teacher[FILE_PATH_BYTES];
    int64_t stop_step; /* make the wish when so many steps are done; 0: never */
    enum train_wish wish;
    enum status point_status; /* what the point callback returns */
    struct train_result result;
    struct metric_point point[MOST_POINTS];
    int points, ticks, checkpoints;
    int64_t last_step, last_checkpoint;
    double remaining_s; /* as of the last tick */
    struct error err;
};

static inline enum train_wish run_tick(void *ctx, const struct train_progress *progress) {
    struct run *run = ctx;
    run->ticks++;
    T_CHECK(progress->step >= run->last_step && progress->step <= progress->steps);
    T_CHECK(progress->epoch >= 1 && progress->epoch <= progress->epochs);
    /* not a number before the first step of this process, and nothing only at the end */
    T_CHECK(progress->step == progress->steps || !(progress->remaining_s <= 0));
    run->last_step = progress->step;
    run->remaining_s = progress->remaining_s;
    return run->stop_step && progress->step >= run->stop_step ? run->wish : TRAIN_CONTINUE;
}

static inline enum status run_point(void *ctx, const struct metric_point *point,
                                    struct error *err) {
    struct run *run = ctx;
    CHECK(run->points < MOST_POINTS);
    run->point[run->points++] = *point;
    return run->point_status ? error_set(err, run->point_status, "no more points") : STATUS_OK;
}

static inline void run_checkpoint(void *ctx, int64_t step) {
    struct run *run = ctx;
    run->checkpoints++;
    run->last_checkpoint = step;
}

/* Two epochs of resnet8 by cross entropy; the test changes what it wants and calls run_again. */
static inline void run_init(struct run *run, const char *name) {
    memset(run, 0, sizeof *run);
    struct train_spec *spec = &run->spec;
    fields_default(&train_spec_table, spec);
    str_copy(spec->student, sizeof spec->student, "resnet8");
    str_copy(spec->dataset, sizeof spec->dataset, "squares");
    spec->epochs = 2;
    spec->batch_size = 8;
    spec->crop_padding = 1;
    spec->learning_rate = 0.02;
    spec->report_every = 1;
    spec->device = DEVICE_REF;
    spec->threads = 1;
    path_in(run->data, root, "data");
    path_in(run->out, root, name);
    run->wish = TRAIN_STOP;
}

static inline void run_teach(struct run *run, enum method method, const char *teacher) {
    run->spec.method = (int)method;
    run->spec.temperature = 4;
    run->spec.beta = 1.5;
    str_copy(run->spec.teacher, sizeof run->spec.teacher, "the teacher");
    path_in(run->teacher, root, teacher);
}

/* Runs, or with resume goes on; forgets what an earlier call saw. */
static inline enum status run_again(struct run *run, bool resume) {
    static const char *const none = NULL;
    const struct train_callbacks callbacks = {run, run_tick, run_point, run_checkpoint};
    CHECK(train_spec_finish(&run->spec, &run->err) == STATUS_OK);
    run->points = run->ticks = run->checkpoints = 0;
    run->last_step = run->last_checkpoint = 0;
    memset(&run->err, 0, sizeof run->err);
    run->job = (struct train_job){.spec = &run->spec,
                                  .dataset_folder = run->data,
                                  .teacher_path = run->teacher[0] ? run->teacher : none,
                                  .out_folder = run->out,
                                  .feed = run->feed,
                                  .resume = resume};
    return trainer_run(&run->job, &callbacks, &run->result, &run->err);
}

static inline bool run_has(const struct run *run, const char *name) {
    char path[FILE_PATH_BYTES];
    return file_exists(path_in(path, run->out, name));
}

#endif
