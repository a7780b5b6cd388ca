#include "engine/backend/cuda/dnn_graph.h"
#include "engine/backend/cuda/library.h"
#include "engine/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 32, VERSION_OLDEST = 90800 };
static const size_t WORKSPACE_MOST = (size_t)512 << 20;

/* Heuristics in the order they are asked. */
static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};

struct dnn_plan_state {
    struct bag bag; /* keeps the plan */
    cudnnBackendDescriptor_t plan;
    struct dnn_problem problem;
};

struct dnn {
    struct dnn_api api;
    cudnnHandle_t handle;            /* NULL: plans only */
    cudnnBackendDescriptor_t device; /* properties, instead of a handle */
    struct bag bag;                  /* keeps them */
    struct dnn_plan **plan;          /* they stay where they are */
    int plans, plan_capacity;
    char version[32];
    char failure[160];
};

/* --- open --- */

/* cuDNN looks for cuBLASLt by its name alone and ends the program without it: it must be there. */
static enum status load_api(struct dnn_api *api, struct error *err) {
    static const char owner[] = "cuDNN 9 (libcudnn9-cuda-13, or pip's nvidia-cudnn-cu13)";
    void *library = NULL;
    enum status status = library_open_blas(&library, err);
    if (!status)
        status = library_open(&library, "libcudnn.so.9", owner, err);
#define DNN_LOAD(name)                                                                             \
    if (!status)                                                                                   \
        status = library_function((void **)&api->name, library, #name, err);
    DNN_FUNCTIONS(DNN_LOAD)
#undef DNN_LOAD
    return status;
}

static enum status check_version(struct dnn *dnn, struct error *err) {
    size_t version = dnn->api.cudnnGetVersion();
    snprintf(dnn->version, sizeof dnn->version, "cuDNN %zu.%zu.%zu", version / 10000,
             version / 100 % 100, version % 100);
    if (version >= VERSION_OLDEST && version / 10000 == 9)
        return STATUS_OK;
    return error_set_field(err, STATUS_UNSUPPORTED, "device",
                           "device=cuda: %s is loaded, this needs 9.8 or a later 9", dnn->version);
}

static enum status use_stream(struct dnn *dnn, void *stream, struct error *err) {
    cudnnStatus_t status = dnn->api.cudnnCreate(&dnn->handle);
    if (status == CUDNN_STATUS_SUCCESS)
        status = dnn->api.cudnnSetStream(dnn->handle, stream);
    if (status == CUDNN_STATUS_SUCCESS)
        return STATUS_OK;
    return error_set_field(err, STATUS_UNSUPPORTED, "device", "device=cuda: %s: %s", dnn->version,
                           dnn->api.cudnnGetErrorString(status));
}

static enum status use_properties(struct dnn *dnn, const char *properties, struct error *err) {
    struct bag *bag = &dnn->bag;
    dnn->device = bag_create(bag, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    bag_set(bag, dnn->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
            (int64_t)strlen(properties), properties);
    bag_finalize(bag, dnn->device);
    if (bag->status == CUDNN_STATUS_SUCCESS)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "properties of a device: %s",
                     dnn->api.cudnnGetErrorString(bag->status));
}

enum status dnn_open(struct dnn **out, void *stream, const char *properties, struct error *err) {
    struct dnn *dnn = xcalloc(1, sizeof *dnn);
    dnn->bag.api = &dnn->api;
    enum status status = load_api(&dnn->api, err);
    if (!status)
        status = check_version(dnn, err);
    if (!status)
        status = properties ? use_properties(dnn, properties, err) : use_stream(dnn, stream, err);
    if (!status)
        *out = dnn;
    else
        dnn_close(dnn);
    return status;
}

static void free_plan(struct dnn_plan *plan) {
    bag_release(&plan->state->bag);
    free(plan->state);
    free(plan);
}

void dnn_close(struct dnn *dnn) {
    if (!dnn)
        return;
    for (int i = 0; i < dnn->plans; i++)
        free_plan(dnn->plan[i]);
    free(dnn->plan);
    bag_release(&dnn->bag);
    if (dnn->handle)
        dnn->api.cudnnDestroy(dnn->handle);
    free(dnn);
}

const char *dnn_version(const struct dnn *dnn) {
    return dnn->version;
}

const char *dnn_failure(const struct dnn *dnn) {
    return dnn && dnn->failure[0] ? dnn->failure : NULL;
}

/* --- engines --- */

/* What is known of a candidate before it becomes a plan. */
struct engine {
    int64_t index;
    unsigned notes; /* as bits */
    bool allowed, compiled_late;
};

/* Reads the notes of an attribute as bits; false if it cannot be read. */
static bool read_notes(const struct dnn_api *api, cudnnBackendDescriptor_t engine,
                       cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                       unsigned *bits) {
    int32_t note[CANDIDATES];
    int64_t count = 0;
    *bits = 0;
    if (api->cudnnBackendGetAttribute(engine, name, type, CANDIDATES, &count, note) !=
        CUDNN_STATUS_SUCCESS)
        return false;
    for (int64_t i = 0; i < count && i < CANDIDATES; i++)
        *bits |= 1u << note[i];
    return true;
}

/* Deterministic, sums in f32, and operands in f32 are not rounded: by tensor cores to TF32, unless
 * that is wanted, and never to 16 bits. */
static bool numbers_allowed(const struct dnn_problem *problem, unsigned notes) {
    unsigned banned = 1u << CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC |
                      1u << CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
    if (!problem->bf16)
        banned |= 1u << CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    if (!problem->bf16 && !problem->tf32)
        banned |= 1u << CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    return !(notes & banned);
}

static struct engine engine_of(const struct dnn *dnn, cudnnBackendDescriptor_t config,
                               const struct dnn_problem *problem) {
    struct bag bag = {.api = &dnn->api};
    struct engine out = {.index = -1};
    unsigned behaviour = 0;
    int64_t count = 0;
    cudnnBackendDescriptor_t engine = bag_create(&bag, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    const struct dnn_api *api = &dnn->api;
    if (engine &&
        api->cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                      CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
                                      &engine) == CUDNN_STATUS_SUCCESS &&
        api->cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1,
                                      &count, &out.index) == CUDNN_STATUS_SUCCESS) {
        out.allowed = read_notes(api, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, &out.notes) &&
                      numbers_allowed(problem, out.notes);
        read_notes(api, engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                   &behaviour);
        out.compiled_late = behaviour >> CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION & 1;
    }
    bag_release(&bag);
    return out;
}

