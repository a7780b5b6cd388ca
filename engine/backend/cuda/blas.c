#include "engine/backend/cuda/blas.h"
#include "engine/backend/cuda/library.h"
#include "engine/base/mem.h"

#include <cublasLt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 16, ALIGNMENT = 16 };
static const uint64_t WORKSPACE_MOST = (uint64_t)32 << 20;

/* The functions that are taken from the library. */
#define BLAS_FUNCTIONS(X)                                                                          \
    X(cublasLtCreate)                                                                              \
    X(cublasLtDestroy)                                                                             \
    X(cublasLtGetVersion)                                                                          \
    X(cublasLtGetStatusString)                                                                     \
    X(cublasLtMatmulDescCreate)                                                                    \
    X(cublasLtMatmulDescDestroy)                                                                   \
    X(cublasLtMatmulDescSetAttribute)                                                              \
    X(cublasLtMatrixLayoutCreate)                                                                  \
    X(cublasLtMatrixLayoutDestroy)                                                                 \
    X(cublasLtMatmulPreferenceCreate)                                                              \
    X(cublasLtMatmulPreferenceDestroy)                                                             \
    X(cublasLtMatmulPreferenceSetAttribute)                                                        \
    X(cublasLtMatmulAlgoGetHeuristic)                                                              \
    X(cublasLtMatmulAlgoCapGetAttribute)                                                           \
    X(cublasLtMatmulAlgoConfigGetAttribute)                                                        \
    X(cublasLtMatmul)

struct blas_api {
#define BLAS_MEMBER(name) __typeof__(name) *name;
    BLAS_FUNCTIONS(BLAS_MEMBER)
#undef BLAS_MEMBER
};

struct blas_plan_state {
    struct blas_problem problem;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t left, right, out;
    cublasLtMatmulAlgo_t algorithm;
    bool usable;
};

struct blas {
    struct blas_api api;
    cublasLtHandle_t handle; /* NULL: descriptors only */
    void *stream;
    struct blas_plan **plan; /* they stay where they are */
    int plans, plan_capacity;
    char version[32];
    char failure[160];
};

/* --- open --- */

static enum status load_api(struct blas_api *api, struct error *err) {
    void *library = NULL;
    enum status status = library_open_blas(&library, err);
#define BLAS_LOAD(name)                                                                            \
    if (!status)                                                                                   \
        status = library_function((void **)&api->name, library, #name, err);
    BLAS_FUNCTIONS(BLAS_LOAD)
#undef BLAS_LOAD
    return status;
}

static enum status use_stream(struct blas *blas, void *stream, struct error *err) {
    cublasStatus_t status = blas->api.cublasLtCreate(&blas->handle);
    blas->stream = stream;
    if (status == CUBLAS_STATUS_SUCCESS)
        return STATUS_OK;
    return error_set_field(err, STATUS_UNSUPPORTED, "device", "device=cuda: %s: %s", blas->version,
                           blas->api.cublasLtGetStatusString(status));
}

enum status blas_open(struct blas **out, void *stream, struct error *err) {
    struct blas *blas = xcalloc(1, sizeof *blas);
    enum status status = load_api(&blas->api, err);
    if (!status) {
        size_t version = blas->api.cublasLtGetVersion();
        snprintf(blas->version, sizeof blas->version, "cuBLASLt %zu.%zu.%zu", version / 10000,
                 version / 100 % 100, version % 100);
    }
    if (!status && stream)
        status = use_stream(blas, stream, err);
    if (!status)
        *out = blas;
    else
        blas_close(blas);
    return status;
}

static void free_plan(const struct blas_api *api, struct blas_plan *plan) {
    struct blas_plan_state *state = plan->state;
    cublasLtMatrixLayout_t layout[] = {state->left, state->right, state->out};
    for (int i = 0; i < 3; i++)
        if (layout[i])
            api->cublasLtMatrixLayoutDestroy(layout[i]);
    if (state->product)
        api->cublasLtMatmulDescDestroy(state->product);
    free(state);
    free(plan);
}

void blas_close(struct blas *blas) {
    if (!blas)
        return;
    for (int i = 0; i < blas->plans; i++)
        free_plan(&blas->api, blas->plan[i]);
    free(blas->plan);
    if (blas->handle)
        blas->api.cublasLtDestroy(blas->handle);
    free(blas);
}

const char *blas_version(const struct blas *blas) {
    return blas->version;
}

const char *blas_failure(const struct blas *blas) {
    return blas && blas->failure[0] ? blas->failure : NULL;
}

/* --- descriptors --- */

static cublasStatus_t set(const struct blas_api *api, cublasLtMatmulDesc_t product,
                          cublasLtMatmulDescAttributes_t name, uint32_t value) {
    return api->cublasLtMatmulDescSetAttribute(product, name, &value, sizeof value);
}

static cublasStatus_t set_bias(const struct blas_api *api, cublasLtMatmulDesc_t product,
                               const void *bias) {
    return api->cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                               sizeof bias);
}

