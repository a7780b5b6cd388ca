#include "engine/cli/rig.h"

#include "engine/base/rng.h"
#include "engine/graph/optimizer.h"

#include <stdlib.h>

static const float mean[MODEL_MAX_CHANNELS] = {0.5f, 0.5f, 0.5f, 0.5f};
static const float deviation[MODEL_MAX_CHANNELS] = {0.25f, 0.25f, 0.25f, 0.25f};
static const uint64_t SEED = 1;

/* The rules of train_spec_finish hold here too. */
static enum status fill_spec(struct train_spec *spec, const struct rig_options *options,
                             struct error *err) {
    fields_default(&train_spec_table, spec);
    str_copy(spec->student, sizeof spec->student, options->student);
    str_copy(spec->teacher, sizeof spec->teacher, options->teacher);
    str_copy(spec->dataset, sizeof spec->dataset, "random");
    spec->method = options->method;
    if (options->method != METHOD_CE) {
        spec->temperature = 4;
        spec->beta = 1;
    }
    spec->batch_size = options->batch_size;
    spec->threads = options->threads;
    spec->precision = options->precision;
    if (spec->precision == PRECISION_TF32)
        spec->device = DEVICE_CUDA; /* the command checks the one that it opens */
    spec->optimizer = options->optimizer;
    spec->clip_norm = options->clip_norm;
    return train_spec_finish(spec, err);
}

static int given_or(int64_t given, int normal) {
    return given ? (int)given : normal;
}

/* Both networks have the size that the options, or else the student's original, tell. */
static struct network_size size_of(const struct rig_options *options) {
    static const struct origin unknown = {0};
    const struct architecture *student = zoo_find(options->student);
    const struct origin *origin = student ? student->origin : &unknown;
    return (struct network_size){given_or(options->height, origin->side),
                                 given_or(options->width, origin->side), (int)options->channels,
                                 given_or(options->classes, origin->classes)};
}

enum status rig_plan_open(struct rig_plan *plan, const struct rig_options *options,
                          struct error *err) {
    bool taught = options->method != METHOD_CE;
    const struct network_size size = size_of(options);
    *plan = (struct rig_plan){0};
    enum status status = fill_spec(&plan->spec, options, err);
    if (!status)
        status = zoo_check(options->student, "student", err);
    if (!status && taught)
        status = zoo_check(options->teacher, "teacher", err);
    if (!status)
        status = network_init(&plan->student, options->student, size, true, err);
    if (!status && taught)
        status = network_init(&plan->teacher, options->teacher, size, true, err);
    if (status) {
        rig_plan_close(plan);
        return status;
    }
    const struct program_plan wanted = {.spec = &plan->spec,
                                        .student = &plan->student,
                                        .teacher = taught ? &plan->teacher : NULL,
                                        .mean = mean,
                                        .deviation = deviation,
                                        .teacher_mean = mean,
                                        .teacher_deviation = deviation,
                                        .batch = (int)options->batch_size,
                                        .rows = (int)options->batch_size,
                                        .resident =
                                            options->resident ? (int)options->batch_size : 0};
    plan->training = options->mode == RIG_TRAIN;
    if (plan->training)
        train_program_build(&plan->run, &wanted);
    else
        eval_program_build(&plan->run, &wanted);
    return STATUS_OK;
}

void rig_plan_close(struct rig_plan *plan) {
    run_program_release(&plan->run);
    network_release(&plan->student);
    network_release(&plan->teacher);
}

static void upload_random(struct params *params, const struct network *network, uint64_t seed) {
    struct network_values values;
    network_randomise(network, seed, &values);
    params_upload(params, values.weight, values.state);
    network_values_release(&values);
}

static enum status open_params(struct rig *rig, struct error *err) {
    const struct network *const networks[] = {&rig->plan->student, &rig->plan->teacher};
    int n_nets = rig->plan->run.program.n_nets;
    CHECK(n_nets <= 2);
    for (int i = 0; i < n_nets; i++) {
        bool trained = rig->plan->training && i == NET_STUDENT;
        int slots = trained ? optimizer_table[rig->plan->spec.optimizer].slots : 0;
        enum status status =
            params_create(&rig->params[i], &rig->device, &networks[i]->table, slots, err);
        if (status)
            return status;
        upload_random(&rig->params[i], networks[i], SEED + (uint64_t)i);
    }
    return STATUS_OK;
}

