/*
 * dnn.h - convolutions by cuDNN 9, through its graph API: a plan for a problem.
 *
 * The library is found at run time (library.h). Plans come from its heuristics alone, never from
 * timings, so that the same library and card choose the same engine; engines that are not
 * deterministic, reduce in less than f32, round operands in f32 to 16 bits, or, without tf32, use
 * tensor cores in f32, are passed over.
 * Precompiled engines come first: others compile for about a second.
 *
 * Ownership: plans belong to the struct dnn, which keeps one for each problem.
 * Threads:   those of the device.
 */
#ifndef ENGINE_BACKEND_CUDA_DNN_H
#define ENGINE_BACKEND_CUDA_DNN_H

#include "engine/backend/cuda/launch.h"
#include "engine/base/status.h"

enum dnn_kind { DNN_CONV, DNN_CONV_DX, DNN_CONV_DW };

/* A convolution without groups; sizes are those of the forward one. bf16: all operands, because no
 * precompiled engine mixes types; sums are f32. */
struct dnn_problem {
    enum dnn_kind kind;
    int n, h, w, c, yh, yw, k, r, s;
    int stride, pad;
    int bf16, bias, residual, relu; /* each 0 or 1 */
    int tf32;                       /* operands, if f32, may be rounded to TF32 */
};

struct dnn_plan {
    size_t workspace_bytes;
    int engine;     /* cuDNN's number of it */
    unsigned notes; /* a bit for each of its numerical notes (cudnnBackendNumericalNote_t) */
    int compiled_late;
    struct dnn_plan_state *state;
};

struct dnn;

/* A description of a device as cuDNN writes it instead of a stream: plans can be made and not run.
 */
MUST_CHECK enum status dnn_open(struct dnn **out, void *stream, const char *properties,
                                struct error *err);
void dnn_close(struct dnn *dnn); /* NULL is allowed. */

/* "cuDNN 9.19.0". */
const char *dnn_version(const struct dnn *dnn);

/* The plan of a problem, or NULL: the library has none that is allowed. */
const struct dnn_plan *dnn_plan_of(struct dnn *dnn, const struct dnn_problem *problem);

/* Problem i of those asked for and its plan, NULL if it has none; false behind the last. */
bool dnn_listed(const struct dnn *dnn, int i, struct dnn_problem *problem,
                const struct dnn_plan **plan);

/* Where operands lie on the device; of a gradient, y is dy and what is computed is x or w. */
struct dnn_operands {
    void *x, *w, *y, *bias, *residual, *workspace;
};

/* Enqueues it; a failure is kept for dnn_failure. */
void dnn_run(struct dnn *dnn, const struct dnn_plan *plan, const struct dnn_operands *operands);

/* The first failure of a run, or NULL. */
const char *dnn_failure(const struct dnn *dnn);

#endif