static cublasStatus_t make_layout(const struct blas_api *api, const struct blas_matrix *matrix,
                                  int bf16, cublasLtMatrixLayout_t *out) {
    return api->cublasLtMatrixLayoutCreate(out, bf16 ? CUDA_R_16BF : CUDA_R_32F,
                                           (uint64_t)matrix->rows, (uint64_t)matrix->columns,
                                           matrix->stride);
}

static cublasStatus_t make_product(const struct blas_api *api, const struct blas_view *view,
                                   struct blas_plan_state *state) {
    static const cublasLtEpilogue_t epilogue[2][2] = {
        {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_RELU},
        {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS}};
    static const cublasOperation_t operation[] = {CUBLAS_OP_N, CUBLAS_OP_T};
    const struct blas_problem *problem = &state->problem;
    cublasComputeType_t type = problem->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    cublasStatus_t status = api->cublasLtMatmulDescCreate(&state->product, type, CUDA_R_32F);
    if (status == CUBLAS_STATUS_SUCCESS)
        status =
            set(api, state->product, CUBLASLT_MATMUL_DESC_TRANSA, operation[view->left.transposed]);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = set(api, state->product, CUBLASLT_MATMUL_DESC_TRANSB,
                     operation[view->right.transposed]);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = set(api, state->product, CUBLASLT_MATMUL_DESC_EPILOGUE,
                     epilogue[problem->bias][problem->relu]);
    if (status == CUBLAS_STATUS_SUCCESS && problem->bias) /* here only its alignment counts */
        status = set_bias(api, state->product, (const void *)(uintptr_t)ALIGNMENT);
    return status;
}

static cublasStatus_t make_descriptors(const struct blas_api *api, struct blas_plan_state *state) {
    const struct blas_problem *problem = &state->problem;
    struct blas_view view = blas_view_of(problem);
    cublasStatus_t status = make_product(api, &view, state);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = make_layout(api, &view.left, problem->bf16, &state->left);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = make_layout(api, &view.right, problem->bf16, &state->right);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = make_layout(api, &view.out, problem->c_bf16, &state->out);
    return status;
}

