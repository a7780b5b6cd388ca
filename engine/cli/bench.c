/*
 * bench.c - `distill bench`: times a training step, a forward pass, their ops, or the loss alone.
 */
#include "engine/cli/line.h"
#include "engine/cli/loss_program.h"
#include "engine/cli/rig.h"
#include "engine/cli/samples.h"

#include "engine/base/clock.h"
#include "engine/base/rng.h"
#include "engine/session/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct bench_command {
    struct rig_options rig;
    int device, feed, graph;
    char loss[32];
    int64_t steps, warmup;
    bool ops;
};

#define ROW(member) FIELD_MEMBER(struct bench_command, member)

static const struct field rows[] = {
    RIG_ROWS,
    OPTION_DEVICE(struct bench_command),
    {ROW(loss), .type = FIELD_TEXT, .max = 31,
     .doc = "Time the loss alone, on so many rows and classes: 1024x1000."},
    {ROW(feed), .type = FIELD_ENUM, .choices = FIELD_WORDS("auto", "host", "device"),
     .fallback = "auto",
     .doc = "Whose memory batches come from: on the device a launch has several steps; auto: as in "
            "training."},
    {ROW(graph), .type = FIELD_ENUM, .choices = graph_names, .fallback = "on",
     .doc = "Whether a GPU replays recorded steps."},
    {ROW(steps), .type = FIELD_INT, .min = 1, .max = 1e6, .fallback = "20",
     .doc = "Steps to time; as many more as whole launches have."},
    {ROW(warmup), .type = FIELD_INT, .min = 0, .max = 1e6, .fallback = "3",
     .doc = "Launches before them."},
    {ROW(ops), .type = FIELD_BOOL, .fallback = "false",
     .doc = "Whether to print a table of times by op."},
};
static const struct field_table table = FIELD_TABLE("bench", rows);

/* What is timed: a launch of so many steps, waited for. */
struct subject {
    enum status (*launch)(void *ctx, struct error *err);
    void *ctx;
    int steps;
};

/* Times and allocations are of a step. */
struct measurement {
    double median_ms, min_ms, allocations;
    int64_t rss_growth_bytes; /* over the timed steps */
    int64_t steps;
    int steps_per_launch;
};

/* Memory that is resident now; 0 where /proc is not there. */
static int64_t resident_bytes(void) {
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*d %lld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static enum status measure(const struct bench_command *command, const struct subject *subject,
                           struct measurement *out, struct error *err) {
    struct samples samples;
    enum status status = STATUS_OK;
    int64_t launches = (command->steps + subject->steps - 1) / subject->steps;
    for (int64_t i = 0; i < command->warmup && !status; i++)
        status = subject->launch(subject->ctx, err);
    samples_init(&samples, launches);
    uint64_t allocations = mem_allocations();
    int64_t resident = resident_bytes();
    for (int64_t i = 0; i < launches && !status; i++) {
        int64_t start = clock_mono_ns();
        status = subject->launch(subject->ctx, err);
        samples_add(&samples, (double)(clock_mono_ns() - start) / 1e6 / subject->steps);
    }
    out->steps = launches * subject->steps;
    out->steps_per_launch = subject->steps;
    out->allocations = (double)(mem_allocations() - allocations) / (double)out->steps;
    out->rss_growth_bytes = resident_bytes() - resident;
    out->median_ms = samples_median(&samples);
    out->min_ms = samples_min(&samples);
    samples_release(&samples);
    return status;
}

static void add_measurement(struct line *line, const struct device *device,
                            const struct measurement *measured) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    line_text(line, "device", device->identity);
    line_integer(line, "threads", device->threads);
    line_integer(line, "steps", measured->steps);
    line_integer(line, "steps_per_launch", measured->steps_per_launch);
    line_number(line, "ms_median", measured->median_ms);
    line_number(line, "ms_min", measured->min_ms);
    line_number(line, "allocations_per_step", measured->allocations);
    line_integer(line, "rss_growth_bytes", measured->rss_growth_bytes);
    line_integer(line, "peak_rss_bytes", (int64_t)usage.ru_maxrss * 1024);
}

/* ---- steps and forward passes ---- */

