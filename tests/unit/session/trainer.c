/* trainer.h on the ref backend: a pure function of its spec, however often it is interrupted. */
#include "tests/unit/session/trainer_fixture.h"

#include "engine/model/network.h"

#include <signal.h>
#include <sys/resource.h>

enum { STEPS = 6 };

static struct run whole; /* undisturbed; what the others are compared with */

static void check_points(const struct metric_point *got, const struct metric_point *expected) {
    T_INT(got->phase, expected->phase);
    T_INT(got->epoch, expected->epoch);
    T_INT(got->step, expected->step);
    T_CHECK(got->loss == expected->loss && got->ce == expected->ce);
    T_CHECK(got->distill == expected->distill && got->learning_rate == expected->learning_rate);
    T_CHECK(got->top1 == expected->top1 && got->top5 == expected->top5);
}

static void a_run_reports_and_leaves_its_files(void) {
    run_init(&whole, "whole");
    T_INT(run_again(&whole, false), STATUS_OK);
    T_STR(whole.err.message, "");
    T_INT(whole.points, STEPS + 2); /* train points and an evaluation each epoch */
    T_INT(whole.checkpoints, 2);
    T_INT(whole.last_checkpoint, STEPS);
    T_CHECK(whole.ticks >= STEPS);
    T_INT(whole.last_step, STEPS);
    T_NEAR(whole.remaining_s, 0, 0);
    T_CHECK(run_has(&whole, "model.safetensors") && run_has(&whole, "model.json"));
    T_CHECK(whole.result.reproducible);
    T_INT(whole.result.last.step, STEPS);
    check_points(&whole.result.last, &whole.point[whole.points - 1]);
    T_CHECK(whole.result.best.top1 >= whole.result.last.top1);
    T_CHECK(whole.point[STEPS - 1].loss < whole.point[0].loss);
}

static void the_files_say_what_the_run_was(void) {
    char path[FILE_PATH_BYTES], hex[SHA256_HEX_BYTES];
    struct loaded_model model = {0};
    T_INT(model_load(&model, whole.out, NULL), STATUS_OK);
    T_STR(model.info.architecture, "resnet8");
    T_STR(model.info.dataset, "squares");
    T_INT(model.info.classes, CLASSES);
    T_INT(model.info.height, SIDE);
    loaded_model_release(&model);
    T_INT(sha256_file(path_in(path, whole.out, "model.safetensors"), hex, NULL), STATUS_OK);
    T_STR(hex, whole.result.weights_sha256);
}

static void the_same_spec_gives_the_same_bytes(void) {
    struct run run;
    run_init(&run, "again");
    run.spec.report_every = 2; /* how often it reports or saves changes nothing */
    run.spec.checkpoint_every = 4;
    T_INT(run_again(&run, false), STATUS_OK);
    T_STR(run.result.weights_sha256, whole.result.weights_sha256);
}

static void check_dataset(const char *path, const char *name) {
    struct run run;
    struct loaded_model model = {0};
    run_init(&run, "named");
    run.spec.epochs = 1;
    str_copy(run.spec.dataset, sizeof run.spec.dataset, path);
    T_INT(run_again(&run, false), STATUS_OK);
    T_STR(run.err.message, "");
    T_INT(model_load(&model, run.out, NULL), STATUS_OK);
    T_STR(model.info.dataset, name);
    loaded_model_release(&model);
}

/* A name that a model's file cannot hold would cost the whole run, at its end. */
static void any_folder_has_a_name(void) {
    check_dataset("sets/squares//", "squares");
    check_dataset("sets/K\xC3\xA4se\xE9", "K\xC3\xA4se?");
    char path[80], name[63];
    memset(path, 'a', sizeof path);
    str_copy(path + 62, sizeof path - 62, "\xC3\xA9");
    memcpy(name, path, sizeof name);
    name[62] = '\0';
    check_dataset(path, name);
}

static void another_seed_gives_others(void) {
    struct run run;
    run_init(&run, "seed");
    run.spec.seed = 2;
    T_INT(run_again(&run, false), STATUS_OK);
    T_CHECK(strcmp(run.result.weights_sha256, whole.result.weights_sha256) != 0);
}

