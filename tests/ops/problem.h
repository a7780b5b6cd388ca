/*
 * problem.h - one line of a .cases file as a program with data, ready to run on any backend.
 *
 * A line is an op's name and settings: a word with a number (n8), or a word alone, which counts
 * as 1 (relu). The kind's setup function in kinds.c builds the program from it: inputs with data,
 * the op, the ops of its gradient, and which output is the derivative by which input.
 *
 * Activations are inputs of the program, which nothing may overwrite. With the word "chained" they
 * come from another op, so that exec may run the op in place and let both agree on a format.
 *
 * Ownership: problem_init ... problem_release.
 * Errors:    a line that makes no sense ends the program.
 */
#ifndef TESTS_OPS_PROBLEM_H
#define TESTS_OPS_PROBLEM_H

#include "engine/graph/ops.h"
#include "engine/graph/param_table.h"

enum { PROBLEM_VALUES = 64, PROBLEM_SETTINGS = 24, PROBLEM_PAIRS = 8, PROBLEM_STEPS = 2 };

struct setting {
    char key[24];
    double value;
    bool used;
};

struct problem {
    char line[200], name[24];
    struct setting setting[PROBLEM_SETTINGS];
    int n_settings;
    enum dtype dtype; /* of activations */
    bool chained;
    bool series; /* of ops: in bf16 each goes on from what the one before has rounded */
    struct program program;
    struct param_table table;        /* sizes of the arenas only */
    void *data[PROBLEM_VALUES];      /* what value i holds before a run, PLAIN; NULL: poison */
    int source[PROBLEM_VALUES];      /* the input that activation i is a copy of, or itself */
    struct step step[PROBLEM_STEPS]; /* the runs of a problem differ in everything a step has */
    int output;                      /* a sum over this value, or NO_VALUE, ... */
    double *cotangent;               /* ... with these weights for its elements, ... */
    struct {
        int value, gradient; /* ... has gradient as derivative by value */
    } pair[PROBLEM_PAIRS];
    int n_pairs;
};

struct range {
    double low, high;
};

struct problem_kind {
    const char *name;
    void (*setup)(struct problem *problem);
    bool bf16; /* has activations that may be bf16 */
};

/* The kind of that name, or NULL. */
const struct problem_kind *problem_kind_find(const char *name);

/* Parses a line and builds its program; the setup must have used every setting. */
void problem_init(struct problem *problem, const char *line, enum dtype dtype);
void problem_release(struct problem *problem); /* Zeroed or built. */

/* Replaces one element of a value's data; of an activation, that of the input it copies. */
void problem_set(struct problem *problem, int value, int64_t i, double number);

/* --- for setup functions --- */

/* The number behind a key, or the fallback. */
double problem_number(struct problem *problem, const char *key, double fallback);
int problem_int(struct problem *problem, const char *key, int fallback); /* The same, whole. */

/* An input of the program with random data. */
int problem_input(struct problem *problem, enum dtype dtype, struct shape shape,
                  struct range range);

/* An input of the problem's dtype that is an activation where the problem is chained. */
int problem_activation(struct problem *problem, struct shape shape, struct range range);

/* A weight, momentum or running state in the arenas with random data. */
int problem_parameter(struct problem *problem, enum value_kind kind, struct shape shape,
                      struct range range);

/* A value without data: an output, a derived value, or the gradient of a weight. */
int problem_empty(struct problem *problem, enum value_kind kind, enum dtype dtype,
                  struct shape shape);

/* Appends an op; returns it with its outputs. */
struct op problem_op(struct problem *problem, const struct op *op, unsigned absent);

/* Sums over output with the data of dy as weights, plus that of dy2 unless NO_VALUE. */
void problem_sum(struct problem *problem, int output, int dy, int dy2);

/* Says that gradient is the derivative of that sum by value. */
void problem_pair(struct problem *problem, int value, int gradient);

#endif
