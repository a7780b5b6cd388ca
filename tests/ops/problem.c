#include "tests/ops/problem.h"

#include "engine/backend/backend.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const struct problem *problem, const char *what, const char *detail) {
    fprintf(stderr, "%s: %s%s\n", problem->line, what, detail);
    exit(2);
}

/* --- lines --- */

static void parse_setting(struct problem *problem, const char *word) {
    size_t letters = 0;
    while (isalpha((unsigned char)word[letters]))
        letters++;
    struct setting *setting = &problem->setting[problem->n_settings];
    if (letters == 0 || letters >= sizeof setting->key || problem->n_settings == PROBLEM_SETTINGS)
        fail(problem, "cannot read ", word);
    problem->n_settings++;
    memcpy(setting->key, word, letters);
    setting->value = 1;
    if (word[letters] && !str_parse_double(word + letters, &setting->value))
        fail(problem, "cannot read ", word);
}

static void parse_line(struct problem *problem, const char *line) {
    char copy[sizeof problem->line], *rest = NULL;
    if (!str_copy(problem->line, sizeof problem->line, line))
        fail(problem, "too long", "");
    memcpy(copy, problem->line, sizeof copy);
    char *word = strtok_r(copy, " ", &rest);
    if (!word || !str_copy(problem->name, sizeof problem->name, word))
        fail(problem, "has no name", "");
    while ((word = strtok_r(NULL, " ", &rest)))
        parse_setting(problem, word);
}

double problem_number(struct problem *problem, const char *key, double fallback) {
    for (int i = 0; i < problem->n_settings; i++)
        if (strcmp(problem->setting[i].key, key) == 0) {
            problem->setting[i].used = true;
            return problem->setting[i].value;
        }
    return fallback;
}

int problem_int(struct problem *problem, const char *key, int fallback) {
    return (int)problem_number(problem, key, fallback);
}

/* Two steps that differ in all that kernels may read. */
static void default_steps(struct problem *problem) {
    for (int i = 0; i < PROBLEM_STEPS; i++) {
        struct step *step = &problem->step[i];
        step->index = 10 + (uint64_t)i;
        step->seed = 5 + (uint64_t)i;
        step->data_seed = 77 + 3 * (uint64_t)i;
        step->epoch = (uint32_t)(1 + i);
        step->n_valid = 1;
        step->first = 3 * i;
        for (int student = 0; student < STEP_STUDENTS_MAX; student++) {
            step->student[student].learning_rate = 0.1f / (float)(1 + i + 2 * student);
            step->student[student].ce_weight = 0.75f / (float)(1 + i + student);
            step->student[student].distill_weight = 2.5f / (float)(1 + 2 * i + student);
        }
    }
}

void problem_init(struct problem *problem, const char *line, enum dtype dtype) {
    memset(problem, 0, sizeof *problem);
    parse_line(problem, line);
    program_init(&problem->program);
    problem->dtype = dtype;
    problem->output = NO_VALUE;
    problem->chained = problem_int(problem, "chained", 0) != 0;
    default_steps(problem);
    const struct problem_kind *kind = problem_kind_find(problem->name);
    if (!kind)
        fail(problem, "there is no op ", problem->name);
    kind->setup(problem);
    for (int i = 0; i < problem->n_settings; i++)
        if (!problem->setting[i].used)
            fail(problem, "the op does not know ", problem->setting[i].key);
    program_seal(&problem->program);
}

void problem_release(struct problem *problem) {
    for (int i = 0; i < PROBLEM_VALUES; i++)
        free(problem->data[i]);
    free(problem->cotangent);
    program_free(&problem->program);
    param_table_release(&problem->table);
    memset(problem, 0, sizeof *problem);
}

/* --- data --- */

static void set_element(enum dtype dtype, void *data, int64_t i, double value) {
    switch (dtype) {
    case DTYPE_U8:
        ((uint8_t *)data)[i] = (uint8_t)floor(value);
        break;
    case DTYPE_I32:
        ((int32_t *)data)[i] = (int32_t)floor(value);
        break;
    case DTYPE_F64:
        ((double *)data)[i] = value;
        break;
    default:
        ((float *)data)[i] = (float)value;
    }
}

void problem_set(struct problem *problem, int value, int64_t i, double number) {
    int source = problem->source[value];
    CHECK(problem->data[source] && i < shape_elements(problem->program.value[source].shape));
    set_element(problem->program.value[source].dtype, problem->data[source], i, number);
}