static int steps_of(const struct rig *rig) {
    return rig->data.count ? STEP_SLOTS : 1;
}

/* As the trainer does it. */
static enum status launch_steps(void *ctx, struct error *err) {
    struct rig *rig = ctx;
    struct step steps[STEP_SLOTS];
    rig_feed(rig);
    for (int i = 0; i < steps_of(rig); i++, rig->step.index++)
        steps[i] = rig->step;
    exec_run_steps(rig->exec, steps, steps_of(rig));
    return exec_synchronize(rig->exec, err);
}

static void print_step(const struct bench_command *command, const struct rig *rig,
                       const struct measurement *measured) {
    const struct program *program = &rig->plan->run.program;
    struct exec_memory memory = exec_memory(rig->exec);
    struct line line = {0};
    double flops = 0;
    for (int i = 0; i < program->n_ops; i++)
        flops +=
            program->op[i].section == SECTION_PROLOGUE ? 0 : op_flops(program, &program->op[i]);
    line_text(&line, "bench", command->rig.mode == RIG_TRAIN ? "step" : "forward");
    line_text(&line, "student", command->rig.student);
    line_text(&line, "teacher", command->rig.teacher);
    line_text(&line, "method", loss_names[command->rig.method]);
    line_integer(&line, "batch_size", command->rig.batch_size);
    line_integer(&line, "height", rig->plan->student.height);
    line_integer(&line, "width", rig->plan->student.width);
    line_integer(&line, "classes", rig->plan->student.classes);
    line_text(&line, "precision", precision_names[command->rig.precision]);
    add_measurement(&line, &rig->device, measured);
    line_number(&line, "images_per_s", (double)command->rig.batch_size / measured->median_ms * 1e3);
    line_number(&line, "gflop_per_s", flops / measured->median_ms / 1e6);
    line_integer(&line, "activation_bytes", (int64_t)memory.activation_bytes);
    line_integer(&line, "activation_floor_bytes", (int64_t)memory.activation_floor_bytes);
    line_integer(&line, "workspace_bytes", (int64_t)memory.workspace_bytes);
    line_integer(&line, "reorders", memory.reorders);
    line_print(&line);
}

/* An op of a GPU takes less than waiting for it does, so many are one launch. */
enum { OPS_OF_LAUNCH = 20 };

/* Adds the milliseconds that one run of the op takes, which is waited for. */
static enum status time_op(struct rig *rig, int op, double *total_ms, struct error *err) {
    void *many = exec_record_op(rig->exec, op, &rig->step, OPS_OF_LAUNCH);
    if (many)
        exec_replay(rig->exec, many); /* a graph's first launch prepares it */
    enum status status = exec_synchronize(rig->exec, err);
    int64_t start = clock_mono_ns();
    if (many)
        exec_replay(rig->exec, many);
    else
        exec_run_op(rig->exec, op, &rig->step);
    if (!status)
        status = exec_synchronize(rig->exec, err);
    *total_ms += (double)(clock_mono_ns() - start) / 1e6 / (many ? OPS_OF_LAUNCH : 1);
    exec_forget(rig->exec, many);
    return status;
}

/* Sums of every op over some steps. */
static enum status time_ops(const struct bench_command *command, struct rig *rig, double *total_ms,
                            struct error *err) {
    const struct program *program = &rig->plan->run.program;
    enum status status = STATUS_OK;
    for (int64_t step = 0; step < command->steps; step++)
        for (int i = 0; i < program->n_ops && !status; i++)
            if (program->op[i].section != SECTION_PROLOGUE)
                status = time_op(rig, i, &total_ms[i], err);
    return status;
}

static void print_op(const struct program *program, int index, double ms, double share) {
    const struct op *op = &program->op[index];
    const struct value *out = &program->value[op->out[0]];
    char shape[48];
    snprintf(shape, sizeof shape, "%dx%dx%dx%d", out->shape.n, out->shape.h, out->shape.w,
             out->shape.c);
    printf("%4d %-16s %-20s %9.3f ms %5.1f %% %8.1f GFLOP/s %7.1f GB/s  %s\n", index,
           op_table[op->code].name, shape, ms, 100 * share, op_flops(program, op) / ms / 1e6,
           op_bytes(program, op) / ms / 1e6, out->name);
}

