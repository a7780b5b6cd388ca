/*
 * cuDNN's convolutions on the host, by their definition: what the backend makes of an op (weights
 * and pictures in bf16, channels filled up, what lies where in the workspace) is held to ref like
 * the kernels. It is no result of the library.
 *
 * It asks of operands what the backend has promised the library, and has no plan in bf16 for output
 * channels that fill no tensor core, so that own kernels stand between plans.
 */
#include "engine/backend/cuda/dnn.h"
#include "engine/base/mem.h"
#include "tests/gpu/emulate/numbers.h"
#include "tests/gpu/emulate/record.h"

#include <stdlib.h>

enum { WORKSPACE_BYTES = 100, ALIGNMENT = 16, TENSOR_CORE_CHANNELS = 8 };

struct dnn_plan_state {
    struct dnn_problem problem;
    struct dnn_plan *next;
};

struct dnn {
    struct dnn_plan *first;
};

enum status dnn_open(struct dnn **out, void *stream, const char *properties, struct error *err) {
    (void)stream;
    (void)properties;
    (void)err;
    *out = xcalloc(1, sizeof **out);
    return STATUS_OK;
}

void dnn_close(struct dnn *dnn) {
    struct dnn_plan *plan = dnn ? dnn->first : NULL;
    while (plan) {
        struct dnn_plan *next = plan->state->next;
        free(plan->state);
        free(plan);
        plan = next;
    }
    free(dnn);
}

const struct dnn_plan *dnn_plan_of(struct dnn *dnn, const struct dnn_problem *problem) {
    if (problem->bf16 && problem->k % TENSOR_CORE_CHANNELS != 0)
        return NULL;
    CHECK(!problem->bf16 || problem->kind == DNN_CONV_DX || problem->c % TENSOR_CORE_CHANNELS == 0);
    struct dnn_plan *plan = xcalloc(1, sizeof *plan);
    plan->workspace_bytes = WORKSPACE_BYTES;
    plan->state = xcalloc(1, sizeof *plan->state);
    *plan->state = (struct dnn_plan_state){*problem, dnn->first};
    dnn->first = plan;
    return plan;
}

/* --- the convolution --- */

struct work {
    struct dnn_problem problem;
    struct dnn_operands operands;
};

/* One product of the sum: pixel (h, w) of x, tap (r, s) of the weight, pixel (p, q) of y. */
struct term {
    int n, h, w, c, r, s, p, q, k;
};

static int64_t x_at(const struct dnn_problem *problem, const struct term *at) {
    return (((int64_t)at->n * problem->h + at->h) * problem->w + at->w) * problem->c + at->c;
}

static int64_t w_at(const struct dnn_problem *problem, const struct term *at) {
    return (((int64_t)at->k * problem->r + at->r) * problem->s + at->s) * problem->c + at->c;
}

static int64_t y_at(const struct dnn_problem *problem, const struct term *at) {
    return (((int64_t)at->n * problem->yh + at->p) * problem->yw + at->q) * problem->k + at->k;
}

/* The pixel of x under a tap; false beside the picture. */
static bool find_x(const struct dnn_problem *problem, struct term *at) {
    at->h = at->p * problem->stride + at->r - problem->pad;
    at->w = at->q * problem->stride + at->s - problem->pad;
    return at->h >= 0 && at->h < problem->h && at->w >= 0 && at->w < problem->w;
}

/* The pixel of y that a tap has led to; false if none has. */
static bool find_y(const struct dnn_problem *problem, struct term *at) {
    int p = at->h + problem->pad - at->r, q = at->w + problem->pad - at->s;
    at->p = p / problem->stride;
    at->q = q / problem->stride;
    return p >= 0 && q >= 0 && p % problem->stride == 0 && q % problem->stride == 0 &&
           at->p < problem->yh && at->q < problem->yw;
}

static float number(const struct work *work, const void *data, int64_t i) {
    return number_load(data, work->problem.bf16, i);
}

