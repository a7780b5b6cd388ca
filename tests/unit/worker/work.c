/*
 * The worker as a process of its own beside a real Redis and the real trainer on the ref backend:
 * what is killed, stopped, cut off or cancelled must lead to one end and the same weights.
 */
#include "service/worker/work.h"
#include "engine/backend/backend.h"
#include "service/common/signals.h"
#include "service/store/datasets.h"
#include "service/store/folders.h"
#include "service/store/models.h"
#include "service/store/queue.h"
#include "tests/support/redis_fixture.h"

static struct redis_fixture fixture;
static struct id_source ids;
static struct config config;
static struct error why;
static char plain_sha256[80];

/* --- a device that is lost --- */

extern const struct backend backend_ref;
static struct backend frail; /* ref, which is lost once when it finds a file of this name */
static char loss_path[300];
const struct backend *const backend_table[] = {&frail, NULL};

static enum status frail_synchronize(struct device *device, struct error *err) {
    if (unlink(loss_path) == 0)
        return error_set(err, STATUS_DEVICE_LOST, "unplugged");
    return backend_ref.synchronize(device, err);
}

enum { LEASE_MS = 1500, EPOCHS = 12, BATCH = 16 };
enum { TRAIN_COUNT = 10 * BATCH - 1, STEPS = 10 * EPOCHS, EARLY = STEPS / 6, SIDE = 8 };

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

/* ---- what is learnt ---- */

/* Three kinds of picture that differ in brightness, as IDX files. */
static void write_idx(const char *folder, const char *split, int count) {
    char path[FILE_PATH_BYTES];
    struct str images = STR_INIT, labels = STR_INIT;
    const uint8_t image_head[] = {0, 0, 8, 3,    0, 0, 0, (uint8_t)count,
                                  0, 0, 0, SIDE, 0, 0, 0, SIDE};
    const uint8_t label_head[] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)count};
    str_add_bytes(&images, image_head, sizeof image_head);
    str_add_bytes(&labels, label_head, sizeof label_head);
    for (int i = 0; i < count; i++) {
        uint8_t label = (uint8_t)(i % 3);
        str_add_bytes(&labels, &label, 1);
        for (int p = 0; p < SIDE * SIDE; p++) {
            uint8_t pixel = (uint8_t)(label * 80 + (i * 31 + p * 17) % 60);
            str_add_bytes(&images, &pixel, 1);
        }
    }
    must(file_make_dirs(folder, &why), "folder");
    snprintf(path, sizeof path, "%.900s/%s-images-idx3-ubyte", folder, split);
    must(file_write(path, images.data, images.len, &why), "images");
    snprintf(path, sizeof path, "%.900s/%s-labels-idx1-ubyte", folder, split);
    must(file_write(path, labels.data, labels.len, &why), "labels");
    str_release(&images);
    str_release(&labels);
}

static void import_digits(void) {
    struct dataset_request request = {.name = "digits"};
    struct dataset_entry entry;
    snprintf(request.path, sizeof request.path, "%.200s/source", fixture.dir);
    write_idx(request.path, "train", TRAIN_COUNT);
    write_idx(request.path, "t10k", 30);
    must(datasets_import(config.data, fixture.dir, 0, &request, &entry, &why), "import");
    dataset_entry_release(&entry);
}

static void fill_spec(struct train_spec *spec) {
    fields_default(&train_spec_table, spec);
    str_copy(spec->student, sizeof spec->student, "resnet8");
    str_copy(spec->dataset, sizeof spec->dataset, "digits");
    spec->epochs = EPOCHS;
    spec->batch_size = BATCH;
    spec->device = DEVICE_REF;
    spec->threads = 1;
    spec->schedule = SCHEDULE_CONSTANT;
    spec->report_every = 1;
    spec->checkpoint_every = 7;
}

static void submit_spec(struct train_spec *spec, char id[ID_BYTES]) {
    struct job job, out;
    bool created;
    must(train_spec_finish(spec, &why), "spec");
    id_make(&ids, ID_PREFIX_JOB, id);
    job_init(&job, id, spec, 0);
    struct submission submission = {.job = &job};
    must(jobs_submit(fixture.pool, &submission, &out, &created, &why), "submit");
}

static void submit(char id[ID_BYTES]) {
    struct train_spec spec;
    fill_spec(&spec);
    submit_spec(&spec, id);
}

/* ---- workers and waiting ---- */

/* The pool's thread ends before: TSan lets none begin behind a fork of a process that has some. */
static pid_t start_worker(void) {
    fflush(NULL);
    pool_free(fixture.pool);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signals_install();
        exit(work_main(&config));
    }
    fixture.pool = pool_create(&fixture.address, 4);
    return pid;
}

