#include "engine/backend/exec.h"

#include "engine/backend/exec_internal.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static enum status prepare_call(struct exec *exec, struct call *call, struct error *err) {
    const struct backend *backend = exec->device->backend;
    const struct kernel *kernel = call->kernel;
    size_t bytes = 0;
    enum status status = backend->check ? backend->check(&call->context, err) : STATUS_OK;
    if (!status && kernel->prepare)
        status = kernel->prepare(&call->context, &call->args.state, &bytes, err);
    if (!status && kernel->workspace)
        bytes = larger(bytes, kernel->workspace(&call->context));
    exec->workspace_bytes = larger(exec->workspace_bytes, bytes);
    return status;
}

static enum status prepare_calls(struct exec *exec, struct error *err) {
    for (int i = 0; i < exec->n_calls; i++) {
        struct call *call = &exec->call[i];
        const char *name = op_table[call->context.op->code].name;
        if (!call->kernel)
            return error_set(err, STATUS_UNSUPPORTED, "op %d: the %s backend has no %s",
                             call->logical, exec->device->backend->name, name);
        enum status status = prepare_call(exec, call, err);
        if (status)
            return error_wrap(err, status, "op %d (%s)", call->logical, name);
    }
    return STATUS_OK;
}

enum status exec_create(struct exec **out, struct device *device, const struct program *program,
                        struct params *const *params, struct error *err) {
    CHECK(program->sealed);
    struct exec *exec = xcalloc(1, sizeof *exec);
    exec->device = device;
    exec->program = program;
    for (int i = 0; i < program->n_nets; i++)
        exec->params[i] = params[i];
    exec_compile(exec);
    enum status status = prepare_calls(exec, err);
    if (!status)
        status = exec_place_memory(exec, err);
    if (status) {
        exec_free(exec);
        return status;
    }
    *out = exec;
    return STATUS_OK;
}

void exec_free(struct exec *exec) {
    if (!exec)
        return;
    for (int i = 0; i < EXEC_LAUNCHES; i++)
        if (exec->graph[i])
            exec->device->backend->free_graph(exec->device, exec->graph[i]);
    for (int i = 0; i < exec->n_calls; i++)
        if (exec->call[i].args.state && exec->call[i].kernel->release)
            exec->call[i].kernel->release(exec->call[i].args.state);
    void *block[] = {exec->activations, exec->persistents, exec->workspace};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++)
        if (block[i])
            exec->device->backend->free(exec->device, block[i]);
    free(exec->place);
    free(exec->call);
    free(exec->place_of);
    free(exec->produced);
    free(exec);
}

static void run_call(struct call *call) {
    call->kernel->run(&call->args);
}

/* Does the kernel keep something made of weights that only change with a refresh? */
static bool keeps_weights(const struct exec *exec, const struct call *call) {
    int weight = call->context.op->in[1];
    return call->kernel->refresh && weight != NO_VALUE && program_keeps(exec->program, weight);
}

void exec_refresh(struct exec *exec) {
    for (int i = 0; i < exec->n_calls; i++)
        if (exec->call[i].section == SECTION_PROLOGUE)
            run_call(&exec->call[i]);
    for (int i = 0; i < exec->n_calls; i++)
        if (keeps_weights(exec, &exec->call[i]))
            exec->call[i].kernel->refresh(&exec->call[i].args);
}

void exec_bind(struct exec *exec, int value, void *ptr) {
    CHECK(exec->program->value[value].kind == VALUE_SHARED && !exec->warm);
    exec->place[exec->produced[value]].ptr = ptr;
    exec_resolve_args(exec);
}

static void hand_over(struct exec *exec, const struct step *steps, int count) {
    if (exec->device->backend->steps)
        exec->device->backend->steps(exec->device, steps, count);
}

/* Kernels that run from here on read this step, which lies in that slot of the device. */
static void select_step(struct exec *exec, const struct step *step, int slot) {
    exec->step = *step;
    if (exec->device->backend->slot)
        exec->device->backend->slot(exec->device, slot);
}

/* Activations may lie where a neighbour has read or will read, what is persistent does not. */
static bool writes_for_good(const struct exec *exec, const struct call *call) {
    for (int k = 0; k < OP_MAX_OUT; k++)
        if (call->out[k] >= 0 && !exec->place[call->out[k]].persistent)
            return false;
    return true;
}

/* How many calls from this one on its kernel may run at once. */
static int calls_together(const struct exec *exec, int first) {
    const struct call *call = &exec->call[first];
    int count = 1;
    if (!call->kernel->run_all || !writes_for_good(exec, call))
        return 1;
    while (count < KERNEL_CALLS && first + count < exec->n_calls &&
           call[count].kernel == call->kernel && call[count].section == call->section &&
           writes_for_good(exec, &call[count]))
        count++;
    return count;
}

/* Runs a call, or several at once; how many. */
static int run_calls(struct exec *exec, int first) {
    struct call *call = &exec->call[first];
    const struct kernel_args *args[KERNEL_CALLS];
    int count = calls_together(exec, first);
    for (int i = 0; i < count; i++)
        args[i] = &call[i].args;
    if (count > 1)
        call->kernel->run_all(args, count);
    else
        run_call(call);
    return count;
}

static void run_step(struct exec *exec) {
    for (int i = 0; i < exec->n_calls;)
        if (exec->call[i].section == SECTION_PROLOGUE)
            i++;
        else
            i += run_calls(exec, i);
}

