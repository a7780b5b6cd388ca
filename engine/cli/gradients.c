/*
 * gradients.c - `distill gradients`: a network's training steps on tensors of a file, with all
 * that they compute, for checks against other code.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"
#include "engine/cli/tensors.h"

#include "engine/backend/exec.h"
#include "engine/base/file.h"
#include "engine/graph/grad.h"
#include "engine/graph/optimizer.h"
#include "engine/model/bare.h"
#include "engine/model/state_dict.h"

#include <stdio.h>
#include <stdlib.h>

struct gradients_command {
    char model[SPEC_TEXT_BYTES], architecture[MODEL_NAME_BYTES];
    char in[SPEC_TEXT_BYTES], out[SPEC_TEXT_BYTES];
    int64_t batch_size;
    double learning_rate;
    int device;
    int64_t threads;
};

#define ROW(member) FIELD_MEMBER(struct gradients_command, member)

static const struct field rows[] = {
    OPTION_MODEL(struct gradients_command),
    {ROW(architecture), .type = FIELD_TEXT, .max = MODEL_NAME_BYTES - 1,
     .doc = "The network, for weights of other programs, which do not name it."},
    {ROW(in), .type = FIELD_TEXT, .max = 500,
     .doc = "A safetensors file with x, f32 [n,h,w,c], normalised as the network takes it, and "
            "labels, i64 [n]."},
    {ROW(out), .type = FIELD_TEXT, .max = 500,
     .doc = "A folder: 1.safetensors and so on receive each step's gradients and running "
            "statistics, weights.safetensors the weights reached."},
    {ROW(batch_size), .type = FIELD_INT, .min = 1, .max = 4096, .fallback = "64",
     .doc = "Pictures in a step; divides n."},
    {ROW(learning_rate), .type = FIELD_FLOAT, .min = 0, .max = 100, .fallback = "0",
     .doc = "Of plain gradient descent between the steps."},
    OPTION_DEVICE(struct gradients_command),
    OPTION_THREADS(struct gradients_command),
};
static const struct field_table table = FIELD_TABLE("gradients", rows);

struct course {
    struct loaded_model model;
    struct device device;
    struct params params;
    struct program program;
    struct exec *exec;
    int x, labels, rows; /* values of the program */
    float *pictures;
    int32_t *label;
    struct network_values values; /* what was last read from the device */
};

static void course_close(struct course *course) {
    exec_free(course->exec);
    program_free(&course->program);
    params_release(&course->params);
    if (course->device.backend)
        device_close(&course->device);
    loaded_model_release(&course->model);
    mem_free_large(course->pictures);
    mem_free_large(course->label);
    network_values_release(&course->values);
}

/* --- the program --- */

static void build(struct course *course, int batch) {
    static const struct train_spec descent = {.optimizer = OPTIMIZER_SGD}; /* and nothing else */
    const struct network *network = &course->model.network;
    struct program *program = &course->program;
    struct builder builder = network_builder(network, program, BUILD_TRAIN, PRECISION_F32);
    struct value rows_value = {
        .name = "rows", .shape = {batch, 1, 1, ROW_FIELDS}, .kind = VALUE_OUTPUT};
    struct shape pictures = {batch, network->height, network->width, network->channels};
    course->x = build_input(&builder, "x", pictures, DTYPE_F32);
    course->labels = build_input(&builder, "labels", (struct shape){batch, 1, 1, 1}, DTYPE_I32);
    struct op loss = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    loss.in[0] = network_build(network, &builder, course->x);
    loss.in[2] = course->labels;
    loss.out[0] = course->rows = program_add_value(program, &rows_value);
    loss.attr.loss.terms = loss_terms_of(METHOD_CE, 1, 0, 1, 0);
    program_add_op(program, &loss, 0);
    program_add_gradient(program, 0);
    build_optimizer(&builder, &descent);
    program_seal(program);
}

static enum status open_exec(struct course *course, const struct gradients_command *command,
                             struct error *err) {
    const struct param_table *parameters = &course->model.network.table;
    struct device *device = &course->device;
    struct params *params[] = {&course->params};
    enum status status =
        device_open(device, (enum device_kind)command->device, (int)command->threads, err);
    if (!status)
        status = params_create(&course->params, device, parameters,
                               optimizer_table[OPTIMIZER_SGD].slots, err);
    if (!status) {
        const struct network_values *given = &course->model.values;
        network_values_init(&course->values, &course->model.network);
        params_upload(&course->params, given->weight, given->state);
        build(course, (int)command->batch_size);
        status = exec_create(&course->exec, device, &course->program, params, err);
    }
    if (!status)
        exec_refresh(course->exec);
    return status;
}