static int end_of(pid_t pid) {
    int how = -1;
    waitpid(pid, &how, 0);
    return how;
}

static void stop_worker(pid_t pid) {
    kill(pid, SIGTERM);
    int how = end_of(pid);
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
        T_FAIL("the worker ended with %d", how);
}

static void kill_worker(pid_t pid) {
    kill(pid, SIGKILL);
    end_of(pid);
}

static struct job get(const char *id) {
    struct job job = {.state = JOB_ABSENT};
    must(jobs_get(fixture.pool, id, &job, &why), "get");
    return job;
}

typedef bool reached_fn(const struct job *job, int64_t step);

static bool has_ended(const struct job *job, int64_t step) {
    (void)step;
    return job_state_finished(job->state);
}

static bool has_step(const struct job *job, int64_t step) {
    return job->train.step >= step || job_state_finished(job->state);
}

static struct job wait_until(const char *id, reached_fn *reached, int64_t step) {
    struct job job = get(id);
    for (int tries = 0; tries < 12000 && !reached(&job, step); tries++) {
        clock_sleep_ms(10);
        job = get(id);
    }
    if (!reached(&job, step))
        T_FAIL("job %s stays %s at step %lld", id, job_state_slug(job.state),
               (long long)job.train.step);
    return job;
}

/* One success, one model with the weights of an undisturbed run, every point once. */
static void expect_success(const char *id) {
    struct job job = wait_until(id, has_ended, 0);
    struct model model;
    struct point_page page;
    T_STR(job.error.message, "");
    T_INT(job.state, JOB_SUCCEEDED);
    must(models_find(&model, config.data, job.model, &why), "model");
    if (!plain_sha256[0])
        str_copy(plain_sha256, sizeof plain_sha256, model.card.weights_sha256);
    T_STR(model.card.weights_sha256, plain_sha256);
    T_STR(model.card.job, id);
    model_release(&model);
    must(jobs_points(fixture.pool, id, 0, 10000, &page, &why), "points");
    T_INT(page.count, STEPS + EPOCHS);
    int64_t last[2] = {0, 0};
    for (int i = 0; i < page.count; i++) {
        const struct point *point = &page.item[i];
        T_INT(point->step, last[point->phase] + (point->phase == POINT_EVAL ? 10 : 1));
        last[point->phase] = point->step;
    }
    point_page_release(&page);
    T_CHECK(job.progress.fraction == 1);
    char folder[FILE_PATH_BYTES];
    must(folder_path(folder, config.data, "jobs", id, &why), "folder");
    for (int tries = 0; tries < 200 && file_exists(folder); tries++)
        clock_sleep_ms(10); /* it goes right after the end was told */
    T_CHECK(!file_exists(folder));
}

/* ---- cases ---- */

static void test_a_job_is_trained(void) {
    char id[ID_BYTES];
    pid_t worker = start_worker();
    submit(id);
    expect_success(id);
    T_INT(get(id).attempt, 1);
    stop_worker(worker);
}

static void test_kill_9_of_the_worker(void) {
    char id[ID_BYTES];
    submit(id);
    for (int i = 1; i <= 3; i++) {
        pid_t worker = start_worker();
        wait_until(id, has_step, STEPS / 8 * i);
        kill_worker(worker);
        T_INT(get(id).state, JOB_RUNNING);
    }
    pid_t worker = start_worker();
    expect_success(id);
    T_INT(get(id).attempt, 4);
    stop_worker(worker);
}

static void test_a_lost_device_ends_the_worker(void) {
    char id[ID_BYTES];
    submit(id);
    pid_t worker = start_worker();
    wait_until(id, has_step, EARLY);
    must(file_write(loss_path, "", 0, &why), "loss");
    int how = end_of(worker);
    T_CHECK(WIFEXITED(how) && WEXITSTATUS(how) == EXIT_FAILURE);
    T_CHECK(!file_exists(loss_path));
    T_INT(get(id).state, JOB_RUNNING);
    worker = start_worker();
    expect_success(id);
    T_INT(get(id).attempt, 2);
    stop_worker(worker);
}

static void test_sigterm_gives_the_job_back(void) {
    char id[ID_BYTES];
    submit(id);
    pid_t worker = start_worker();
    wait_until(id, has_step, EARLY);
    stop_worker(worker);
    struct job job = get(id);
    T_INT(job.state, JOB_QUEUED);
    T_INT(job.lost, 0);
    worker = start_worker();
    expect_success(id);
    T_INT(get(id).attempt, 2);
    stop_worker(worker);
}

