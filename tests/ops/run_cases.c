/*
 * run_cases.c - runs each line of a .cases file:
 *
 *   - the gradient ops of ref against finite differences of ref's forward op, summed in double;
 *   - every other backend that opens against ref, in f32 and where it applies in bf16, in two
 *     steps that differ in all that a step holds, on poisoned memory;
 *   - each run repeated: equal bytes, op by op and as a whole; on a device that captures steps, the
 *     whole is replayed from the second run on, with a step that it was not captured with.
 *
 * For a slow device a limit leaves out large lines, and what is about ref alone.
 */
#include "tests/ops/rig.h"
#include "tests/support/t.h"

#include "engine/base/mem.h"
#include "engine/base/rng.h"

enum { COORDINATES = 8 }; /* compared of each gradient */

/* Every value that is in both has the same bytes. */
static void check_same_bytes(const struct rig *rig, const struct snapshot *a,
                             const struct snapshot *b, const char *what) {
    const struct program *program = &rig->problem->program;
    for (int i = 0; i < program->n_values; i++)
        if (a->data[i] && b->data[i] &&
            memcmp(a->data[i], b->data[i], plain_bytes(&program->value[i])) != 0)
            T_FAIL("%s: %s: %s differs %s", rig->problem->line, rig->device.backend->name,
                   program->value[i].name, what);
}

static void check_repeatable(struct rig *rig, const struct step *step,
                             const struct snapshot *first) {
    struct snapshot again = {{0}}, whole = {{0}}, recorded = {{0}};
    rig_run_ops(rig, step, &again);
    rig_run_program(rig, step, &whole);
    check_same_bytes(rig, first, &again, "when run again");
    check_same_bytes(rig, first, &whole, "when run as a whole");
    if (rig->device.backend->capture_begin) {
        rig_run_recorded(rig, step, &recorded);
        check_same_bytes(rig, first, &recorded, "when recorded");
    }
    snapshot_release(&again);
    snapshot_release(&whole);
    snapshot_release(&recorded);
}

/* --- against ref --- */

/* Relative to the largest element of the value. In a bf16 problem, bf16 results are rounded to 8
 * bits, and f32 results are made of sums that may have been rounded on the way. */
static double tolerance_of(const struct problem *problem, enum dtype dtype) {
    static const double f32_problem[DTYPE_COUNT] = {[DTYPE_F32] = 2e-5, [DTYPE_F64] = 1e-9};
    static const double bf16_problem[DTYPE_COUNT] = {[DTYPE_F32] = 2e-3, [DTYPE_BF16] = 1e-2};
    if (problem->dtype == DTYPE_BF16 && problem->series && dtype == DTYPE_F32)
        return bf16_problem[DTYPE_BF16];
    return (problem->dtype == DTYPE_BF16 ? bf16_problem : f32_problem)[dtype];
}

/* SSE has no fused multiply-add: a product is rounded before it is added. */
static double unfused(const struct rig *rig) {
    return str_has_suffix(rig->device.identity, " baseline") ? 1.25 : 1;
}

static double largest(const struct value *value, const void *data) {
    double top = 0;
    for (int64_t i = 0; i < shape_elements(value->shape); i++) {
        double element = fabs(plain_element(value->dtype, data, i));
        if (isfinite(element) && element > top)
            top = element;
    }
    return top;
}

static bool near(double a, double b, double tolerance) {
    return isfinite(a) && isfinite(b) ? fabs(a - b) <= tolerance : isfinite(a) == isfinite(b);
}

/* What is allowed beside it, relative to the element: cuDNN has no engine for operands of two
 * types, so in bf16 it rounds the gradient of a weight once more. */
static double rounding_of(const struct rig *rig, int index) {
    const struct program *program = &rig->problem->program;
    const struct op *op = &program->op[program->value[index].first];
    bool rounded = rig->problem->dtype == DTYPE_BF16 && !rig->device.backend->host &&
                   op->code == OP_CONV_DW && op->out[0] == index;
    return rounded ? 1.0 / 256 : 0;
}