static void draw_inputs(struct rig *rig) {
    const struct run_program *run = &rig->plan->run;
    int64_t pixels = shape_elements(run->program.value[run->images].shape);
    int rows = run->program.value[run->labels].shape.n;
    uint32_t classes = (uint32_t)rig->plan->student.classes;
    rig->images = xmalloc((size_t)pixels);
    rig->labels = xmalloc((size_t)rows * sizeof *rig->labels);
    for (int64_t i = 0; i < pixels; i++)
        rig->images[i] = (uint8_t)rng_philox(SEED, (uint32_t)i, 0, RNG_TEST, 0).word[0];
    for (int i = 0; i < rows; i++)
        rig->labels[i] =
            (int32_t)rng_below(rng_philox(SEED, (uint32_t)i, 0, RNG_TEST, 1).word[0], classes);
}

/* The drawn batch as a data set, in the device's memory. */
static enum status place_data(struct rig *rig, struct error *err) {
    const struct network *net = &rig->plan->student;
    rig->dataset =
        (struct dataset){.height = net->height, .width = net->width, .channels = net->channels};
    rig->dataset.train = (struct split){
        .count = rig->plan->spec.batch_size, .images = rig->images, .labels = rig->labels};
    const struct loader_plan plan = {.dataset = &rig->dataset,
                                     .split = &rig->dataset.train,
                                     .input = {net->height, net->width, net->channels, 0, 0},
                                     .batch = (int)rig->dataset.train.count,
                                     .data_seed = SEED,
                                     .shuffle = true};
    enum status status = resident_create(&rig->data, &rig->device, &plan, err);
    if (!status)
        resident_turn(&rig->data, 1);
    return status;
}

static enum status make_batch(struct rig *rig, struct error *err) {
    draw_inputs(rig);
    return rig->plan->run.data.images == NO_VALUE ? STATUS_OK : place_data(rig, err);
}

/* The places in the data set never change here; pictures and labels are written every step. */
static void write_indices(struct rig *rig) {
    const struct run_program *run = &rig->plan->run;
    if (run->indices == NO_VALUE || rig->data.count)
        return;
    int count = run->program.value[run->indices].shape.n;
    int32_t *indices = xmalloc((size_t)count * sizeof *indices);
    for (int i = 0; i < count; i++)
        indices[i] = i;
    exec_write(rig->exec, run->indices, indices);
    free(indices);
}

void rig_feed(struct rig *rig) {
    if (rig->data.count)
        return;
    exec_write(rig->exec, rig->plan->run.images, rig->images);
    exec_write(rig->exec, rig->plan->run.labels, rig->labels);
}

static void fill(struct rig *rig) {
    const struct train_spec *spec = &rig->plan->spec;
    const struct loss_terms terms =
        loss_terms_of((enum method)spec->method, spec->temperature, spec->beta, spec->ce_weight, 0);
    rig->step = (struct step){
        .seed = SEED, .data_seed = SEED, .epoch = 1, .n_valid = (int32_t)spec->batch_size};
    rig->step.student[0].learning_rate = (float)spec->learning_rate;
    rig->step.student[0].ce_weight = terms.ce_weight;
    rig->step.student[0].distill_weight = terms.distill_weight;
    rig_feed(rig);
    write_indices(rig);
    exec_refresh(rig->exec);
}

enum status rig_open(struct rig *rig, const struct rig_plan *plan, enum device_kind kind,
                     struct error *err) {
    rig->plan = plan;
    enum status status = device_open(&rig->device, kind, (int)plan->spec.threads, err);
    if (!status)
        status = open_params(rig, err);
    if (!status)
        status = make_batch(rig, err);
    if (!status) {
        struct params *params[] = {&rig->params[0], &rig->params[1]};
        status = exec_create(&rig->exec, &rig->device, &plan->run.program, params, err);
    }
    if (status) {
        rig_close(rig);
        return status;
    }
    if (rig->data.count)
        resident_bind(&rig->data, &plan->run, rig->exec);
    fill(rig);
    return STATUS_OK;
}

void rig_close(struct rig *rig) {
    exec_free(rig->exec);
    resident_release(&rig->data);
    for (int i = 0; i < 2; i++)
        params_release(&rig->params[i]);
    if (rig->device.backend)
        device_close(&rig->device);
    free(rig->images);
    free(rig->labels);
    *rig = (struct rig){0};
}
