/*
 * loss.c - `distill loss`: the fused loss on tensors of a file, for checks against other code.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"
#include "engine/cli/loss_program.h"
#include "engine/cli/tensors.h"

struct loss_command {
    char in[SPEC_TEXT_BYTES], out[SPEC_TEXT_BYTES];
    int method;
    double temperature, gamma, beta, ce_weight, label_smoothing;
    int device;
    int64_t threads;
};

#define ROW(member) FIELD_MEMBER(struct loss_command, member)

static const struct field rows[] = {
    {ROW(in), .type = FIELD_TEXT, .max = 500,
     .doc = "A safetensors file with student and teacher, f32 [n,k], and labels, i64 [n]."},
    {ROW(out), .type = FIELD_TEXT, .max = 500,
     .doc = "Receives loss [n], and grad [n,k] of the batch mean, as safetensors."},
    {ROW(method), .type = FIELD_ENUM, .choices = loss_names, .fallback = "ce", .doc = "The loss."},
    {ROW(temperature), .type = FIELD_FLOAT, .min = 1, .max = 1000,
     .doc = "Softens the teacher; kd's default is 4."},
    {ROW(gamma), .type = FIELD_FLOAT, .min = 0.001, .max = 1, .flags = FIELD_OR_PREVIOUS,
     .doc = "1 / temperature, in its place."},
    {ROW(beta), .type = FIELD_FLOAT, .min = 0, .max = 1e6, .doc = "Weight of the distillation."},
    {ROW(ce_weight), .type = FIELD_FLOAT, .min = 0, .max = 1e6,
     .doc = "Weight of the cross entropy."},
    {ROW(label_smoothing), .type = FIELD_FLOAT, .min = 0, .max = 1, .fallback = "0",
     .flags = FIELD_MAX_OPEN, .doc = "Share of the label that is spread over all classes."},
    OPTION_DEVICE(struct loss_command),
    OPTION_THREADS(struct loss_command),
};
static const struct field_table table = FIELD_TABLE("loss", rows);

/* Tensors on the host: in and out. */
struct loss_tensors {
    int n, k;
    float *student, *teacher; /* [n,k]; teacher NULL where it is not read */
    int32_t *label;           /* [n] */
    float *row;               /* [n,ROW_FIELDS] */
    float *gradient, *loss;   /* [n,k], [n] */
};

static void release(struct loss_tensors *tensors) {
    void *all[] = {tensors->student, tensors->teacher,  tensors->label,
                   tensors->row,     tensors->gradient, tensors->loss};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        mem_free_large(all[i]);
}

/* [n,k] as the first one read has it. */
static enum status read_logits(const struct safetensors *file, const char *name,
                               struct loss_tensors *tensors, float **out, struct error *err) {
    const struct tensor *tensor;
    enum status status = tensors_find(file, name, 2, &tensor, err);
    if (status)
        return status;
    if (!tensors->n) {
        tensors->n = (int)tensor->dim[0];
        tensors->k = (int)tensor->dim[1];
    }
    if (tensor->dim[0] != tensors->n || tensor->dim[1] != tensors->k)
        return error_set(err, STATUS_INVALID, "%s is [%d,%d], expected [%d,%d] as student", name,
                         (int)tensor->dim[0], (int)tensor->dim[1], tensors->n, tensors->k);
    return tensors_floats(tensor, out, err);
}

static enum status read_input(struct loss_tensors *tensors, const char *path, bool with_teacher,
                              struct error *err) {
    struct safetensors file = {0};
    const struct tensor *label;
    enum status status = safetensors_open(&file, path, err);
    if (!status)
        status = read_logits(&file, "student", tensors, &tensors->student, err);
    if (!status && with_teacher)
        status = read_logits(&file, "teacher", tensors, &tensors->teacher, err);
    if (!status)
        status = tensors_find(&file, "labels", 1, &label, err);
    if (!status && label->dim[0] != tensors->n)
        status = error_set(err, STATUS_INVALID, "labels has %d rows, student has %d",
                           (int)label->dim[0], tensors->n);
    if (!status)
        status = tensors_labels(label, tensors->k, &tensors->label, err);
    safetensors_close(&file);
    return status;
}