static void check_value(const struct rig *rig, int index, const void *expected,
                        const void *actual) {
    const struct value *value = &rig->problem->program.value[index];
    double tolerance =
        unfused(rig) * tolerance_of(rig->problem, value->dtype) * (largest(value, expected) + 1e-3);
    double rounding = rounding_of(rig, index);
    for (int64_t i = 0; i < shape_elements(value->shape); i++) {
        double e = plain_element(value->dtype, expected, i);
        double a = plain_element(value->dtype, actual, i);
        if (near(a, e, tolerance + rounding * fabs(e)))
            continue;
        T_FAIL("%s (%s): %s[%lld] is %.9g on %s, %.9g on ref, tolerance %g", rig->problem->line,
               dtype_name(rig->problem->dtype), value->name, (long long)i, a,
               rig->device.backend->name, e, tolerance);
        return; /* one element a value says enough */
    }
}

static void check_against(struct rig *rig, struct rig *ref) {
    const struct problem *problem = rig->problem;
    int runs = PROBLEM_STEPS + (rig->device.backend->capture_begin != NULL);
    for (int run = 0; run < runs; run++) {
        const struct step *step = &problem->step[run % PROBLEM_STEPS];
        struct snapshot expected = {{0}}, actual = {{0}};
        rig_run_ops(ref, step, &expected);
        rig_run_ops(rig, step, &actual);
        for (int i = 0; i < problem->program.n_values; i++)
            if (expected.data[i] && actual.data[i])
                check_value(rig, i, expected.data[i], actual.data[i]);
        check_repeatable(rig, step, &actual);
        snapshot_release(&expected);
        snapshot_release(&actual);
    }
}

/* --- finite differences --- */

/* The problem's sum, from the forward op alone. */
static double forward_sum(struct rig *rig) {
    const struct problem *problem = rig->problem;
    const struct program *program = &problem->program;
    const struct value *output = &program->value[problem->output];
    struct snapshot snapshot = {{0}};
    double sum = 0;
    for (int i = 0; i <= output->first; i++)
        if (program->op[i].section == SECTION_FORWARD)
            exec_run_op(rig->exec, i, &problem->step[0]);
    rig_read(rig, problem->output, &snapshot);
    for (int64_t i = 0; i < shape_elements(output->shape); i++)
        sum += problem->cotangent[i] * plain_element(DTYPE_F32, snapshot.data[problem->output], i);
    snapshot_release(&snapshot);
    return sum;
}

/* The sum with one element of an input or weight moved. */
static double sum_at(struct rig *rig, int value, int64_t element, double offset) {
    size_t bytes = plain_bytes(&rig->problem->program.value[value]);
    float *data = xmalloc(bytes);
    memcpy(data, rig->problem->data[value], bytes);
    data[element] = (float)(data[element] + offset);
    exec_write(rig->exec, value, data);
    double sum = forward_sum(rig);
    exec_write(rig->exec, value, rig->problem->data[value]);
    free(data);
    return sum;
}

/* Derivative by one element; false where a ReLU has its kink so near that differences say nothing.
 * Where the sum is smooth, halving the distance leaves the slope and quarters the bend; a kink
 * cannot hide from both. Powers of two make the moved floats exact. */
static bool difference(struct rig *rig, int value, int64_t element, double tolerance,
                       double *slope) {
    static const double h = 1.0 / 256;
    double center = sum_at(rig, value, element, 0);
    double left = sum_at(rig, value, element, -h), right = sum_at(rig, value, element, h);
    double near_left = sum_at(rig, value, element, -h / 2);
    double near_right = sum_at(rig, value, element, h / 2);
    double bend = (left - center) + (right - center);
    double near_bend = (near_left - center) + (near_right - center);
    *slope = (near_right - near_left) / h;
    return fabs(*slope - (right - left) / (2 * h)) <= tolerance &&
           fabs(bend - 4 * near_bend) / h <= tolerance;
}

/* Compares some elements of a gradient, passing over those at a kink. */
static void check_gradient(struct rig *rig, int value, int gradient, const float *analytic) {
    const struct problem *problem = rig->problem;
    const struct value *of = &problem->program.value[gradient];
    double tolerance = 2e-3 * (largest(of, analytic) + 1e-3);
    uint32_t count = (uint32_t)shape_elements(of->shape), compared = 0;
    uint32_t wanted = count < COORDINATES ? count : COORDINATES;
    uint32_t tries = count <= COORDINATES ? count : 4 * COORDINATES;
    for (uint32_t i = 0; i < tries && compared < wanted; i++) {
        struct rng_block block = rng_philox(2, i, (uint32_t)value, RNG_TEST, 0);
        int64_t element = count <= COORDINATES ? i : rng_below(block.word[0], count);
        double slope;
        if (!difference(rig, value, element, tolerance, &slope))
            continue;
        compared++;
        if (!near(slope, (double)analytic[element], tolerance))
            T_FAIL("%s: %s[%lld] is %.9g, finite difference %.9g, tolerance %g", problem->line,
                   of->name, (long long)element, (double)analytic[element], slope, tolerance);
    }
    if (compared < (wanted + 1) / 2)
        T_FAIL("%s: %s: only %u elements away from kinks", problem->line, of->name, compared);
}

