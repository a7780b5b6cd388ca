/* What diff calls a difference: errors of kernels, and not what rounding leaves of a sum that is
 * zero. Both sides are ref, so that they differ in what a test has changed alone. */
#include "engine/cli/lockstep.h"

#include "tests/support/t.h"

/* In these, gradients of biases, means behind linear convolutions and gradients in front of
 * depthwise ones are sums that are zero. */
static const char *const students[] = {"vgg8", "mobilenetv2_cifar", "shufflenetv2"};

enum { STUDENTS = sizeof students / sizeof *students };

struct fixture {
    struct rig_plan plan;
    struct lockstep lockstep;
    const struct program *program;
    void *input, *wrong[OP_MAX_OUT]; /* of an op */
    int checked, unchanged;          /* outputs */
};

static void *buffer_of(const struct program *program) {
    size_t most = 0;
    for (int i = 0; i < program->n_values; i++) {
        size_t bytes = plain_bytes(&program->value[i]);
        most = bytes > most ? bytes : most;
    }
    return xmalloc(most);
}

static void fixture_open(struct fixture *fixture, const char *student) {
    static const enum device_kind kinds[] = {DEVICE_REF, DEVICE_REF};
    struct rig_options options = {
        .batch_size = 4, .channels = 3, .threads = 1, .precision = PRECISION_F32};
    *fixture = (struct fixture){.program = &fixture->plan.run.program};
    str_copy(options.student, sizeof options.student, student);
    CHECK(rig_plan_open(&fixture->plan, &options, NULL) == STATUS_OK);
    CHECK(lockstep_open(&fixture->lockstep, &fixture->plan, kinds, 1e-4, NULL) == STATUS_OK);
    fixture->input = buffer_of(fixture->program);
    for (int i = 0; i < OP_MAX_OUT; i++)
        fixture->wrong[i] = buffer_of(fixture->program);
}

static void fixture_close(struct fixture *fixture) {
    lockstep_close(&fixture->lockstep);
    rig_plan_close(&fixture->plan);
    free(fixture->input);
    for (int i = 0; i < OP_MAX_OUT; i++)
        free(fixture->wrong[i]);
}

static struct exec *exec_of(const struct fixture *fixture, enum lockstep_side side) {
    return fixture->lockstep.rig[side].exec;
}

static void hand_over(struct fixture *fixture, int value) {
    void *data = fixture->lockstep.buffer[0];
    exec_read(exec_of(fixture, SIDE_FIRST), value, data);
    exec_write(exec_of(fixture, SIDE_SECOND), value, data);
}

/* Runs an op whose second side does not see the largest element of its first input, and hands the
 * first side's outputs over; the second one's are kept. */
static void run_with_a_fault(struct fixture *fixture, int index) {
    struct lockstep *lockstep = &fixture->lockstep;
    const struct op *op = &fixture->program->op[index];
    int64_t count = shape_elements(fixture->program->value[op->in[0]].shape), at = 0;
    float *input = fixture->input;
    exec_read(exec_of(fixture, SIDE_SECOND), op->in[0], input);
    for (int64_t i = 1; i < count; i++)
        if (fabsf(input[i]) > fabsf(input[at]))
            at = i;
    float largest = input[at];
    input[at] = 0;
    exec_write(exec_of(fixture, SIDE_SECOND), op->in[0], input);
    T_INT(lockstep_run(lockstep, index, NULL), STATUS_OK);
    for (int i = 0; i < OP_MAX_OUT; i++)
        if (op->out[i] != NO_VALUE)
            exec_read(exec_of(fixture, SIDE_SECOND), op->out[i], fixture->wrong[i]);
    input[at] = largest;
    exec_write(exec_of(fixture, SIDE_SECOND), op->in[0], input); /* others may read it */
    for (int i = 0; i < OP_MAX_OUT; i++)
        if (op->out[i] != NO_VALUE)
            hand_over(fixture, op->out[i]);
}