/* The points of both parts, the later ones counting, are those of the whole run. */
static void check_joined(const struct run *first, const struct run *second,
                         const struct run *expected) {
    int from = 0;
    while (from < first->points &&
           (!second->points || first->point[from].step < second->point[0].step))
        from++;
    T_INT(from + second->points, expected->points);
    for (int i = 0; i < expected->points && i < from + second->points; i++)
        check_points(i < from ? &first->point[i] : &second->point[i - from], &expected->point[i]);
}

static void interrupt_at(const struct run *expected, int64_t step, enum train_wish wish) {
    struct run run = *expected, first;
    path_in(run.out, root, "interrupted");
    CHECK(file_remove_all(run.out, NULL) == STATUS_OK);
    run.stop_step = step;
    run.wish = wish;
    T_INT(run_again(&run, false), STATUS_CANCELLED);
    T_CONTAINS(run.err.message, "stopped at step");
    T_CHECK(!run_has(&run, "model.safetensors"));
    first = run;
    run.stop_step = 0;
    T_INT(run_again(&run, true), STATUS_OK);
    T_STR(run.result.weights_sha256, expected->result.weights_sha256);
    T_CHECK(run.result.reproducible);
    T_CHECK(step == STEPS || run.remaining_s == 0);
    check_points(&run.result.last, &expected->result.last);
    check_points(&run.result.best, &expected->result.best);
    check_joined(&first, &run, expected);
}

static void a_stop_after_any_step_changes_nothing(void) {
    for (int64_t step = 1; step <= STEPS; step++)
        interrupt_at(&whole, step, TRAIN_STOP);
}

/* Without a last checkpoint the run goes on from the end of the epoch, or begins anew. */
static void an_end_without_checkpoint_changes_nothing(void) {
    for (int64_t step = 1; step <= STEPS; step += 2)
        interrupt_at(&whole, step, TRAIN_ABANDON);
}

static void sparse_points_survive_a_stop(void) {
    struct run run;
    run_init(&run, "sparse");
    run.spec.report_every = 2;
    T_INT(run_again(&run, false), STATUS_OK);
    T_STR(run.result.weights_sha256, whole.result.weights_sha256);
    T_INT(run.points, 2 + 2 + 2); /* after the second and the last step of each epoch */
    for (int64_t step = 1; step < STEPS; step++)
        interrupt_at(&run, step, TRAIN_STOP);
}

static void distillation_is_as_reproducible(void) {
    struct run run;
    run_init(&run, "student");
    run_teach(&run, METHOD_WTTM, "whole");
    T_INT(run_again(&run, false), STATUS_OK);
    T_STR(run.err.message, "");
    T_CHECK(run.point[0].distill > 0);
    T_NEAR(run.point[0].loss, run.point[0].ce + 1.5 * run.point[0].distill, 1e-5);
    interrupt_at(&run, 2, TRAIN_STOP);
    interrupt_at(&run, 5, TRAIN_STOP);
}

static void changed_pictures_are_as_reproducible(void) {
    struct run run, stopped;
    run_init(&run, "changed");
    run.spec.rand_augment = 2;
    run.spec.erase = 0.25;
    stopped = run;
    T_INT(run_again(&run, false), STATUS_OK);
    T_CHECK(strcmp(run.result.weights_sha256, whole.result.weights_sha256) != 0);
    path_in(stopped.out, root, "changed_stopped");
    stopped.stop_step = 2;
    T_INT(run_again(&stopped, false), STATUS_CANCELLED);
    stopped.stop_step = 0;
    T_INT(run_again(&stopped, true), STATUS_OK);
    T_STR(stopped.result.weights_sha256, run.result.weights_sha256);
    run.spec.augment = AUGMENT_NONE; /* and these are off */
    T_INT(run_again(&run, false), STATUS_OK);
    T_INT(run.spec.rand_augment, 0);
    T_NEAR(run.spec.erase, 0, 0);
}

/* Both slots and the number of steps come back from a checkpoint. */
static void adamw_is_as_reproducible(void) {
    struct run run, stopped;
    run_init(&run, "adamw");
    run.spec.optimizer = OPTIMIZER_ADAMW;
    run.spec.learning_rate = 0.003;
    run.spec.clip_norm = 0.5;
    stopped = run;
    T_INT(run_again(&run, false), STATUS_OK);
    path_in(stopped.out, root, "adamw_stopped");
    stopped.stop_step = 4;
    T_INT(run_again(&stopped, false), STATUS_CANCELLED);
    stopped.stop_step = 0;
    T_INT(run_again(&stopped, true), STATUS_OK);
    T_STR(stopped.result.weights_sha256, run.result.weights_sha256);
    T_CHECK(stopped.result.reproducible);
}