static void check_gradients(struct rig *rig) {
    const struct problem *problem = rig->problem;
    struct snapshot snapshot = {{0}};
    rig_run_ops(rig, &problem->step[0], &snapshot);
    check_repeatable(rig, &problem->step[0], &snapshot);
    for (int i = 0; i < problem->n_pairs; i++)
        check_gradient(rig, problem->pair[i].value, problem->pair[i].gradient,
                       snapshot.data[problem->pair[i].gradient]);
    snapshot_release(&snapshot);
}

/* --- lines --- */

/* A device may refuse bf16 for want of a processor feature; it may not refuse f32. */
static void run_on(const struct problem *problem, struct rig *ref, int other) {
    struct rig rig;
    struct error err;
    enum status status = rig_open(&rig, problem, rig_others[other].kind, &err);
    if (status == STATUS_OK) {
        check_against(&rig, ref);
        rig_close(&rig);
    } else if (status != STATUS_UNSUPPORTED || problem->dtype != DTYPE_BF16) {
        T_FAIL("%s: %s: %s", problem->line, rig_others[other].name, err.message);
    }
}

/* What of a file is run. */
struct selection {
    struct rig_presence presence[RIG_OTHERS];
    double flops_most; /* of a line; 0: all lines, and the gradients of ref too */
};

static bool is_large(const struct problem *problem, const struct selection *selection) {
    double flops = 0;
    for (int i = 0; i < problem->program.n_ops; i++)
        flops += op_flops(&problem->program, &problem->program.op[i]);
    return selection->flops_most > 0 && flops > selection->flops_most;
}

static void run_line(const char *line, enum dtype dtype, const struct selection *selection) {
    struct problem problem;
    struct rig ref;
    struct error err;
    problem_init(&problem, line, dtype);
    bool wanted = dtype == DTYPE_F32 || problem_kind_find(problem.name)->bf16;
    wanted = wanted && !is_large(&problem, selection);
    if (wanted && rig_open(&ref, &problem, DEVICE_REF, &err) != STATUS_OK)
        T_FAIL("%s: ref: %s", problem.line, err.message);
    else if (wanted) {
        if (dtype == DTYPE_F32 && selection->flops_most == 0)
            check_gradients(&ref);
        const struct rig_presence *presence = selection->presence;
        for (int i = 0; i < RIG_OTHERS; i++)
            if (presence[i].here && (dtype == DTYPE_F32 || presence[i].bf16))
                run_on(&problem, &ref, i);
        rig_close(&ref);
    }
    problem_release(&problem);
}

static void run_file(FILE *file, double flops_most) {
    struct selection selection = {.flops_most = flops_most};
    char line[256];
    for (int i = 0; i < RIG_OTHERS; i++)
        selection.presence[i] = rig_find(rig_others[i].kind);
    while (fgets(line, sizeof line, file)) {
        int before = t_failures;
        line[strcspn(line, "#\n")] = 0;
        if (strspn(line, " ") == strlen(line))
            continue;
        run_line(line, DTYPE_F32, &selection);
        run_line(line, DTYPE_BF16, &selection);
        t_cases++;
        t_failed_cases += t_failures != before;
    }
}

int main(int argc, char **argv) {
    double flops_most = 0;
    bool numbers = argc == 2 || (argc == 3 && str_parse_double(argv[2], &flops_most));
    FILE *file = numbers ? fopen(argv[1], "r") : NULL;
    if (!file) {
        fprintf(stderr, "usage: run_cases FILE.cases [most FLOPs of a line]\n");
        return 2;
    }
    run_file(file, flops_most);
    fclose(file);
    if (t_cases == 0)
        T_FAIL("%s has no cases", argv[1]);
    return t_done();
}
