#include "engine/session/programs.h"

#include "engine/base/mem.h"
#include "engine/graph/grad.h"
#include "engine/graph/optimizer.h"
#include "engine/graph/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct builder begin(struct run_program *out, const struct program_plan *plan,
                            const struct network *network, enum build_mode mode) {
    return network_builder(network, &out->program, mode, (enum precision)plan->spec->precision);
}

static int add_persistent(struct run_program *out, const char *name, enum value_kind kind,
                          struct shape shape, enum dtype dtype) {
    struct value value = {.shape = shape, .dtype = dtype, .kind = kind};
    snprintf(value.name, sizeof value.name, "%s", name);
    return program_add_value(&out->program, &value);
}

static struct shape pictures_shape(const struct program_plan *plan, int count) {
    const struct network *net = plan->student;
    return (struct shape){count, net->height, net->width, net->channels};
}

static void add_inputs(struct run_program *out, const struct program_plan *plan, bool indices) {
    struct shape images = pictures_shape(plan, plan->batch);
    struct shape labels = {plan->rows, 1, 1, 1}, each = {plan->batch, 1, 1, 1};
    out->images = add_persistent(out, "images", VALUE_INPUT, images, DTYPE_U8);
    out->labels = add_persistent(out, "labels", VALUE_INPUT, labels, DTYPE_I32);
    if (indices)
        out->indices = add_persistent(out, "indices", VALUE_INPUT, each, DTYPE_I32);
}

static void add_gather(struct run_program *out, const struct program_plan *plan, bool indices) {
    struct shape images = pictures_shape(plan, plan->resident), each = {plan->resident, 1, 1, 1};
    out->data.images = add_persistent(out, "data.images", VALUE_SHARED, images, DTYPE_U8);
    out->data.labels = add_persistent(out, "data.labels", VALUE_SHARED, each, DTYPE_I32);
    out->data.order = add_persistent(out, "data.order", VALUE_SHARED, each, DTYPE_I32);
    struct op op = op_new(OP_GATHER, SECTION_FORWARD);
    op.in[0] = out->data.images;
    op.in[1] = out->data.labels;
    op.in[2] = out->data.order;
    op.attr.gather.batch = plan->batch;
    op = program_emit(&out->program, &op, indices ? 0 : 1u << 2);
    out->images = op.out[0];
    out->labels = op.out[1];
    out->indices = op.out[2];
}

/* indices: are the pictures' places in the data set wanted? */
static void add_batch(struct run_program *out, const struct program_plan *plan, bool indices) {
    out->indices = out->data.images = out->data.labels = out->data.order = NO_VALUE;
    if (plan->resident)
        add_gather(out, plan, indices);
    else
        add_inputs(out, plan, indices);
}

static bool augments(const struct program_plan *plan) {
    return !plan->augmented && (plan->spec->crop_padding || plan->spec->flip);
}

static int add_augment(struct run_program *out, const struct program_plan *plan) {
    const struct train_spec *spec = plan->spec;
    if (!augments(plan))
        return out->images;
    struct op op = op_new(OP_AUGMENT, SECTION_FORWARD);
    op.in[0] = out->images;
    op.in[1] = out->indices;
    op.attr.augment = (struct augment_attr){(int)spec->crop_padding, spec->flip};
    return program_emit(&out->program, &op, 0).out[0];
}

static void add_loss(struct run_program *out, int teacher_logits, const struct loss_terms *terms,
                     bool gradient) {
    struct shape logits = out->program.value[out->logits].shape;
    out->rows = add_persistent(out, "rows", VALUE_OUTPUT,
                               (struct shape){logits.n, 1, 1, ROW_FIELDS}, DTYPE_F32);
    struct op op = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    op.in[0] = out->logits;
    op.in[1] = teacher_logits;
    op.in[2] = out->labels;
    op.out[0] = out->rows;
    op.attr.loss = (struct loss_attr){*terms, 0};
    program_add_op(&out->program, &op, gradient ? 0 : 1u << 1);
}

static void add_tally(struct run_program *out) {
    out->tally =
        add_persistent(out, "tally", VALUE_TALLY, (struct shape){1, 1, 1, TALLY_FIELDS}, DTYPE_F64);
    struct op op = op_new(OP_TALLY, SECTION_UPDATE);
    op.in[0] = out->rows;
    op.out[0] = out->tally;
    program_add_op(&out->program, &op, 0);
}

/* Sets what the teacher reads; returns its logits. */
static int add_teacher(struct run_program *out, const struct program_plan *plan, int pictures,
                       int *x) {
    struct builder builder = begin(out, plan, plan->teacher, BUILD_INFER);
    builder.net = NET_TEACHER;
    *x = build_normalize(&builder, pictures, plan->batch, plan->teacher_mean,
                         plan->teacher_deviation);
    return network_build(plan->teacher, &builder, *x);
}

/* Does the student read what the teacher reads? */
static bool shares_pictures(const struct program_plan *plan) {
    size_t bytes = (size_t)plan->student->channels * sizeof *plan->mean;
    return plan->teacher && plan->rows == plan->batch &&
           memcmp(plan->mean, plan->teacher_mean, bytes) == 0 &&
           memcmp(plan->deviation, plan->teacher_deviation, bytes) == 0;
}

void train_program_build(struct run_program *out, const struct program_plan *plan) {
    const struct train_spec *spec = plan->spec;
    memset(out, 0, sizeof *out);
    struct builder student = begin(out, plan, plan->student, BUILD_TRAIN);
    student.drop_path = (float)spec->drop_path;
    add_batch(out, plan, augments(plan));
    int pictures = add_augment(out, plan);
    int x = NO_VALUE;
    int teacher_logits = plan->teacher ? add_teacher(out, plan, pictures, &x) : NO_VALUE;
    int first = out->program.n_ops;
    if (!shares_pictures(plan))
        x = build_normalize(&student, pictures, plan->rows, plan->mean, plan->deviation);
    out->logits = network_build(plan->student, &student, x);
    struct loss_terms terms = loss_terms_of((enum method)spec->method, spec->temperature,
                                            spec->beta, spec->ce_weight, spec->label_smoothing);
    add_loss(out, teacher_logits, &terms, true);
    program_add_gradient(&out->program, first);
    add_tally(out);
    build_optimizer(&student, spec);
    program_seal(&out->program);
}

void eval_program_build(struct run_program *out, const struct program_plan *plan) {
    memset(out, 0, sizeof *out);
    struct builder student = begin(out, plan, plan->student, BUILD_INFER);
    add_batch(out, plan, false);
    int x = build_normalize(&student, out->images, plan->batch, plan->mean, plan->deviation);
    out->logits = network_build(plan->student, &student, x);
    out->program.value[out->logits].kind = VALUE_OUTPUT;
    struct loss_terms terms = loss_terms_of(METHOD_CE, 1, 0, 1, 0);
    add_loss(out, NO_VALUE, &terms, false);
    add_tally(out);
    program_seal(&out->program);
}

void run_program_release(struct run_program *program) {
    program_free(&program->program);
    memset(program, 0, sizeof *program);
}

size_t program_activation_bytes(const struct program *program) {
    struct plan_item *items = xcalloc((size_t)program->n_values + 1, sizeof *items);
    int n = 0;
    for (int i = 0; i < program->n_values; i++) {
        const struct value *value = &program->value[i];
        if (!value_is_persistent(value) && value->first >= 0)
            items[n++] = (struct plan_item){value_bytes(value), value->first, value->last, 0};
    }
    size_t bytes = plan_memory(items, n);
    free(items);
    return bytes;
}
