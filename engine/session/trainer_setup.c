#include "engine/session/identity.h"
#include "engine/session/model_report.h"
#include "engine/session/trainer_internal.h"

#include "engine/base/mem.h"
#include "engine/base/sha256.h"
#include "engine/graph/optimizer.h"
#include "engine/model/model_json.h"
#include "engine/spec/train_input.h"

#include <stdlib.h>
#include <string.h>

/* The teacher must see the student's pictures and know as many classes. */
static enum status check_teacher(const struct trainer *trainer, struct error *err) {
    const struct model_info *info = &trainer->teacher.info;
    const struct dataset *dataset = &trainer->dataset;
    const struct input *input = &trainer->input;
    if (info->height != input->height || info->width != input->width ||
        info->channels != input->channels)
        return error_set_field(err, STATUS_INVALID, "teacher",
                               "the teacher takes pictures of %dx%dx%d, the student %dx%dx%d",
                               info->height, info->width, info->channels, input->height,
                               input->width, input->channels);
    if (info->classes != dataset->classes)
        return error_set_field(err, STATUS_INVALID, "teacher",
                               "the teacher knows %d classes, the data set has %d", info->classes,
                               dataset->classes);
    return STATUS_OK;
}

static enum status set_input(struct trainer *trainer, struct error *err) {
    const struct dataset *dataset = &trainer->dataset;
    struct train_input size;
    enum status status = train_input_of(&size, trainer->spec, dataset->height, dataset->width, err);
    if (!status)
        status = train_input_check_channels(trainer->spec, dataset->channels, err);
    if (!status)
        trainer->input = (struct input){size.height, size.width, dataset->channels, size.shorter,
                                        (enum resample_filter)trainer->spec->interpolation};
    return status;
}

/* Looking at all pictures of a folder takes long: it can be followed and stopped. */
static bool go_on(void *ctx, int64_t checked, int64_t count) {
    (void)checked, (void)count;
    return trainer_tick(ctx, "preparing", NULL) == STATUS_OK;
}

static enum status open_data(struct trainer *trainer, struct error *err) {
    const struct train_spec *spec = trainer->spec;
    struct dataset *dataset = &trainer->dataset;
    const struct dataset_watch watch = {trainer, go_on};
    enum status status = dataset_open_watched(dataset, trainer->job->dataset_folder, NULL,
                                              trainer->callbacks ? &watch : NULL, err);
    if (status)
        return status;
    split_limit(&dataset->train, spec->train_limit);
    split_limit(&dataset->test, spec->test_limit);
    return set_input(trainer, err);
}

static enum status open_student(struct trainer *trainer, struct error *err) {
    const struct train_spec *spec = trainer->spec;
    const struct input *input = &trainer->input;
    struct network_size size = {input->height, input->width, input->channels,
                                trainer->dataset.classes};
    enum status status = network_init(&trainer->student, spec->student, size, spec->decay_all, err);
    return status ? status : network_check_drop_path(&trainer->student, spec->drop_path, err);
}

static enum status check_init(const struct trainer *trainer, struct error *err) {
    char path[FILE_PATH_BYTES];
    const char *init = trainer->job->init_path;
    enum status status = init ? model_weights_path(path, init, err) : STATUS_OK;
    if (status || !init || file_exists(path))
        return status;
    return error_set_field(err, STATUS_NOT_FOUND, "init", "init: there is no file %s", path);
}

static enum status load_teacher(struct trainer *trainer, struct error *err) {
    const char *path = trainer->job->teacher_path;
    enum status status = path ? model_load(&trainer->teacher, path, err) : STATUS_OK;
    return error_wrap(err, status, "teacher");
}

/* What is quickly checked goes first: looking at a data set's pictures may take minutes. */
enum status trainer_open_parts(struct trainer *trainer, struct error *err) {
    enum status status = zoo_check(trainer->spec->student, "student", err);
    if (!status)
        status = check_init(trainer, err);
    if (!status)
        status = load_teacher(trainer, err);
    if (!status)
        status = open_data(trainer, err);
    if (!status)
        status = open_student(trainer, err);
    return status || !trainer->job->teacher_path ? status : check_teacher(trainer, err);
}