static void odd_sizes_train(void) {
    static const int sizes[][2] = {{17, 8}, {5, 8}, {1, 8}, {3, 1}}; /* pictures, batch */
    for (int i = 0; i < 4; i++) {
        struct run run;
        run_init(&run, "odd");
        CHECK(file_remove_all(run.out, NULL) == STATUS_OK);
        run.spec.train_limit = sizes[i][0];
        run.spec.batch_size = sizes[i][1];
        T_INT(run_again(&run, false), STATUS_OK);
        T_STR(run.err.message, "");
        int64_t per_epoch = (sizes[i][0] + sizes[i][1] - 1) / sizes[i][1];
        T_INT(run.last_step, 2 * per_epoch);
        interrupt_at(&run, per_epoch, TRAIN_STOP);
    }
}

static void a_finished_run_resumes_to_its_end(void) {
    struct run run = whole;
    T_INT(run_again(&run, true), STATUS_OK);
    T_INT(run.points, 0);
    T_STR(run.result.weights_sha256, whole.result.weights_sha256);
    check_points(&run.result.last, &whole.result.last);
}

static void a_failing_point_ends_the_run(void) {
    struct run run;
    run_init(&run, "point");
    run.point_status = STATUS_UNAVAILABLE;
    T_INT(run_again(&run, false), STATUS_UNAVAILABLE);
    T_STR(run.err.message, "no more points");
    T_INT(run.points, 1);
}

/* Decay at this rate multiplies every weight by -99 a step. */
static void divergence_keeps_the_earlier_checkpoint(void) {
    struct run run;
    run_init(&run, "diverged");
    run.spec.epochs = 20;
    run.spec.learning_rate = 100;
    run.spec.weight_decay = 1;
    run.spec.checkpoint_every = 1;
    run.spec.report_every = 1000;
    T_INT(run_again(&run, false), STATUS_DIVERGED);
    T_CONTAINS(run.err.message, "the loss is not finite at step");
    T_CONTAINS(run.err.message, "learning_rate");
    T_CHECK(run.last_checkpoint >= 1);
    T_CHECK(!run_has(&run, "model.safetensors"));
    int64_t before = run.last_checkpoint;
    T_INT(run_again(&run, true), STATUS_DIVERGED);
    T_INT(run.checkpoints, 0); /* its first step is the one that diverges */
    char step[32];
    snprintf(step, sizeof step, "at step %lld ", (long long)before + 1);
    T_CONTAINS(run.err.message, step);
}

static void a_checkpoint_of_another_run_is_refused(void) {
    struct run run = whole;
    run.spec.learning_rate = 0.03;
    T_INT(run_again(&run, true), STATUS_CONFLICT);
    T_CONTAINS(run.err.message, "another run: learning_rate differs");
    run = whole;
    path_in(run.data, root, "other_data");
    fixture_write_data(run.data, TRAIN_COUNT + 1);
    T_INT(run_again(&run, true), STATUS_CONFLICT);
    T_CONTAINS(run.err.message, "another run: pictures or labels differs");
    run = whole;
    run.spec.priority = 5; /* does not change the result */
    T_INT(run_again(&run, true), STATUS_OK);
}

/* As if another engine had written the checkpoint: the name that it left is another's. */
static void rename_writer(const struct run *run) {
    static const char note[] = "\"identity\":\"distilld";
    char path[FILE_PATH_BYTES], *bytes;
    size_t len;
    path_in(path, run->out, "checkpoint.safetensors");
    CHECK(file_read(path, 16 << 20, &bytes, &len, NULL) == STATUS_OK);
    char *found = memmem(bytes, len, note, sizeof note - 1);
    CHECK(found);
    found[sizeof note - 2] = 'X';
    CHECK(file_write(path, bytes, len, NULL) == STATUS_OK);
    free(bytes);
}

/* A run of two engines is not what either makes again, and stays so however often it goes on. */
static void a_part_of_another_engine_is_never_reproducible(void) {
    struct run run;
    run_init(&run, "two_engines");
    run.stop_step = 2;
    T_INT(run_again(&run, false), STATUS_CANCELLED);
    rename_writer(&run);
    run.stop_step = 4;
    T_INT(run_again(&run, true), STATUS_CANCELLED);
    run.stop_step = 0;
    for (int i = 0; i < 2; i++) {
        T_INT(run_again(&run, true), STATUS_OK);
        T_CHECK(!run.result.reproducible);
    }
}