static void compute_y(const struct work *work, struct term at) {
    const struct dnn_problem *problem = &work->problem;
    const struct dnn_operands *operands = &work->operands;
    float sum = 0;
    for (at.r = 0; at.r < problem->r; at.r++)
        for (at.s = 0; at.s < problem->s; at.s++)
            if (find_x(problem, &at))
                for (at.c = 0; at.c < problem->c; at.c++)
                    sum += number(work, operands->x, x_at(problem, &at)) *
                           number(work, operands->w, w_at(problem, &at));
    if (problem->residual)
        sum += number(work, operands->residual, y_at(problem, &at));
    if (problem->bias)
        sum += number(work, operands->bias, at.k);
    if (problem->relu && sum < 0)
        sum = 0;
    number_store(operands->y, problem->bf16, y_at(problem, &at), sum);
}

static void compute_dx(const struct work *work, struct term at) {
    const struct dnn_problem *problem = &work->problem;
    const struct dnn_operands *operands = &work->operands;
    float sum = 0;
    for (at.r = 0; at.r < problem->r; at.r++)
        for (at.s = 0; at.s < problem->s; at.s++)
            if (find_y(problem, &at))
                for (at.k = 0; at.k < problem->k; at.k++)
                    sum += number(work, operands->y, y_at(problem, &at)) *
                           number(work, operands->w, w_at(problem, &at));
    number_store(operands->x, problem->bf16, x_at(problem, &at), sum);
}

static void compute_dw(const struct work *work, struct term at) {
    const struct dnn_problem *problem = &work->problem;
    const struct dnn_operands *operands = &work->operands;
    float sum = 0;
    for (at.n = 0; at.n < problem->n; at.n++)
        for (at.p = 0; at.p < problem->yh; at.p++)
            for (at.q = 0; at.q < problem->yw; at.q++)
                if (find_x(problem, &at))
                    sum += number(work, operands->y, y_at(problem, &at)) *
                           number(work, operands->x, x_at(problem, &at));
    number_store(operands->w, problem->bf16, w_at(problem, &at), sum);
}

static void each_y(const struct work *work) {
    const struct dnn_problem *problem = &work->problem;
    struct term at = {0};
    for (at.n = 0; at.n < problem->n; at.n++)
        for (at.p = 0; at.p < problem->yh; at.p++)
            for (at.q = 0; at.q < problem->yw; at.q++)
                for (at.k = 0; at.k < problem->k; at.k++)
                    compute_y(work, at);
}

static void each_x(const struct work *work) {
    const struct dnn_problem *problem = &work->problem;
    struct term at = {0};
    for (at.n = 0; at.n < problem->n; at.n++)
        for (at.h = 0; at.h < problem->h; at.h++)
            for (at.w = 0; at.w < problem->w; at.w++)
                for (at.c = 0; at.c < problem->c; at.c++)
                    compute_dx(work, at);
}

static void each_w(const struct work *work) {
    const struct dnn_problem *problem = &work->problem;
    struct term at = {0};
    for (at.k = 0; at.k < problem->k; at.k++)
        for (at.r = 0; at.r < problem->r; at.r++)
            for (at.s = 0; at.s < problem->s; at.s++)
                for (at.c = 0; at.c < problem->c; at.c++)
                    compute_dw(work, at);
}

static void (*const each[])(const struct work *work) = {
    [DNN_CONV] = each_y, [DNN_CONV_DX] = each_x, [DNN_CONV_DW] = each_w};

/* --- run --- */

static void run_work(const void *args) {
    const struct work *work = args;
    memset(work->operands.workspace, 0xff, WORKSPACE_BYTES); /* NaN, where an operand lies in it */
    each[work->problem.kind](work);
}

static bool fits(const void *operand) {
    return operand && (uintptr_t)operand % ALIGNMENT == 0;
}

void dnn_run(struct dnn *dnn, const struct dnn_plan *plan, const struct dnn_operands *operands) {
    struct work work = {plan->state->problem, *operands};
    (void)dnn;
    CHECK(fits(operands->x) && fits(operands->w) && fits(operands->y));
    CHECK(!work.problem.bias || fits(operands->bias));
    CHECK(!work.problem.residual || fits(operands->residual));
    record_work(run_work, &work, sizeof work);
}