static enum status open_device(struct trainer *trainer, struct error *err) {
    const struct train_spec *spec = trainer->spec;
    enum status status =
        device_open(&trainer->device, (enum device_kind)spec->device, (int)spec->threads, err);
    if (status)
        return status;
    status = device_check_precision(&trainer->device, (enum precision)spec->precision, err);
    if (status)
        return status;
    trainer->device.eager = spec->graph == GRAPH_OFF;
    identity_of_device(&trainer->device, trainer->checkpoint.identity);
    return STATUS_OK;
}

/* A file of weights alone, as `init` allows: it needs no metadata. */
static enum status load_init(const struct trainer *trainer, struct network_values *values,
                             struct error *err) {
    char path[FILE_PATH_BYTES];
    struct safetensors file;
    enum status status = model_weights_path(path, trainer->job->init_path, err);
    if (!status)
        status = safetensors_open(&file, path, err);
    if (status)
        return status;
    status = network_load(&trainer->student, &file, values, NULL, err);
    safetensors_close(&file);
    return error_wrap(err, status, "init %s", path);
}

static enum status fill_student(struct trainer *trainer, struct error *err) {
    const struct param_table *table = &trainer->student.table;
    int slots = optimizer_table[trainer->spec->optimizer].slots;
    enum status status =
        params_create(&trainer->student_params, &trainer->device, table, slots, err);
    if (status)
        return status;
    struct network_values values = {0};
    if (trainer->job->init_path)
        status = load_init(trainer, &values, err);
    else
        network_randomise(&trainer->student, (uint64_t)trainer->spec->seed, &values);
    if (!status)
        params_upload(&trainer->student_params, values.weight, values.state);
    network_values_release(&values);
    return status;
}

static enum status fill_teacher(struct trainer *trainer, struct error *err) {
    struct loaded_model *teacher = &trainer->teacher;
    enum status status =
        params_create(&trainer->teacher_params, &trainer->device, &teacher->network.table, 0, err);
    if (!status)
        params_upload(&trainer->teacher_params, teacher->values.weight, teacher->values.state);
    return status;
}

static struct loader_plan loader_plan(const struct trainer *trainer, const struct split *split,
                                      int batch) {
    struct loader_plan plan = {.dataset = &trainer->dataset,
                               .split = split,
                               .input = trainer->input,
                               .batch = batch,
                               .end = loader_batches(split->count, batch)};
    plan.threads = loader_threads(&plan);
    return plan;
}

static struct augment augment_of(const struct trainer *trainer) {
    const struct train_spec *spec = trainer->spec;
    struct augment augment = {.rand_augment = (int)spec->rand_augment,
                              .magnitude = spec->rand_augment_magnitude,
                              .deviation = spec->rand_augment_std,
                              .erase = spec->erase};
    memcpy(augment.mean, trainer->dataset.mean, sizeof augment.mean);
    memcpy(augment.spread, trainer->dataset.deviation, sizeof augment.spread);
    return augment;
}

/* Pictures that are resized are cropped and mirrored here, the others by the program. */
struct loader_plan trainer_train_plan(const struct trainer *trainer, int64_t first) {
    const struct train_spec *spec = trainer->spec;
    const struct dataset *dataset = &trainer->dataset;
    struct loader_plan plan = loader_plan(trainer, &dataset->train, (int)spec->batch_size);
    bool random = trainer->input.shorter && spec->augment == AUGMENT_STANDARD;
    plan.first = first;
    plan.end = trainer->steps;
    plan.data_seed = (uint64_t)spec->data_seed;
    plan.shuffle = spec->shuffle;
    plan.crop = random;
    plan.mirror = random && spec->flip;
    plan.augment = augment_of(trainer);
    plan.threads = loader_threads(&plan);
    return plan;
}

struct loader_plan trainer_test_plan(const struct trainer *trainer) {
    return loader_plan(trainer, &trainer->dataset.test, EVAL_BATCH);
}