static enum status allocate_output(struct loss_tensors *tensors, struct error *err) {
    size_t n = (size_t)tensors->n;
    struct {
        float **out;
        size_t count;
    } wanted[] = {{&tensors->row, n * ROW_FIELDS},
                  {&tensors->gradient, n * (size_t)tensors->k},
                  {&tensors->loss, n}};
    for (int i = 0; i < 3; i++) {
        void *data;
        enum status status =
            mem_alloc_large(&data, wanted[i].count * sizeof(float), "results", err);
        if (status)
            return status;
        *wanted[i].out = data;
    }
    return STATUS_OK;
}

static enum status compute(struct loss_tensors *tensors, const struct loss_terms *terms,
                           struct device *device, struct error *err) {
    struct loss_program loss = {0};
    const struct loss_program_size size = {tensors->n, tensors->k, DTYPE_F32};
    enum status status = loss_program_open(&loss, device, terms, &size, err);
    if (status)
        return status;
    exec_write(loss.exec, loss.student, tensors->student);
    if (tensors->teacher)
        exec_write(loss.exec, loss.teacher, tensors->teacher);
    exec_write(loss.exec, loss.label, tensors->label);
    exec_run(loss.exec, &loss.step);
    exec_read(loss.exec, loss.rows, tensors->row);
    exec_read(loss.exec, loss.gradient, tensors->gradient);
    status = exec_synchronize(loss.exec, err);
    loss_program_close(&loss);
    for (int i = 0; i < tensors->n && !status; i++) {
        tensors->loss[i] = tensors->row[i * ROW_FIELDS + ROW_LOSS];
        if (tensors->row[i * ROW_FIELDS + ROW_FINITE] == 0)
            status = error_set(err, STATUS_DIVERGED, "the loss of row %d is not finite", i);
    }
    return status;
}

static enum status write_output(const struct loss_tensors *tensors, const char *path,
                                struct error *err) {
    const struct tensor list[] = {tensors_of_f32("grad", tensors->gradient, tensors->n, tensors->k),
                                  tensors_of_f32("loss", tensors->loss, tensors->n, 0)};
    return safetensors_write(path, list, 2, NULL, 0, err);
}

static void print_means(const struct loss_tensors *tensors) {
    static const struct {
        const char *name;
        enum row_field field;
    } columns[] = {{"loss", ROW_LOSS},
                   {"ce", ROW_CE},
                   {"distill", ROW_DISTILL},
                   {"top1", ROW_TOP1},
                   {"top5", ROW_TOP5}};
    struct line line = {0};
    line_integer(&line, "rows", tensors->n);
    line_integer(&line, "classes", tensors->k);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        double sum = 0;
        for (int row = 0; row < tensors->n; row++)
            sum += tensors->row[(size_t)row * ROW_FIELDS + columns[i].field];
        line_number(&line, columns[i].name, sum / tensors->n);
    }
    line_print(&line);
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct loss_command *command = options;
    const struct loss_options given = {command->method,    command->temperature,
                                       command->gamma,     command->beta,
                                       command->ce_weight, command->label_smoothing};
    struct loss_tensors tensors = {0};
    struct loss_terms terms;
    struct device device = {0};
    (void)names;
    enum status status = loss_options_terms(&given, &terms, err);
    if (!status)
        status = read_input(&tensors, command->in, terms.distill_weight != 0, err);
    if (!status)
        status = allocate_output(&tensors, err);
    if (!status)
        status =
            device_open(&device, (enum device_kind)command->device, (int)command->threads, err);
    if (!status)
        status = compute(&tensors, &terms, &device, err);
    device_close(&device);
    if (!status)
        status = write_output(&tensors, command->out, err);
    if (!status)
        print_means(&tensors);
    release(&tensors);
    return status;
}

const struct command command_loss = {
    .name = "loss",
    .sentence = "Computes a loss and its gradient from given logits.",
    .required = {"in", "out"},
    .table = &table,
    .options_bytes = sizeof(struct loss_command),
    .run = run,
};