/* The last evaluation is told in full, for a checkpoint of an older version that came without, too.
 */
static void the_evaluation_is_there(void) {
    struct run run;
    char path[FILE_PATH_BYTES], *text[2] = {NULL, NULL};
    size_t len[2];
    run_init(&run, "evaluated");
    path_in(path, run.out, "evaluation.json");
    for (int i = 0; i < 2; i++) {
        T_INT(run_again(&run, i > 0), STATUS_OK);
        T_INT(file_read(path, 1 << 20, &text[i], &len[i], NULL), STATUS_OK);
        T_INT(unlink(path), 0);
    }
    T_STR(text[1], text[0]);
    T_CONTAINS(text[0], "\"precision\":\"f32\"");
    T_CONTAINS(text[0], run.result.dataset_sha256);
    for (int i = 0; i < 2; i++)
        free(text[i]);
}

/* Runs to the first checkpoint, cuts it to that many bytes, and goes on. */
static void resume_from_cut(size_t keep) {
    struct run run;
    char path[FILE_PATH_BYTES], *bytes;
    size_t len;
    run_init(&run, "cut");
    run.stop_step = 4;
    T_INT(run_again(&run, false), STATUS_CANCELLED);
    path_in(path, run.out, "checkpoint.safetensors");
    CHECK(file_read(path, 16 << 20, &bytes, &len, NULL) == STATUS_OK);
    CHECK(file_write(path, bytes, keep < len ? keep : len - 1, NULL) == STATUS_OK);
    free(bytes);
    run.stop_step = 0;
    T_INT(run_again(&run, true), STATUS_CORRUPT);
    T_CHECK(run.err.message[0] && !strchr(run.err.message, '\n'));
    T_INT(run.points, 0);
    T_INT(run_again(&run, false), STATUS_OK); /* without resume it begins anew */
    T_STR(run.result.weights_sha256, whole.result.weights_sha256);
}

static void a_broken_checkpoint_is_one_error(void) {
    resume_from_cut(0);
    resume_from_cut(100);
    resume_from_cut(SIZE_MAX);
}

static int count_temporary_files(const char *folder) {
    char command[2 * FILE_PATH_BYTES];
    snprintf(command, sizeof command, "test -z \"$(ls -A '%s' | grep -F '%s')\"", folder,
             FILE_TMP_PREFIX);
    return system(command) != 0;
}

/* A limit on the size of files stands for a full disk, which a test cannot have. */
static void a_failed_write_keeps_the_earlier_checkpoint(void) {
    struct run run;
    struct rlimit limit, before;
    run_init(&run, "full");
    run.stop_step = 4;
    T_INT(run_again(&run, false), STATUS_CANCELLED);
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    limit = before;
    limit.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    run.stop_step = 5;
    T_CHECK(run_again(&run, true) != STATUS_OK);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    T_CONTAINS(run.err.message, "checkpoint");
    T_INT(count_temporary_files(run.out), 0);
    run.stop_step = 0;
    T_INT(run_again(&run, true), STATUS_OK);
    T_STR(run.result.weights_sha256, whole.result.weights_sha256);
}

static void wrong_inputs_are_named(void) {
    struct run run;
    run_init(&run, "wrong");
    path_in(run.data, root, "nowhere");
    T_INT(run_again(&run, false), STATUS_NOT_FOUND);
    T_CONTAINS(run.err.message, "nowhere");
    run_init(&run, "wrong");
    str_copy(run.spec.student, sizeof run.spec.student, "resnet9");
    T_INT(run_again(&run, false), STATUS_INVALID);
    T_STR(run.err.field, "student");
    T_CONTAINS(run.err.message, "resnet9");
    run_init(&run, "wrong");
    run_teach(&run, METHOD_TTM, "nowhere");
    T_INT(run_again(&run, false), STATUS_NOT_FOUND);
    run_init(&run, "wrong");
    run.spec.precision = PRECISION_BF16;
    T_INT(run_again(&run, false), STATUS_UNSUPPORTED);
    T_STR(run.err.field, "precision");
}