struct program_plan trainer_plan(const struct trainer *trainer, int batch, int rows) {
    const struct loaded_model *teacher = trainer->job->teacher_path ? &trainer->teacher : NULL;
    return (struct program_plan){.spec = trainer->spec,
                                 .student = &trainer->student,
                                 .teacher = teacher ? &teacher->network : NULL,
                                 .mean = trainer->dataset.mean,
                                 .deviation = trainer->dataset.deviation,
                                 .teacher_mean = teacher ? teacher->info.mean : NULL,
                                 .teacher_deviation = teacher ? teacher->info.deviation : NULL,
                                 .augmented = trainer->input.shorter > 0,
                                 .batch = batch,
                                 .rows = rows};
}

static enum status build(struct trainer *trainer, int which, int batch, int rows,
                         struct error *err) {
    struct runnable *runnable = &trainer->runnable[which];
    const struct resident *data =
        which == PROGRAM_EVAL ? &trainer->test_data : &trainer->train_data;
    struct program_plan plan = trainer_plan(trainer, batch, rows);
    plan.resident = data->count;
    if (which == PROGRAM_EVAL)
        eval_program_build(&runnable->program, &plan);
    else
        train_program_build(&runnable->program, &plan);
    runnable->rows = rows;
    struct params *params[] = {&trainer->student_params, &trainer->teacher_params};
    enum status status =
        exec_create(&runnable->exec, &trainer->device, &runnable->program.program, params, err);
    if (status)
        return status;
    if (data->count)
        resident_bind(data, &runnable->program, runnable->exec);
    exec_refresh(runnable->exec);
    return STATUS_OK;
}

/* Full batches, the rest of an epoch, evaluation: each its own program over the same arenas. */
static enum status build_programs(struct trainer *trainer, struct error *err) {
    int batch = (int)trainer->spec->batch_size;
    int64_t count = trainer->dataset.train.count, rest = count % batch;
    enum status status = STATUS_OK;
    if (count >= batch)
        status = build(trainer, PROGRAM_FULL, batch, batch, err);
    if (!status)
        status = trainer_tick(trainer, "preparing", err);
    if (!status && rest)
        status = build(trainer, PROGRAM_REMAINDER, batch, (int)rest, err);
    if (!status)
        status = build(trainer, PROGRAM_EVAL, EVAL_BATCH, EVAL_BATCH, err);
    return status;
}

static void release_programs(struct trainer *trainer) {
    for (int i = 0; i < PROGRAMS; i++) {
        exec_free(trainer->runnable[i].exec);
        run_program_release(&trainer->runnable[i].program);
        trainer->runnable[i] = (struct runnable){0};
    }
    resident_release(&trainer->train_data);
    resident_release(&trainer->test_data);
}

static bool wants_resident(const struct trainer *trainer) {
    const struct loader_plan plan = trainer_train_plan(trainer, 0);
    enum train_feed feed = trainer->job->feed;
    bool wanted = feed == FEED_AUTO ? !trainer->device.backend->host : feed == FEED_DEVICE;
    return wanted && loader_copies(&plan);
}

static enum status build_resident(struct trainer *trainer, struct error *err) {
    struct loader_plan train = trainer_train_plan(trainer, 0), test = trainer_test_plan(trainer);
    enum status status = resident_create(&trainer->train_data, &trainer->device, &train, err);
    if (!status)
        status = resident_create(&trainer->test_data, &trainer->device, &test, err);
    if (!status)
        status = build_programs(trainer, err);
    return status;
}

/* A data set that leaves no room for the rest is fed from the host. */
static enum status build_all(struct trainer *trainer, struct error *err) {
    struct error full;
    if (!wants_resident(trainer))
        return build_programs(trainer, err);
    enum status status = build_resident(trainer, &full);
    if (status == STATUS_OUT_OF_MEMORY) {
        release_programs(trainer);
        return build_programs(trainer, err);
    }
    if (status && err)
        *err = full;
    return status;
}