/* Compares with one output that is wrong. It may be right all the same: where a ReLU is closed the
 * gradient does not matter. */
static void check_output(struct fixture *fixture, int index, int output) {
    struct lockstep *lockstep = &fixture->lockstep;
    const struct op *op = &fixture->program->op[index];
    struct error err = {0};
    exec_write(exec_of(fixture, SIDE_SECOND), op->out[output], fixture->wrong[output]);
    lockstep->worst = 0;
    enum status status = lockstep_compare(lockstep, index, &err);
    fixture->checked++;
    fixture->unchanged += lockstep->worst == 0;
    if (lockstep->worst > 0 && status != STATUS_CONFLICT)
        T_FAIL("op %d (%s): an error of %g in output %d is not seen", index,
               op_table[op->code].name, lockstep->worst, output);
    if (status)
        T_CONTAINS(err.message, fixture->program->value[op->out[output]].name);
    hand_over(fixture, op->out[output]);
}

static bool can_be_wrong(const struct program *program, const struct op *op) {
    return (op->section == SECTION_FORWARD || op->section == SECTION_BACKWARD) &&
           program->value[op->in[0]].dtype == DTYPE_F32;
}

/* Makes the second side's output of that name, if the op has it, all zeros. */
static void write_zeros(struct fixture *fixture, const struct op *op, const char *name) {
    for (int i = 0; i < OP_MAX_OUT && op->out[i] != NO_VALUE; i++) {
        const struct value *value = &fixture->program->value[op->out[i]];
        memset(fixture->input, 0, plain_bytes(value));
        if (str_equal(value->name, name))
            exec_write(exec_of(fixture, SIDE_SECOND), op->out[i], fixture->input);
    }
}

static enum status step_with_zeros(const char *name, struct error *err) {
    struct fixture fixture;
    enum status status = STATUS_OK;
    fixture_open(&fixture, "vgg8");
    for (int index = 0; index < fixture.program->n_ops && !status; index++) {
        status = lockstep_run(&fixture.lockstep, index, err);
        write_zeros(&fixture, &fixture.program->op[index], name);
        if (!status)
            status = lockstep_compare(&fixture.lockstep, index, err);
    }
    fixture_close(&fixture);
    return status;
}

/* The bias in front of a batch norm has no influence; that of the last layer has. */
static void zeros_are_right_where_the_sum_is_zero(void) {
    struct error err = {0};
    T_INT(step_with_zeros("d.block4.0.bias", &err), STATUS_OK);
    T_STR(err.message, "");
    T_INT(step_with_zeros("d.classifier.bias", &err), STATUS_CONFLICT);
    T_CONTAINS(err.message, "differs in d.classifier.bias: 1 relative");
}

/* Every output of every op of a training step shows that an element was overlooked. */
static void errors_are_found(void) {
    for (int s = 0; s < STUDENTS; s++) {
        struct fixture fixture;
        fixture_open(&fixture, students[s]);
        for (int index = 0; index < fixture.program->n_ops; index++) {
            const struct op *op = &fixture.program->op[index];
            if (!can_be_wrong(fixture.program, op)) {
                T_INT(lockstep_run(&fixture.lockstep, index, NULL), STATUS_OK);
                T_INT(lockstep_compare(&fixture.lockstep, index, NULL), STATUS_OK);
                continue;
            }
            run_with_a_fault(&fixture, index);
            for (int i = 0; i < OP_MAX_OUT; i++)
                if (op->out[i] != NO_VALUE)
                    check_output(&fixture, index, i);
        }
        T_CHECK(fixture.checked > 50 && fixture.unchanged < fixture.checked / 4);
        fixture_close(&fixture);
    }
}

int main(void) {
    T_RUN(zeros_are_right_where_the_sum_is_zero);
    T_RUN(errors_are_found);
    return t_done();
}