static void print_ops(const struct bench_command *command, const struct program *program,
                      double *total_ms) {
    double all = 0, by_code[OP_COUNT] = {0};
    for (int i = 0; i < program->n_ops; i++) {
        all += total_ms[i];
        by_code[program->op[i].code] += total_ms[i];
    }
    for (int i = 0; i < program->n_ops; i++)
        if (program->op[i].section != SECTION_PROLOGUE)
            print_op(program, i, total_ms[i] / (double)command->steps, total_ms[i] / all);
    for (int code = 0; code < OP_COUNT; code++)
        if (by_code[code] > 0)
            printf("all  %-16s %20s %9.3f ms %5.1f %%\n", op_table[code].name, "",
                   by_code[code] / (double)command->steps, 100 * by_code[code] / all);
}

static enum status bench_ops(const struct bench_command *command, struct rig *rig,
                             struct error *err) {
    const struct program *program = &rig->plan->run.program;
    double *total_ms = xcalloc((size_t)program->n_ops, sizeof *total_ms);
    enum status status = time_ops(command, rig, total_ms, err);
    if (!status)
        print_ops(command, program, total_ms);
    free(total_ms);
    return status;
}

/* What training does depends on the device, so that one is asked. */
static enum status choose_feed(struct bench_command *command, struct error *err) {
    struct device device;
    command->rig.resident = command->feed == FEED_DEVICE;
    if (command->feed != FEED_AUTO || command->rig.mode != RIG_TRAIN)
        return STATUS_OK;
    enum status status =
        device_open(&device, (enum device_kind)command->device, (int)command->rig.threads, err);
    if (status)
        return status;
    command->rig.resident = !device.backend->host;
    device_close(&device);
    return STATUS_OK;
}

static enum status bench_step(const struct bench_command *command, struct error *err) {
    struct rig_plan plan;
    struct rig rig = {0};
    struct measurement measured;
    enum status status = rig_plan_open(&plan, &command->rig, err);
    if (status)
        return status;
    status = rig_open(&rig, &plan, (enum device_kind)command->device, err);
    if (!status)
        status = device_check_precision(&rig.device, (enum precision)command->rig.precision, err);
    rig.device.eager = command->graph == GRAPH_OFF;
    if (!status)
        status =
            measure(command, &(struct subject){launch_steps, &rig, steps_of(&rig)}, &measured, err);
    if (!status && command->ops)
        status = bench_ops(command, &rig, err);
    if (!status)
        print_step(command, &rig, &measured);
    rig_close(&rig);
    rig_plan_close(&plan);
    return status;
}

/* ---- the loss ---- */

struct loss_subject {
    struct loss_program *program;
    int steps; /* of a launch: on a GPU a small loss alone takes less than waiting for it */
};

static enum status launch_loss(void *ctx, struct error *err) {
    const struct loss_subject *loss = ctx;
    struct step steps[STEP_SLOTS];
    for (int i = 0; i < loss->steps; i++)
        steps[i] = loss->program->step;
    exec_run_steps(loss->program->exec, steps, loss->steps);
    return exec_synchronize(loss->program->exec, err);
}

static bool parse_size(const char *text, struct loss_program_size *size) {
    char rows_text[32];
    const char *x = strchr(text, 'x');
    int64_t n, k;
    if (!x)
        return false;
    snprintf(rows_text, sizeof rows_text, "%.*s", (int)(x - text), text);
    if (!str_parse_i64(rows_text, &n) || !str_parse_i64(x + 1, &k) || n < 1 || k < 2 ||
        n > 1 << 20 || k > 1 << 20 || n * k > 1 << 29)
        return false;
    size->n = (int)n;
    size->k = (int)k;
    return true;
}