/* --- plans --- */

static cudnnBackendDescriptor_t finish_plan(const struct dnn *dnn, struct bag *bag,
                                            cudnnBackendDescriptor_t config) {
    cudnnHandle_t handle = dnn->handle;
    cudnnBackendDescriptor_t plan = bag_create(bag, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    bag_link(bag, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (handle)
        bag_set(bag, plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    else
        bag_link(bag, plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, dnn->device);
    bag_finalize(bag, plan);
    return bag->status == CUDNN_STATUS_SUCCESS ? plan : NULL;
}

/* Makes a plan of the candidate; false if the library refuses or it takes too much workspace. */
static bool try_plan(const struct dnn *dnn, cudnnBackendDescriptor_t config,
                     const struct engine *engine, struct dnn_plan *out) {
    struct bag bag = {.api = &dnn->api};
    int64_t bytes = 0, count = 0;
    cudnnBackendDescriptor_t plan = finish_plan(dnn, &bag, config);
    if (!plan ||
        dnn->api.cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                          CUDNN_TYPE_INT64, 1, &count,
                                          &bytes) != CUDNN_STATUS_SUCCESS ||
        (size_t)bytes > WORKSPACE_MOST) {
        bag_release(&bag);
        return false;
    }
    out->workspace_bytes = (size_t)bytes;
    out->engine = (int)engine->index;
    out->notes = engine->notes;
    out->compiled_late = engine->compiled_late;
    out->state->bag = bag;
    out->state->plan = plan;
    return true;
}

/* Asks the library for candidates, best first; returns how many there are. */
static int64_t ask(const struct dnn *dnn, struct bag *bag, cudnnBackendDescriptor_t graph,
                   cudnnBackendHeurMode_t mode, cudnnBackendDescriptor_t config[CANDIDATES]) {
    int64_t count = 0;
    cudnnBackendDescriptor_t heuristic = bag_create(bag, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    bag_link(bag, heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    bag_set(bag, heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (dnn->device)
        bag_link(bag, heuristic, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, dnn->device);
    bag_finalize(bag, heuristic);
    for (int i = 0; i < CANDIDATES; i++)
        config[i] = bag_create(bag, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (bag->status != CUDNN_STATUS_SUCCESS ||
        dnn->api.cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, CANDIDATES, &count,
                                          config) != CUDNN_STATUS_SUCCESS)
        return 0;
    return count < CANDIDATES ? count : CANDIDATES;
}

/* What is asked of an engine, what is wanted most first: no kernel that must be compiled, tensor
 * cores. In bf16 and tf32 the library often names one without them first, which moves all operands
 * into another layout, and one with them behind it. */
static const struct wish {
    bool late, tensor_cores;
} wishes[] = {{false, true}, {false, false}, {true, true}, {true, false}};

static bool fulfils(const struct engine *engine, const struct wish *wish) {
    bool has = engine->notes >> CUDNN_NUMERICAL_NOTE_TENSOR_CORE & 1;
    return engine->allowed && engine->compiled_late == wish->late && has == wish->tensor_cores;
}

/* The first candidate of a mode that fulfils a wish and becomes a plan, in the library's order. */
static bool choose(const struct dnn *dnn, cudnnBackendDescriptor_t graph,
                   cudnnBackendHeurMode_t mode, const struct wish *wish, struct dnn_plan *out) {
    struct bag bag = {.api = &dnn->api};
    cudnnBackendDescriptor_t config[CANDIDATES];
    int64_t count = ask(dnn, &bag, graph, mode, config);
    bool found = false;
    for (int64_t i = 0; i < count && !found; i++) {
        struct engine engine = engine_of(dnn, config[i], &out->state->problem);
        found = fulfils(&engine, wish) && try_plan(dnn, config[i], &engine, out);
    }
    bag_release(&bag);
    return found;
}

/* Fills workspace, engine and plan; leaves no plan where there is none. */
static void make_plan(const struct dnn *dnn, struct dnn_plan *out) {
    struct bag bag = {.api = &dnn->api};
    cudnnBackendDescriptor_t graph = dnn_graph(&bag, &out->state->problem, dnn->handle);
    bool found = false;
    for (size_t w = 0; w < sizeof wishes / sizeof *wishes && bag.status == CUDNN_STATUS_SUCCESS;
         w++)
        for (size_t i = 0; i < sizeof modes / sizeof *modes && !found; i++)
            found = choose(dnn, graph, modes[i], &wishes[w], out);
    bag_release(&bag);
}

const struct dnn_plan *dnn_plan_of(struct dnn *dnn, const struct dnn_problem *problem) {
    int i = 0;
    while (i < dnn->plans && memcmp(&dnn->plan[i]->state->problem, problem, sizeof *problem) != 0)
        i++;
    if (i == dnn->plans) {
        MEM_GROW(dnn->plan, dnn->plans, dnn->plan_capacity);
        struct dnn_plan *plan = dnn->plan[dnn->plans++] = xcalloc(1, sizeof *plan);
        plan->state = xcalloc(1, sizeof *plan->state);
        plan->state->problem = *problem;
        make_plan(dnn, plan);
    }
    return dnn->plan[i]->state->plan ? dnn->plan[i] : NULL;
}

bool dnn_listed(const struct dnn *dnn, int i, struct dnn_problem *problem,
                const struct dnn_plan **plan) {
    if (i >= dnn->plans)
        return false;
    *problem = dnn->plan[i]->state->problem;
    *plan = dnn->plan[i]->state->plan ? dnn->plan[i] : NULL;
    return true;
}

/* --- run --- */

void dnn_run(struct dnn *dnn, const struct dnn_plan *plan, const struct dnn_operands *operands) {
    const struct dnn_problem *problem = &plan->state->problem;
    struct bag bag = {.api = &dnn->api};
    int64_t uid[] = {DNN_X, DNN_W, DNN_Y, DNN_BIAS, DNN_RESIDUAL};
    void *pointer[] = {operands->x, operands->w, operands->y, operands->bias, operands->residual};
    void *workspace = plan->workspace_bytes ? operands->workspace : NULL;
    int64_t count = 3;
    if (problem->bias)
        count++;
    if (problem->residual) {
        uid[count] = DNN_RESIDUAL;
        pointer[count++] = operands->residual;
    }
    cudnnBackendDescriptor_t pack = bag_create(&bag, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    bag_set(&bag, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, uid);
    bag_set(&bag, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointer);
    bag_set(&bag, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    bag_finalize(&bag, pack);
    if (bag.status == CUDNN_STATUS_SUCCESS)
        bag.status = dnn->api.cudnnBackendExecute(dnn->handle, plan->state->plan, pack);
    if (bag.status != CUDNN_STATUS_SUCCESS && !dnn->failure[0])
        snprintf(dnn->failure, sizeof dnn->failure, "cuDNN's engine %d: %s", plan->engine,
                 dnn->api.cudnnGetErrorString(bag.status));
    bag_release(&bag);
}
