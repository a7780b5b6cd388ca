#include "engine/cli/loss_program.h"

static int add_value(struct program *program, const char *name, enum value_kind kind,
                     enum dtype dtype, struct shape shape) {
    struct value value = {.shape = shape, .dtype = dtype, .kind = kind};
    str_copy(value.name, sizeof value.name, name);
    return program_add_value(program, &value);
}

/* A copy in the dtype, made by the prologue: what is written from outside lies in f32. */
static int add_copy(struct program *program, int logits) {
    const struct value from = program->value[logits];
    struct op op = op_new(OP_CHANNEL_SHUFFLE, SECTION_PROLOGUE);
    op.attr.channel.groups = 1;
    op.in[0] = logits;
    op.out[0] = add_value(program, "copy", VALUE_DERIVED, from.dtype, from.shape);
    return program_emit(program, &op, 0).out[0];
}

static void build(struct loss_program *loss, const struct loss_terms *terms,
                  const struct loss_program_size *size) {
    struct program *program = &loss->program;
    struct shape logits = {size->n, 1, 1, size->k}, rows = {size->n, 1, 1, ROW_FIELDS};
    struct shape label = {size->n, 1, 1, 1};
    struct op op = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    bool bf16 = size->dtype == DTYPE_BF16;
    program_init(program);
    loss->student = add_value(program, "student", VALUE_INPUT, size->dtype, logits);
    loss->teacher = terms->distill_weight == 0
                        ? NO_VALUE
                        : add_value(program, "teacher", VALUE_INPUT, size->dtype, logits);
    loss->label = add_value(program, "label", VALUE_INPUT, DTYPE_I32, label);
    loss->rows = add_value(program, "rows", VALUE_OUTPUT, DTYPE_F32, rows);
    loss->gradient =
        bf16 ? NO_VALUE : add_value(program, "gradient", VALUE_OUTPUT, DTYPE_F32, logits);
    op.in[0] = bf16 ? add_copy(program, loss->student) : loss->student;
    op.in[1] = bf16 && loss->teacher != NO_VALUE ? add_copy(program, loss->teacher) : loss->teacher;
    op.in[2] = loss->label;
    op.out[0] = loss->rows;
    op.out[1] = loss->gradient;
    op.attr.loss.terms = *terms;
    program_add_op(program, &op, 0);
    program_seal(program);
}

enum status loss_program_open(struct loss_program *loss, struct device *device,
                              const struct loss_terms *terms, const struct loss_program_size *size,
                              struct error *err) {
    build(loss, terms, size);
    loss->step.n_valid = size->n;
    loss->step.student[0].ce_weight = (float)terms->ce_weight;
    loss->step.student[0].distill_weight = (float)terms->distill_weight;
    enum status status = exec_create(&loss->exec, device, &loss->program, NULL, err);
    if (status)
        loss_program_close(loss);
    else
        exec_refresh(loss->exec);
    return status;
}

void loss_program_close(struct loss_program *loss) {
    exec_free(loss->exec);
    program_free(&loss->program);
    *loss = (struct loss_program){0};
}

/* A whole training spec is filled in, so that the rules stand in one place. */
enum status loss_options_terms(const struct loss_options *options, struct loss_terms *terms,
                               struct error *err) {
    struct train_spec spec;
    fields_default(&train_spec_table, &spec);
    str_copy(spec.student, sizeof spec.student, "student");
    str_copy(spec.dataset, sizeof spec.dataset, "in");
    if (options->method != METHOD_CE)
        str_copy(spec.teacher, sizeof spec.teacher, "teacher");
    spec.method = options->method;
    spec.temperature = options->temperature;
    spec.gamma = options->gamma;
    spec.beta = options->beta;
    spec.ce_weight = options->ce_weight;
    spec.label_smoothing = options->label_smoothing;
    enum status status = train_spec_finish(&spec, err);
    if (!status)
        *terms = loss_terms_of((enum method)spec.method, spec.temperature, spec.beta,
                               spec.ce_weight, spec.label_smoothing);
    return status;
}