/* To the nearest bf16. In a bf16 problem all numbers are representable, so that backends differ by
 * their computation alone. */
static double round_bf16(double value) {
    int exponent;
    double fraction = frexp(value, &exponent);
    return ldexp(nearbyint(ldexp(fraction, 8)), exponent - 8);
}

static void fill_random(struct problem *problem, int index, struct range range) {
    const struct value *value = &problem->program.value[index];
    bool round =
        problem->dtype == DTYPE_BF16 && (value->dtype == DTYPE_F32 || value->dtype == DTYPE_BF16);
    int64_t count = shape_elements(value->shape);
    void *data = problem->data[index] = xcalloc(1, plain_bytes(value));
    for (int64_t i = 0; i < count; i++) {
        struct rng_block block = rng_philox(1, (uint32_t)i, (uint32_t)index, RNG_TEST, 0);
        double drawn = range.low + (range.high - range.low) * (double)rng_unit(block.word[0]);
        set_element(value->dtype, data, i, round ? round_bf16(drawn) : drawn);
    }
}

/* --- values and ops --- */

int problem_empty(struct problem *problem, enum value_kind kind, enum dtype dtype,
                  struct shape shape) {
    struct value value = {.shape = shape, .dtype = dtype, .kind = kind};
    snprintf(value.name, sizeof value.name, "%s.%d", value_kind_name(kind),
             problem->program.n_values);
    int index = program_add_value(&problem->program, &value);
    CHECK(index < PROBLEM_VALUES);
    problem->source[index] = index;
    return index;
}

int problem_input(struct problem *problem, enum dtype dtype, struct shape shape,
                  struct range range) {
    int index = problem_empty(problem, VALUE_INPUT, dtype, shape);
    fill_random(problem, index, range);
    return index;
}

/* A copy of value by another op: value + 0. */
static int add_zero(struct problem *problem, int value) {
    const struct value from = problem->program.value[value];
    struct op op = op_new(OP_ADD, SECTION_FORWARD);
    op.in[0] = value;
    op.in[1] = problem_input(problem, from.dtype, from.shape, (struct range){0, 0});
    return problem_op(problem, &op, 0).out[0];
}

int problem_activation(struct problem *problem, struct shape shape, struct range range) {
    int input = problem_input(problem, problem->dtype, shape, range);
    if (!problem->chained)
        return input;
    int copy = add_zero(problem, input);
    problem->source[copy] = input;
    return copy;
}

static size_t *arena_floats(struct problem *problem, enum value_kind kind) {
    return kind == VALUE_STATE ? &problem->table.state_floats : &problem->table.weight_floats;
}

int problem_parameter(struct problem *problem, enum value_kind kind, struct shape shape,
                      struct range range) {
    size_t *floats = arena_floats(problem, kind);
    int index = problem_empty(problem, kind, DTYPE_F32, shape);
    problem->program.value[index].offset = *floats;
    *floats += ((size_t)shape_elements(shape) + 15) / 16 * 16;
    fill_random(problem, index, range);
    return index;
}

struct op problem_op(struct problem *problem, const struct op *op, unsigned absent) {
    int before = problem->program.n_values;
    int index = program_add_op(&problem->program, op, absent);
    CHECK(problem->program.n_values <= PROBLEM_VALUES);
    for (int i = before; i < problem->program.n_values; i++)
        problem->source[i] = i;
    return problem->program.op[index];
}

void problem_sum(struct problem *problem, int output, int dy, int dy2) {
    int64_t count = shape_elements(problem->program.value[output].shape);
    problem->output = output;
    problem->cotangent = xcalloc((size_t)count, sizeof *problem->cotangent);
    for (int64_t i = 0; i < count; i++) {
        problem->cotangent[i] = plain_element(DTYPE_F32, problem->data[problem->source[dy]], i);
        if (dy2 != NO_VALUE)
            problem->cotangent[i] +=
                plain_element(DTYPE_F32, problem->data[problem->source[dy2]], i);
    }
}

void problem_pair(struct problem *problem, int value, int gradient) {
    CHECK(problem->n_pairs < PROBLEM_PAIRS);
    problem->pair[problem->n_pairs].value = problem->source[value];
    problem->pair[problem->n_pairs].gradient = gradient;
    problem->n_pairs++;
}