static void test_redis_away_for_less_than_the_lease(void) {
    char id[ID_BYTES];
    submit(id);
    pid_t worker = start_worker();
    wait_until(id, has_step, EARLY);
    fixture_kill(&fixture);
    clock_sleep_ms(200);
    fixture_start(&fixture);
    expect_success(id);
    T_INT(get(id).lost, 0);
    stop_worker(worker);
}

static void test_redis_away_for_longer_than_the_lease(void) {
    char id[ID_BYTES];
    submit(id);
    pid_t worker = start_worker();
    wait_until(id, has_step, EARLY);
    fixture_kill(&fixture);
    clock_sleep_ms(LEASE_MS + 1000);
    fixture_start(&fixture);
    expect_success(id);
    T_INT(get(id).lost, 0);
    stop_worker(worker);
}

/* A killed worker while Redis is away: points that nobody could publish are on disk. */
static void test_worker_and_redis_die_together(void) {
    char id[ID_BYTES];
    submit(id);
    pid_t worker = start_worker();
    wait_until(id, has_step, EARLY);
    fixture_kill(&fixture);
    clock_sleep_ms(300);
    kill_worker(worker);
    fixture_start(&fixture);
    worker = start_worker();
    expect_success(id);
    stop_worker(worker);
}

/* A worker that was frozen until others took its job must not spoil what they do. */
static void test_a_frozen_worker_wakes_too_late(void) {
    char id[ID_BYTES];
    submit(id);
    pid_t frozen = start_worker();
    wait_until(id, has_step, EARLY);
    kill(frozen, SIGSTOP);
    pid_t heir = start_worker();
    while (get(id).attempt < 2)
        clock_sleep_ms(10);
    kill(frozen, SIGCONT);
    expect_success(id);
    stop_worker(frozen);
    stop_worker(heir);
}

static void test_cancel_ends_a_running_job(void) {
    char id[ID_BYTES], folder[FILE_PATH_BYTES], model_id[ID_BYTES];
    struct model model;
    submit(id);
    pid_t worker = start_worker();
    wait_until(id, has_step, EARLY);
    must(jobs_change(fixture.pool, JOB_EVENT_CANCEL, id, NULL, &why), "cancel");
    T_INT(wait_until(id, has_ended, 0).state, JOB_CANCELLED);
    stop_worker(worker);
    must(folder_path(folder, config.data, "jobs", id, &why), "folder");
    T_CHECK(!file_exists(folder));
    model_id_of_job(model_id, id);
    T_INT(models_find(&model, config.data, model_id, &why), STATUS_NOT_FOUND);
}

static bool is_paused(const struct job *job, int64_t step) {
    (void)step;
    return job->state == JOB_PAUSED;
}

static void test_pause_and_resume(void) {
    char id[ID_BYTES];
    submit(id);
    pid_t worker = start_worker();
    wait_until(id, has_step, EARLY);
    must(jobs_change(fixture.pool, JOB_EVENT_PAUSE, id, NULL, &why), "pause");
    wait_until(id, is_paused, 0);
    must(jobs_change(fixture.pool, JOB_EVENT_RESUME, id, NULL, &why), "resume");
    expect_success(id);
    stop_worker(worker);
}

static void test_what_is_missing_fails_the_job(void) {
    char id[ID_BYTES];
    struct train_spec spec;
    pid_t worker = start_worker();
    fill_spec(&spec);
    str_copy(spec.dataset, sizeof spec.dataset, "nowhere");
    submit_spec(&spec, id);
    struct job job = wait_until(id, has_ended, 0);
    T_INT(job.state, JOB_FAILED);
    T_INT(job.error.code, STATUS_NOT_FOUND);
    T_STR(job.error.field, "dataset");
    T_INT(job.error.attempt, 1);
    fill_spec(&spec);
    spec.method = METHOD_KD;
    str_copy(spec.teacher, sizeof spec.teacher, "model_01JAAAAAAAAAAAAAAAAAAAAAAA");
    submit_spec(&spec, id);
    job = wait_until(id, has_ended, 0);
    T_INT(job.error.code, STATUS_NOT_FOUND);
    T_STR(job.error.field, "teacher");
    stop_worker(worker);
}