/* --- in and out --- */

static enum status read_input(struct course *course, const struct gradients_command *command,
                              const struct safetensors *in, int *n, struct error *err) {
    const struct tensor *x, *label;
    enum status status = tensors_find(in, "x", 4, &x, err);
    if (!status)
        status = tensors_find(in, "labels", 1, &label, err);
    if (!status && (label->dim[0] != x->dim[0] || x->dim[0] % command->batch_size))
        status = error_set(err, STATUS_INVALID,
                           "x has %d pictures, labels %d: they are as many, in whole batches of %d",
                           (int)x->dim[0], (int)label->dim[0], (int)command->batch_size);
    if (!status)
        status = tensors_model(&course->model, command->model, command->architecture, x, err);
    if (!status)
        status = tensors_floats(x, &course->pictures, err);
    if (!status)
        status = tensors_labels(label, course->model.network.classes, &course->label, err);
    if (!status)
        *n = (int)x->dim[0];
    return status;
}

/* Weights, or gradients in their place, and running statistics from the device to a file. */
static enum status write_state(struct course *course, float *weight, const char *folder,
                               const char *name, struct error *err) {
    char path[FILE_PATH_BYTES];
    struct state_dict dict;
    enum status status = file_join(path, folder, name, err);
    if (status)
        return status;
    struct params shown = course->params;
    shown.weight = weight;
    params_download(&shown, course->values.weight, course->values.state);
    state_dict_init(&dict, &course->model.network, &course->values);
    status = safetensors_write(path, dict.tensor, dict.count, NULL, 0, err);
    state_dict_release(&dict);
    return status;
}

static double mean_loss(struct course *course, int batch) {
    float *row = xcalloc((size_t)batch * ROW_FIELDS, sizeof *row);
    double sum = 0;
    exec_read(course->exec, course->rows, row);
    for (int i = 0; i < batch; i++)
        sum += (double)row[i * ROW_FIELDS + ROW_LOSS];
    free(row);
    return sum / batch;
}

static enum status run_step(struct course *course, const struct gradients_command *command,
                            int index, struct error *err) {
    struct shape pictures = course->program.value[course->x].shape;
    struct step step = {.index = (uint64_t)index, .epoch = 1, .n_valid = pictures.n};
    step.student[0].learning_rate = (float)command->learning_rate;
    step.student[0].ce_weight = 1;
    exec_write(course->exec, course->x, course->pictures + index * shape_elements(pictures));
    exec_write(course->exec, course->labels, course->label + (ptrdiff_t)index * pictures.n);
    exec_run(course->exec, &step);
    enum status status = exec_synchronize(course->exec, err);
    if (status)
        return status;
    char name[FIELD_TEXT_BYTES];
    snprintf(name, sizeof name, "%d.safetensors", index + 1);
    status = write_state(course, course->params.gradient, command->out, name, err);
    if (!status) {
        struct line line = {0};
        line_integer(&line, "step", index + 1);
        line_number(&line, "loss", mean_loss(course, pictures.n));
        line_print(&line);
    }
    return status;
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct gradients_command *command = options;
    struct course course = {0};
    struct safetensors in = {0};
    int n = 0;
    (void)names;
    enum status status = safetensors_open(&in, command->in, err);
    if (!status)
        status = read_input(&course, command, &in, &n, err);
    if (!status)
        status = file_make_dirs(command->out, err);
    if (!status)
        status = open_exec(&course, command, err);
    for (int i = 0; i < n / (int)command->batch_size && !status; i++)
        status = run_step(&course, command, i, err);
    if (!status)
        status =
            write_state(&course, course.params.weight, command->out, "weights.safetensors", err);
    safetensors_close(&in);
    course_close(&course);
    return status;
}

const struct command command_gradients = {
    .name = "gradients",
    .sentence = "Computes a network's gradients at given inputs, step by step.",
    .required = {"model", "in", "out"},
    .table = &table,
    .options_bytes = sizeof(struct gradients_command),
    .run = run,
};