/* What an algorithm must keep to before the library names it. */
static cublasStatus_t make_preference(const struct blas_api *api, cublasLtMatmulPreference_t *out) {
    static const cublasLtMatmulPreferenceAttributes_t alignment[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    uint32_t bytes = ALIGNMENT;
    uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasStatus_t status = api->cublasLtMatmulPreferenceCreate(out);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = api->cublasLtMatmulPreferenceSetAttribute(
            *out, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &WORKSPACE_MOST, sizeof WORKSPACE_MOST);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = api->cublasLtMatmulPreferenceSetAttribute(
            *out, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes);
    for (int i = 0; i < 4 && status == CUBLAS_STATUS_SUCCESS; i++)
        status =
            api->cublasLtMatmulPreferenceSetAttribute(*out, alignment[i], &bytes, sizeof bytes);
    return status;
}

/* --- algorithms --- */

/* Parts of a sum are not added up in place, and not in the type of c. */
static bool order_allowed(const struct blas_api *api, const cublasLtMatmulAlgo_t *algorithm) {
    uint32_t scheme = CUBLASLT_REDUCTION_SCHEME_INPLACE;
    size_t written = 0;
    return api->cublasLtMatmulAlgoConfigGetAttribute(
               algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme, sizeof scheme,
               &written) == CUBLAS_STATUS_SUCCESS &&
           (scheme == CUBLASLT_REDUCTION_SCHEME_NONE ||
            scheme == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
}

/* Sums in f32, operands no narrower than the problem says. */
static bool numbers_allowed(const struct blas_api *api, const struct blas_problem *problem,
                            const cublasLtMatmulAlgo_t *algorithm) {
    uint64_t banned = CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_16F, flags = 0;
    size_t written = 0;
    if (!problem->bf16)
        banned |=
            CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16F | CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16BF;
    if (!problem->bf16 && !problem->tf32)
        banned |=
            CUBLASLT_NUMERICAL_IMPL_FLAGS_TENSOR_OP_MASK | CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_TF32;
    return api->cublasLtMatmulAlgoCapGetAttribute(algorithm, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS,
                                                  &flags, sizeof flags,
                                                  &written) == CUBLAS_STATUS_SUCCESS &&
           !(flags & banned);
}

static int number_of(const struct blas_api *api, const cublasLtMatmulAlgo_t *algorithm) {
    int32_t number = -1;
    size_t written = 0;
    api->cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_ID, &number,
                                              sizeof number, &written);
    return number;
}

/* The library's first algorithm that is allowed, in its own order. */
static void choose(const struct blas *blas, cublasLtMatmulPreference_t preference,
                   struct blas_plan *out) {
    const struct blas_api *api = &blas->api;
    struct blas_plan_state *state = out->state;
    cublasLtMatmulHeuristicResult_t result[CANDIDATES];
    int count = 0;
    if (api->cublasLtMatmulAlgoGetHeuristic(blas->handle, state->product, state->left, state->right,
                                            state->out, state->out, preference, CANDIDATES, result,
                                            &count) != CUBLAS_STATUS_SUCCESS)
        return;
    for (int i = 0; i < count && !state->usable; i++) {
        const cublasLtMatmulAlgo_t *algorithm = &result[i].algo;
        if (result[i].state != CUBLAS_STATUS_SUCCESS || !order_allowed(api, algorithm) ||
            !numbers_allowed(api, &state->problem, algorithm))
            continue;
        state->usable = true;
        state->algorithm = *algorithm;
        out->workspace_bytes = result[i].workspaceSize;
        out->algorithm = number_of(api, algorithm);
    }
}

static void make_plan(const struct blas *blas, struct blas_plan *out) {
    cublasLtMatmulPreference_t preference = NULL;
    cublasStatus_t status = make_descriptors(&blas->api, out->state);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = make_preference(&blas->api, &preference);
    if (status == CUBLAS_STATUS_SUCCESS && blas->handle)
        choose(blas, preference, out);
    else
        out->state->usable = status == CUBLAS_STATUS_SUCCESS;
    if (preference)
        blas->api.cublasLtMatmulPreferenceDestroy(preference);
}

const struct blas_plan *blas_plan_of(struct blas *blas, const struct blas_problem *problem) {
    int i = 0;
    while (i < blas->plans && memcmp(&blas->plan[i]->state->problem, problem, sizeof *problem) != 0)
        i++;
    if (i == blas->plans) {
        MEM_GROW(blas->plan, blas->plans, blas->plan_capacity);
        struct blas_plan *plan = blas->plan[blas->plans++] = xcalloc(1, sizeof *plan);
        plan->algorithm = -1;
        plan->state = xcalloc(1, sizeof *plan->state);
        plan->state->problem = *problem;
        make_plan(blas, plan);
    }
    return blas->plan[i]->state->usable ? blas->plan[i] : NULL;
}

int blas_count(const struct blas *blas, int planned) {
    int count = 0;
    for (int i = 0; i < blas->plans; i++)
        count += blas->plan[i]->state->usable == (planned != 0);
    return count;
}

/* --- run --- */

void blas_run(struct blas *blas, const struct blas_plan *plan,
              const struct blas_operands *operands) {
    const struct blas_plan_state *state = plan->state;
    const float one = 1, beta = state->problem.residual ? 1 : 0;
    const void *added = state->problem.residual ? operands->residual : operands->c;
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    if (state->problem.bias)
        status = set_bias(&blas->api, state->product, operands->bias);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->api.cublasLtMatmul(blas->handle, state->product, &one, operands->b,
                                          state->left, operands->a, state->right, &beta, added,
                                          state->out, operands->c, state->out, &state->algorithm,
                                          plan->workspace_bytes ? operands->workspace : NULL,
                                          plan->workspace_bytes, blas->stream);
    if (status != CUBLAS_STATUS_SUCCESS && !blas->failure[0])
        snprintf(blas->failure, sizeof blas->failure, "cuBLASLt's algorithm %d: %s",
                 plan->algorithm, blas->api.cublasLtGetStatusString(status));
}