/* Logits of about the spread that networks give. */
static enum status feed_loss(struct loss_program *loss, const struct loss_program_size *size,
                             struct error *err) {
    void *logits = NULL, *labels = NULL;
    int64_t n = size->n, k = size->k;
    enum status status = mem_alloc_large(&logits, (size_t)(n * k) * sizeof(float), "logits", err);
    if (!status)
        status = mem_alloc_large(&labels, (size_t)n * sizeof(int32_t), "labels", err);
    for (int64_t i = 0; i < n * k && !status; i++)
        ((float *)logits)[i] = 8 * rng_unit(rng_philox(1, (uint32_t)i, 0, RNG_TEST, 0).word[0]) - 4;
    for (int64_t i = 0; i < n && !status; i++)
        ((int32_t *)labels)[i] = (int32_t)(i % k);
    if (!status) {
        exec_write(loss->exec, loss->student, logits);
        if (loss->teacher != NO_VALUE)
            exec_write(loss->exec, loss->teacher, logits);
        exec_write(loss->exec, loss->label, labels);
        exec_refresh(loss->exec);
        status = exec_synchronize(loss->exec, err);
    }
    mem_free_large(logits);
    mem_free_large(labels);
    return status;
}

static void print_loss(const struct device *device, const struct loss_program *loss,
                       const struct loss_program_size *size, const struct measurement *measured) {
    struct line line = {0};
    double arrays = loss->teacher == NO_VALUE ? 2 : 3; /* read once, written once */
    double bytes = (double)dtype_bytes(size->dtype) * size->n * size->k;
    line_text(&line, "bench", "loss");
    line_integer(&line, "rows", size->n);
    line_integer(&line, "classes", size->k);
    line_text(&line, "precision", dtype_name(size->dtype));
    add_measurement(&line, device, measured);
    line_number(&line, "gb_per_s", arrays * bytes / measured->median_ms / 1e6);
    line_print(&line);
}

static enum status time_loss(const struct bench_command *command, struct device *device,
                             const struct loss_program_size *size, struct error *err) {
    enum method method = (enum method)command->rig.method;
    double beta = method == METHOD_CE ? 0 : 1, temperature = method == METHOD_CE ? 1 : 4;
    const struct loss_terms terms = loss_terms_of(method, temperature, beta, 1, 0);
    struct loss_program loss = {0};
    struct measurement measured;
    enum status status = loss_program_open(&loss, device, &terms, size, err);
    if (!status)
        status = feed_loss(&loss, size, err);
    struct loss_subject subject = {&loss, device->backend->host ? 1 : STEP_SLOTS};
    if (!status)
        status = measure(command, &(struct subject){launch_loss, &subject, subject.steps},
                         &measured, err);
    if (!status)
        print_loss(device, &loss, size, &measured);
    loss_program_close(&loss);
    return status;
}

static enum status bench_loss(const struct bench_command *command, struct error *err) {
    struct device device = {0};
    bool bf16 = command->rig.precision == PRECISION_BF16;
    struct loss_program_size size = {.dtype = bf16 ? DTYPE_BF16 : DTYPE_F32};
    if (!parse_size(command->loss, &size))
        return error_set_field(err, STATUS_INVALID, "loss",
                               "loss \"%s\" is not ROWSxCLASSES with at most 2^29 logits",
                               command->loss);
    enum status status =
        device_open(&device, (enum device_kind)command->device, (int)command->rig.threads, err);
    if (status)
        return status;
    if (bf16 && device.backend->host)
        status = error_set_field(err, STATUS_UNSUPPORTED, "precision",
                                 "the loss of the %s backend reads f32 only", device.backend->name);
    else
        status = time_loss(command, &device, &size, err);
    device_close(&device);
    return status;
}

static enum status run(void *options, const struct names *names, struct error *err) {
    struct bench_command *command = options;
    (void)names;
    enum status status = train_spec_check_precision(command->rig.precision, command->device, err);
    if (status)
        return status;
    if (command->loss[0])
        return bench_loss(command, err);
    if (!command->rig.student[0])
        return error_set_field(err, STATUS_INVALID, "student", "student= or loss= is required");
    status = choose_feed(command, err);
    return status ? status : bench_step(command, err);
}

const struct command command_bench = {
    .name = "bench",
    .sentence = "Times a training step, a forward pass, their ops, or the loss.",
    .table = &table,
    .options_bytes = sizeof(struct bench_command),
    .run = run,
};