/* Who was killed between a job's success and the removal of its folder leaves that one. */
static void test_leftovers_of_successes_go(void) {
    char id[ID_BYTES], done[FILE_PATH_BYTES], other[FILE_PATH_BYTES], damaged[FILE_PATH_BYTES];
    pid_t worker = start_worker();
    submit(id);
    expect_success(id);
    stop_worker(worker);
    must(folder_path(done, config.data, "jobs", id, &why), "folder");
    must(folder_path(other, config.data, "jobs", "job_01JAAAAAAAAAAAAAAAAAAAAAAA", &why), "folder");
    must(file_make_dirs(done, &why), "folder");
    must(file_make_dirs(other, &why), "folder");
    /* and one that cannot be judged stands before them */
    must(folder_path(damaged, config.data, "jobs", "job_00AAAAAAAAAAAAAAAAAAAAAAAA", &why), "path");
    must(file_make_dirs(damaged, &why), "folder");
    FIXTURE_DO(&fixture, "HSET", "{distill}:job:job_00AAAAAAAAAAAAAAAAAAAAAAAA", "state", "x");
    worker = start_worker();
    for (int tries = 0; tries < 500 && file_exists(done); tries++)
        clock_sleep_ms(10);
    T_CHECK(!file_exists(done));
    T_CHECK(file_exists(other) && file_exists(damaged));
    stop_worker(worker);
}

/* The attempt before published the model and died before it could say so. */
static void test_a_model_that_is_there_already_ends_the_job(void) {
    char id[ID_BYTES], first[ID_BYTES], model_id[ID_BYTES];
    struct model model;
    pid_t worker = start_worker();
    submit(first);
    expect_success(first);
    model_id_of_job(model_id, first);
    must(models_find(&model, config.data, model_id, &why), "model");
    stop_worker(worker);
    submit(id);
    model_id_of_job(model.card.id, id);
    must(models_publish(config.data, model.folder, &model.card, &why), "publish");
    worker = start_worker();
    struct job job = wait_until(id, has_ended, 0);
    T_INT(job.state, JOB_SUCCEEDED);
    T_STR(job.model, model.card.id);
    T_INT(job.train.seq, 0); /* nothing was trained */
    model_release(&model);
    stop_worker(worker);
}

/* Published and damaged before the end was told: once told, the next job has its turn. */
static void test_a_model_that_cannot_be_read_fails_the_job(void) {
    char id[ID_BYTES], next[ID_BYTES], model_id[ID_BYTES];
    char folder[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    struct train_spec spec;
    fill_spec(&spec);
    spec.epochs = 1;
    submit_spec(&spec, id);
    submit(next);
    model_id_of_job(model_id, id);
    must(folder_path(folder, config.data, "models", model_id, &why), "folder");
    must(file_make_dirs(folder, &why), "folder");
    must(file_join(path, folder, "model.json", &why), "card");
    must(file_write(path, "{", 1, &why), "card");
    pid_t worker = start_worker();
    struct job job = wait_until(id, has_ended, 0);
    T_INT(job.state, JOB_FAILED);
    T_INT(job.attempt, 1);
    T_CONTAINS(job.error.message, model_id);
    expect_success(next);
    stop_worker(worker);
}

int main(void) {
    id_source_init(&ids);
    fixture_open(&fixture);
    char data[300], redis[400];
    snprintf(data, sizeof data, "data=%s/data", fixture.dir);
    snprintf(redis, sizeof redis, "redis=%s", fixture.url);
    char lease[32];
    snprintf(lease, sizeof lease, "lease_ms=%d", LEASE_MS);
    char *const argv[] = {data, redis, lease};
    must(config_parse(&config, 3, argv, &why), "config");
    must(folders_prepare(config.data, 0, &why), "prepare");
    setenv("DISTILLD_LOG", "error", 0);
    snprintf(loss_path, sizeof loss_path, "%s/lost", fixture.dir);
    frail = backend_ref;
    frail.synchronize = frail_synchronize;
    import_digits();
    T_RUN(test_a_job_is_trained);
    T_RUN(test_kill_9_of_the_worker);
    T_RUN(test_a_lost_device_ends_the_worker);
    T_RUN(test_sigterm_gives_the_job_back);
    T_RUN(test_redis_away_for_less_than_the_lease);
    T_RUN(test_redis_away_for_longer_than_the_lease);
    T_RUN(test_worker_and_redis_die_together);
    T_RUN(test_a_frozen_worker_wakes_too_late);
    T_RUN(test_cancel_ends_a_running_job);
    T_RUN(test_pause_and_resume);
    T_RUN(test_what_is_missing_fails_the_job);
    T_RUN(test_leftovers_of_successes_go);
    T_RUN(test_a_model_that_is_there_already_ends_the_job);
    T_RUN(test_a_model_that_cannot_be_read_fails_the_job);
    fixture_close(&fixture);
    id_source_release(&ids);
    return t_done();
}
