#include "engine/cli/loss_program.h"

static int add_value(struct program *program, const char *name, enum value_kind kind,
                     enum dtype dtype, struct shape shape) {
    struct value value = {.shape = shape, .dtype = dtype, .kind = kind};
    str_copy(value.name, sizeof value.name, name);
    return program_add_value(program, &value);
}

static void build(struct loss_program *loss, const struct loss_terms *terms, int n, int k) {
    struct program *program = &loss->program;
    struct shape logits = {n, 1, 1, k}, rows = {n, 1, 1, ROW_FIELDS}, label = {n, 1, 1, 1};
    program_init(program);
    loss->student = add_value(program, "student", VALUE_INPUT, DTYPE_F32, logits);
    loss->teacher = terms->distill_weight == 0
                        ? NO_VALUE
                        : add_value(program, "teacher", VALUE_INPUT, DTYPE_F32, logits);
    loss->label = add_value(program, "label", VALUE_INPUT, DTYPE_I32, label);
    loss->rows = add_value(program, "rows", VALUE_OUTPUT, DTYPE_F32, rows);
    loss->gradient = add_value(program, "gradient", VALUE_OUTPUT, DTYPE_F32, logits);
    struct op op = op_new(OP_DISTILL_LOSS, SECTION_FORWARD);
    op.in[0] = loss->student;
    op.in[1] = loss->teacher;
    op.in[2] = loss->label;
    op.out[0] = loss->rows;
    op.out[1] = loss->gradient;
    op.attr.loss.terms = *terms;
    program_add_op(program, &op, 0);
    program_seal(program);
}

enum status loss_program_open(struct loss_program *loss, struct device *device,
                              const struct loss_terms *terms, int n, int k, struct error *err) {
    build(loss, terms, n, k);
    loss->step.n_valid = n;
    loss->step.student[0].ce_weight = terms->ce_weight;
    loss->step.student[0].distill_weight = terms->distill_weight;
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