static void count_steps(struct trainer *trainer) {
    const struct train_spec *spec = trainer->spec;
    int64_t count = trainer->dataset.train.count;
    int64_t per_epoch = (count + spec->batch_size - 1) / spec->batch_size;
    trainer->steps_per_epoch = per_epoch;
    trainer->steps = per_epoch * spec->epochs;
    trainer->report_every = spec->report_every ? spec->report_every : (per_epoch + 9) / 10;
    trainer->checkpoint_every = spec->checkpoint_every ? spec->checkpoint_every : per_epoch;
    trainer->progress.epochs = spec->epochs;
    trainer->progress.steps = trainer->steps;
}

static enum status add_weights(struct str *run, const char *name, const char *path,
                               struct error *err) {
    char file[FILE_PATH_BYTES], hex[SHA256_HEX_BYTES];
    if (!path)
        return STATUS_OK;
    enum status status = model_weights_path(file, path, err);
    if (!status)
        status = sha256_file(file, hex, err);
    if (!status)
        str_addf(run, "\n%s: %s", name, hex);
    return status;
}

/* What the student's file says of its data set. */
static void add_card(struct str *run, const struct model_info *info) {
    char hex[SHA256_HEX_BYTES];
    struct str card = STR_INIT;
    model_info_add_json(info, &card);
    sha256_hex(str_text(&card), card.len, hex);
    str_addf(run, "\nclass names, mean or deviation: %s", hex);
    str_release(&card);
}

/* All that decides the result. What files hold does, where they lie does not. */
static enum status identify_run(struct trainer *trainer, struct error *err) {
    struct train_spec spec = *trainer->spec;
    struct str *run = &trainer->run;
    struct model_info info;
    model_report_info(trainer, &info);
    str_copy(spec.dataset, sizeof spec.dataset, info.dataset);
    spec.teacher[0] = spec.init[0] = 0;
    train_spec_add_canonical(&spec, run);
    str_addf(run, "\npictures or labels: %s", trainer->dataset.sha256);
    add_card(run, &info);
    enum status status = add_weights(run, "teacher", trainer->job->teacher_path, err);
    return status ? status : add_weights(run, "init", trainer->job->init_path, err);
}

static enum status resume(struct trainer *trainer, struct error *err) {
    struct checkpoint *now = &trainer->checkpoint, read;
    enum status status = checkpoint_read(&read, str_text(&trainer->run), &trainer->student_params,
                                         trainer->checkpoint_path, err);
    if (status)
        return status;
    read.reproducible &= str_equal(read.identity, now->identity);
    str_copy(read.identity, sizeof read.identity, now->identity);
    *now = read;
    for (int i = 0; i < CHECKPOINT_TALLIES; i++) {
        const struct runnable *runnable = &trainer->runnable[i];
        if (runnable->exec)
            exec_write(runnable->exec, runnable->program.tally, read.tally[i]);
    }
    return STATUS_OK;
}

enum status trainer_setup(struct trainer *trainer, struct error *err) {
    enum status status = file_make_dirs(trainer->job->out_folder, err);
    if (!status)
        status = file_join(trainer->checkpoint_path, trainer->job->out_folder,
                           "checkpoint.safetensors", err);
    if (!status)
        status = trainer_open_parts(trainer, err);
    if (!status)
        status = open_device(trainer, err);
    if (!status)
        status = identify_run(trainer, err);
    if (!status)
        status = fill_student(trainer, err);
    if (!status && trainer->job->teacher_path)
        status = fill_teacher(trainer, err);
    if (status)
        return status;
    count_steps(trainer);
    trainer->checkpoint.reproducible = true;
    status = build_all(trainer, err);
    if (!status && trainer->job->resume && file_exists(trainer->checkpoint_path))
        status = resume(trainer, err);
    return status;
}

void trainer_release(struct trainer *trainer) {
    release_programs(trainer);
    params_release(&trainer->student_params);
    params_release(&trainer->teacher_params);
    device_close(&trainer->device);
    network_release(&trainer->student);
    loaded_model_release(&trainer->teacher);
    loader_free(trainer->loader);
    dataset_close(&trainer->dataset);
    str_release(&trainer->run);
}