/* Allocations of ours between two ticks of training. */
static uint64_t allocations_seen[MOST_POINTS];
static enum train_wish count_allocations(void *ctx, const struct train_progress *progress) {
    (void)ctx;
    CHECK(progress->step < MOST_POINTS);
    allocations_seen[progress->step] = mem_allocations();
    return TRAIN_CONTINUE;
}

static void check_allocations(enum train_feed feed) {
    struct run run;
    run_init(&run, "allocations");
    run.spec.epochs = 1;
    run.spec.batch_size = 4;
    CHECK(train_spec_finish(&run.spec, NULL) == STATUS_OK);
    struct train_job job = {
        .spec = &run.spec, .dataset_folder = run.data, .out_folder = run.out, .feed = feed};
    T_INT(trainer_run(&job, &(struct train_callbacks){.tick = count_allocations}, &run.result,
                      &run.err),
          STATUS_OK);
    for (int step = 2; step <= 5; step++)
        T_INT(allocations_seen[step] - allocations_seen[step - 1], 0);
}

static void a_step_allocates_nothing(void) {
    check_allocations(FEED_HOST);
    check_allocations(FEED_DEVICE);
}

static void an_estimate_counts_without_running(void) {
    struct run run;
    struct train_estimate estimate;
    run_init(&run, "estimate");
    run_teach(&run, METHOD_KD, "whole");
    CHECK(train_spec_finish(&run.spec, NULL) == STATUS_OK);
    struct train_job job = {
        .spec = &run.spec, .dataset_folder = run.data, .teacher_path = run.teacher};
    T_INT(trainer_estimate(&job, &estimate, &run.err), STATUS_OK);
    T_INT(estimate.steps, STEPS);
    /* resnet8 with one channel instead of three and 3 classes instead of 100 */
    T_INT(estimate.student_parameters, 83892 - 2 * 9 * 16 - 97 * 65);
    T_INT(estimate.teacher_parameters, estimate.student_parameters);
    /* the teacher's forward, the student's forward and both its gradients: about four forwards */
    double forward = 2.0 * 8 * 12507392 * SIDE * SIDE / 32 / 32;
    T_CHECK(estimate.flops_per_step > 3.5 * forward && estimate.flops_per_step < 4.2 * forward);
    T_CHECK(estimate.memory_bytes > 12u * (size_t)estimate.student_parameters);
    size_t sgd_bytes = estimate.memory_bytes, parameters = (size_t)estimate.student_parameters;
    run_init(&run, "estimate");
    run_teach(&run, METHOD_KD, "whole");
    run.spec.optimizer = OPTIMIZER_ADAMW;
    CHECK(train_spec_finish(&run.spec, NULL) == STATUS_OK);
    T_INT(trainer_estimate(&job, &estimate, &run.err), STATUS_OK);
    T_CHECK(estimate.memory_bytes >= sgd_bytes + 4 * parameters); /* a number more a weight */
    T_CHECK(!file_exists(run.out));
}

int main(void) {
    char data[FILE_PATH_BYTES];
    snprintf(root, sizeof root, "%s", t_temp_dir());
    fixture_write_data(path_in(data, root, "data"), TRAIN_COUNT);
    T_RUN(a_run_reports_and_leaves_its_files);
    T_RUN(the_files_say_what_the_run_was);
    T_RUN(the_same_spec_gives_the_same_bytes);
    T_RUN(any_folder_has_a_name);
    T_RUN(another_seed_gives_others);
    T_RUN(a_stop_after_any_step_changes_nothing);
    T_RUN(an_end_without_checkpoint_changes_nothing);
    T_RUN(sparse_points_survive_a_stop);
    T_RUN(distillation_is_as_reproducible);
    T_RUN(changed_pictures_are_as_reproducible);
    T_RUN(adamw_is_as_reproducible);
    T_RUN(odd_sizes_train);
    T_RUN(a_finished_run_resumes_to_its_end);
    T_RUN(the_evaluation_is_there);
    T_RUN(a_failing_point_ends_the_run);
    T_RUN(divergence_keeps_the_earlier_checkpoint);
    T_RUN(a_checkpoint_of_another_run_is_refused);
    T_RUN(a_broken_checkpoint_is_one_error);
    T_RUN(a_part_of_another_engine_is_never_reproducible);
    T_RUN(a_failed_write_keeps_the_earlier_checkpoint);
    T_RUN(wrong_inputs_are_named);
    T_RUN(a_step_allocates_nothing);
    T_RUN(an_estimate_counts_without_running);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