static void enqueue(struct exec *exec, const struct step *steps, int count) {
    for (int i = 0; i < count; i++) {
        select_step(exec, &steps[i], i);
        run_step(exec);
    }
}

/* What has not run yet is not captured: it loads kernels, which a capture does not allow. */
static bool may_capture(const struct exec *exec) {
    return exec->device->backend->capture_begin && !exec->device->eager && exec->warm;
}

/* One step or STEP_SLOTS: a graph's bodies read the slots that they were recorded with. */
static void launch(struct exec *exec, const struct step *steps, int count) {
    const struct backend *backend = exec->device->backend;
    void **graph = &exec->graph[count == 1 ? LAUNCH_ONE : LAUNCH_ALL];
    hand_over(exec, steps, count);
    if (!*graph && may_capture(exec)) {
        backend->capture_begin(exec->device);
        enqueue(exec, steps, count);
        *graph = backend->capture_end(exec->device);
    }
    if (*graph)
        backend->replay(exec->device, *graph);
    else
        enqueue(exec, steps, count);
    exec->warm = true;
}

void exec_run_steps(struct exec *exec, const struct step *steps, int count) {
    CHECK(count >= 1 && count <= STEP_SLOTS);
    int size = count == STEP_SLOTS ? count : 1;
    for (int i = 0; i < count; i += size)
        launch(exec, &steps[i], size);
}

void exec_run(struct exec *exec, const struct step *step) {
    exec_run_steps(exec, step, 1);
}

static void enqueue_op(struct exec *exec, int op) {
    for (int i = 0; i < exec->n_calls; i++)
        if (exec->call[i].logical == op && exec->call[i].section == exec->program->op[op].section)
            run_call(&exec->call[i]);
}

void exec_run_op(struct exec *exec, int op, const struct step *step) {
    hand_over(exec, step, 1);
    select_step(exec, step, 0);
    enqueue_op(exec, op);
}

void *exec_record_op(struct exec *exec, int op, const struct step *step, int times) {
    if (!may_capture(exec))
        return NULL;
    hand_over(exec, step, 1);
    select_step(exec, step, 0);
    exec->device->backend->capture_begin(exec->device);
    for (int i = 0; i < times; i++)
        enqueue_op(exec, op);
    return exec->device->backend->capture_end(exec->device);
}

void exec_replay(struct exec *exec, void *recorded) {
    exec->device->backend->replay(exec->device, recorded);
}

void exec_forget(struct exec *exec, void *recorded) {
    if (recorded)
        exec->device->backend->free_graph(exec->device, recorded);
}

/* A one-off reorder between a place and a PLAIN buffer on the device; these need no preparing. */
static void reorder_once(struct exec *exec, const struct place *place, void *plain, bool to_plain) {
    struct op op = op_new(OP_REORDER, SECTION_FORWARD);
    op.in[0] = op.out[0] = place->value;
    struct kernel_context context = {.device = exec->device, .program = exec->program, .op = &op};
    context.in[0] = to_plain ? place->format : FORMAT_PLAIN;
    context.out[0] = to_plain ? FORMAT_PLAIN : place->format;
    struct kernel_args args = {.context = &context, .step = &exec->step};
    args.in[0] = to_plain ? place->ptr : plain;
    args.out[0] = to_plain ? plain : place->ptr;
    backend_kernel(exec->device->backend, OP_REORDER)->run(&args);
}

/* Copies between a host buffer in PLAIN form and a value, wherever and however it lies. */
static void transfer(struct exec *exec, int value, void *host, const void *from_host) {
    CHECK(exec_has(exec, value));
    const struct place *place = &exec->place[exec->produced[value]];
    const struct backend *backend = exec->device->backend;
    size_t bytes = plain_bytes(&exec->program->value[value]);
    void *plain = place->ptr;
    if (place->format != FORMAT_PLAIN)
        CHECK(backend->alloc(exec->device, &plain, bytes, "transfer", NULL) == STATUS_OK);
    if (place->format != FORMAT_PLAIN && host)
        reorder_once(exec, place, plain, true);
    if (host)
        backend->download(exec->device, host, plain, bytes);
    else
        backend->upload(exec->device, plain, from_host, bytes);
    if (place->format != FORMAT_PLAIN) {
        if (!host)
            reorder_once(exec, place, plain, false);
        backend->free(exec->device, plain);
    }
}

bool exec_has(const struct exec *exec, int value) {
    return exec->produced[value] >= 0;
}

void exec_write(struct exec *exec, int value, const void *data) {
    transfer(exec, value, NULL, data);
}

void exec_read(struct exec *exec, int value, void *data) {
    transfer(exec, value, data, NULL);
}

enum status exec_synchronize(struct exec *exec, struct error *err) {
    return exec->device->backend->synchronize(exec->device, err);
}

void exec_poison(struct exec *exec) {
    const struct backend *backend = exec->device->backend;
    backend->fill(exec->device, exec->activations, 0xff, exec->activation_bytes);
    backend->fill(exec->device, exec->workspace, 0xff, exec->workspace_bytes);
}

struct exec_memory exec_memory(const struct exec *exec) {
    return (struct exec_memory){exec->activation_bytes, exec->activation_floor_bytes,
                                exec->persistent_bytes, exec->workspace_bytes, exec->reorders};
}
