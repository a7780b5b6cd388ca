#include "engine/backend/exec_internal.h"

#include "engine/base/mem.h"
#include "engine/graph/plan.h"

#include <stdlib.h>
#include <string.h>

const struct kernel *backend_kernel(const struct backend *backend, enum opcode code) {
    for (; backend; backend = backend->fallback)
        if (backend->kernels[code].run)
            return &backend->kernels[code];
    return NULL;
}

size_t place_bytes(const struct device *device, const struct value *value, enum format format) {
    if (format == FORMAT_NATIVE)
        return device->backend->native_bytes(device, value);
    return format == FORMAT_ROWS ? (size_t)shape_elements(value->shape) * sizeof(uint16_t)
                                 : plain_bytes(value);
}

/* Weights, their gradients and states, and what the prologue makes of them. */
static bool is_parameter(const struct value *value) {
    return value->kind == VALUE_DERIVED || value->kind >= VALUE_WEIGHT;
}

static int add_place(struct exec *exec, int value, enum format format) {
    MEM_GROW(exec->place, exec->n_places, exec->place_capacity);
    const struct value *of = &exec->program->value[value];
    exec->place[exec->n_places] = (struct place){.value = value,
                                                 .format = format,
                                                 .bytes = place_bytes(exec->device, of, format),
                                                 .persistent = value_is_persistent(of),
                                                 .first = exec->n_calls,
                                                 .last = exec->n_calls,
                                                 .storage = exec->n_places};
    exec->place_of[value][format] = exec->n_places;
    if (exec->produced[value] < 0)
        exec->produced[value] = exec->n_places;
    return exec->n_places++;
}

static struct call *add_call(struct exec *exec, int logical, enum opcode code) {
    MEM_GROW(exec->call, exec->n_calls, exec->call_capacity);
    struct call *call = &exec->call[exec->n_calls++];
    memset(call, 0, sizeof *call);
    call->logical = logical;
    call->section = exec->program->op[logical].section;
    call->kernel = backend_kernel(exec->device->backend, code);
    call->context.device = exec->device;
    call->context.program = exec->program;
    for (int i = 0; i < OP_MAX_IN; i++)
        call->in[i] = -1;
    for (int i = 0; i < OP_MAX_OUT; i++)
        call->out[i] = -1;
    return call;
}

static void add_reorder(struct exec *exec, int logical, int from, int to) {
    int value = exec->place[from].value;
    struct call *call = add_call(exec, logical, OP_REORDER);
    call->op = op_new(OP_REORDER, call->section);
    call->op.in[0] = call->op.out[0] = value;
    call->context.in[0] = exec->place[from].format;
    call->context.out[0] = exec->place[to].format;
    call->in[0] = from;
    call->out[0] = to;
    exec->reorders++;
}

/* Makes a value available in a second format; of parameters that the program keeps only once. What
 * a step changes before its end, or the prologue reads, is never copied: it would be stale. */
static int add_copy(struct exec *exec, int logical, int from, enum format format) {
    int value = exec->place[from].value;
    enum value_kind kind = exec->program->value[value].kind;
    enum section section = exec->program->op[logical].section;
    bool kept = program_keeps(exec->program, value);
    CHECK(kept || kind < VALUE_WEIGHT ||
          (kind == VALUE_WEIGHT && section != SECTION_PROLOGUE && section != SECTION_UPDATE));
    int to = add_place(exec, value, format);
    exec->place[to].persistent = is_parameter(&exec->program->value[value]);
    add_reorder(exec, logical, from, to);
    if (kept)
        exec->call[exec->n_calls - 1].section = SECTION_PROLOGUE;
    return to;
}

/* The place to read a value from; values that no op writes are PLAIN from the start. */
static int place_for_input(struct exec *exec, int logical, int value, enum format format) {
    if (exec->produced[value] < 0) {
        CHECK(value_is_persistent(&exec->program->value[value]));
        add_place(exec, value, FORMAT_PLAIN);
    }
    int place = exec->place_of[value][format];
    return place >= 0 ? place : add_copy(exec, logical, exec->produced[value], format);
}

/* The place to write a value to. What is seen from outside is PLAIN; gradients get there by
 * write_gradients. */
static int place_for_output(struct exec *exec, int value, enum format format) {
    enum value_kind kind = exec->program->value[value].kind;
    CHECK(format == FORMAT_PLAIN || kind == VALUE_ACTIVATION || kind == VALUE_DERIVED ||
          kind == VALUE_GRADIENT);
    if (kind == VALUE_GRADIENT && exec->produced[value] < 0)
        add_place(exec, value, FORMAT_PLAIN);
    int place = exec->place_of[value][format];
    return place >= 0 ? place : add_place(exec, value, format);
}

/* The op at index, or the one that the backend makes of several, and the formats its kernel wants;
 * says how many ops it is. */
static int look_at(const struct exec *exec, int index, struct op *op,
                   struct kernel_context *context) {
    const struct backend *backend = exec->device->backend;
    *op = exec->program->op[index];
    int count = backend->merge ? backend->merge(exec->program, index, op) : 1;
    const struct kernel *kernel = backend_kernel(backend, op->code);
    *context = (struct kernel_context){.device = exec->device, .program = exec->program, .op = op};
    if (!kernel)
        return count;
    memcpy(context->in, kernel->in, sizeof context->in);
    memcpy(context->out, kernel->out, sizeof context->out);
    kernel_formats_fn *formats = kernel->formats ? kernel->formats : backend->formats;
    if (formats)
        formats(context);
    return count;
}

static int compile_ops(struct exec *exec, int index) {
    struct kernel_context context;
    struct op op;
    int in[OP_MAX_IN], out[OP_MAX_OUT];
    int count = look_at(exec, index, &op, &context);
    for (int i = 0; i < OP_MAX_IN; i++)
        in[i] = op.in[i] < 0 ? -1 : place_for_input(exec, index, op.in[i], context.in[i]);
    for (int i = 0; i < OP_MAX_OUT; i++) /* their lives begin with the next call */
        out[i] = op.out[i] < 0 ? -1 : place_for_output(exec, op.out[i], context.out[i]);
    struct call *call = add_call(exec, index, op.code);
    call->op = op;
    call->context = context;
    memcpy(call->in, in, sizeof in);
    memcpy(call->out, out, sizeof out);
    return count;
}

/* Compiles ops from index on, up to those of this section; says where it has stopped. */
static int compile_up_to(struct exec *exec, int index, enum section section) {
    while (index < exec->program->n_ops && exec->program->op[index].section < section)
        index += compile_ops(exec, index);
    return index;
}

/* The copies of parameters that ops from index on want: before all of these and one behind the
 * other, so that a backend can make them at once. */
static void copy_parameters(struct exec *exec, int index) {
    while (index < exec->program->n_ops) {
        struct kernel_context context;
        struct op op;
        int count = look_at(exec, index, &op, &context);
        for (int i = 0; i < OP_MAX_IN; i++)
            if (op.in[i] >= 0 && is_parameter(&exec->program->value[op.in[i]]))
                place_for_input(exec, index, op.in[i], context.in[i]);
        index += count;
    }
}

/* Gradients that kernels have written in another format, likewise. */
static void write_gradients(struct exec *exec) {
    for (int i = 0; i < exec->program->n_values; i++) {
        const struct value *value = &exec->program->value[i];
        for (int format = FORMAT_PLAIN + 1; format < FORMAT_COUNT; format++)
            if (value->kind == VALUE_GRADIENT && exec->place_of[i][format] >= 0)
                add_reorder(exec, value->first, exec->place_of[i][format],
                            exec->place_of[i][FORMAT_PLAIN]);
    }
}

void exec_compile(struct exec *exec) {
    int n = exec->program->n_values;
    exec->place_of = xcalloc((size_t)n + 1, sizeof *exec->place_of);
    exec->produced = xcalloc((size_t)n + 1, sizeof *exec->produced);
    for (int i = 0; i < n; i++) {
        exec->produced[i] = -1;
        for (int format = 0; format < FORMAT_COUNT; format++)
            exec->place_of[i][format] = -1;
    }
    int index = compile_up_to(exec, 0, SECTION_FORWARD);
    copy_parameters(exec, index);
    index = compile_up_to(exec, index, SECTION_UPDATE);
    write_gradients(exec);
    compile_up_to(exec, index, SECTION_COUNT);
    for (int i = 0; i < n; i++) /* outside values that no op touches can still be written */
        if (exec->produced[i] < 0 && value_is_persistent(&exec->program->value[i]))
            add_place(exec, i, FORMAT_PLAIN);
    for (int i = 0; i < exec->n_calls; i++) /* the array has stopped moving */
        exec->call[i].context.op = &exec->call[i].op;
}

static void find_lifetimes(struct exec *exec) {
    for (int i = 0; i < exec->n_calls; i++) {
        const struct call *call = &exec->call[i];
        for (int k = 0; k < OP_MAX_IN; k++)
            if (call->in[k] >= 0)
                exec->place[call->in[k]].last = i;
        for (int k = 0; k < OP_MAX_OUT; k++)
            if (call->out[k] >= 0 && exec->place[call->out[k]].last < i)
                exec->place[call->out[k]].last = i;
    }
}

static int storage_of(const struct exec *exec, int place) {
    while (exec->place[place].storage != place)
        place = exec->place[place].storage;
    return place;
}

/* May out take over the storage of in? Only at in's last use, and if no other operand of the call
 * lies there. */
static bool may_take_over(const struct exec *exec, int index, int in, int out) {
    const struct call *call = &exec->call[index];
    const struct place *from = &exec->place[in], *to = &exec->place[out];
    if (from->persistent || to->persistent || from->bytes != to->bytes || to->first != index)
        return false;
    int storage = storage_of(exec, in), uses = 0;
    if (exec->place[storage].last != index)
        return false;
    for (int k = 0; k < OP_MAX_IN; k++)
        uses += call->in[k] >= 0 && storage_of(exec, call->in[k]) == storage;
    for (int k = 0; k < OP_MAX_OUT; k++)
        uses += call->out[k] >= 0 && storage_of(exec, call->out[k]) == storage;
    return uses == 1;
}

static void share_storage(struct exec *exec) {
    for (int i = 0; i < exec->n_calls; i++) {
        const struct call *call = &exec->call[i];
        const int8_t *inplace = op_table[call->context.op->code].inplace;
        for (int k = 0; k < OP_MAX_OUT; k++) {
            int in = inplace[k] ? call->in[inplace[k] - 1] : -1, out = call->out[k];
            if (in < 0 || out < 0 || !may_take_over(exec, i, in, out))
                continue;
            int storage = storage_of(exec, in);
            exec->place[out].storage = storage;
            exec->place[storage].last = exec->place[out].last;
        }
    }
}

static void *arena_pointer(const struct exec *exec, const struct value *value) {
    struct params *params = exec->params[value->net];
    CHECK(params);
    float *const arena[] = {params->weight, params->gradient, params->momentum,
                            params->second_moment, params->state};
    CHECK(arena[value->kind - VALUE_WEIGHT]);
    return arena[value->kind - VALUE_WEIGHT] + value->offset;
}

/* Is the place in memory of others: arenas, or what exec_bind says? */
static bool is_foreign(const struct exec *exec, const struct place *place) {
    enum value_kind kind = exec->program->value[place->value].kind;
    return place->persistent && place->format == FORMAT_PLAIN && kind >= VALUE_SHARED;
}

/* Offsets of activations by the plan, of persistent places one behind the other. */
static struct plan_item *plan_places(struct exec *exec) {
    struct plan_item *items = xcalloc((size_t)exec->n_places + 1, sizeof *items);
    int *index = xcalloc((size_t)exec->n_places + 1, sizeof *index), n = 0;
    struct plan_item *dense = xcalloc((size_t)exec->n_places + 1, sizeof *dense);
    for (int i = 0; i < exec->n_places; i++) {
        const struct place *place = &exec->place[i];
        if (place->persistent && !is_foreign(exec, place)) {
            items[i].offset = exec->persistent_bytes;
            exec->persistent_bytes += (place->bytes + 63) / 64 * 64;
        } else if (!place->persistent && place->storage == i) {
            index[n] = i;
            dense[n++] = (struct plan_item){place->bytes, place->first, place->last, 0};
        }
    }
    exec->activation_bytes = plan_memory(dense, n);
    exec->activation_floor_bytes = plan_floor(dense, n);
    for (int i = 0; i < n; i++)
        items[index[i]] = dense[i];
    free(dense);
    free(index);
    return items;
}

static enum status alloc_block(struct exec *exec, void **out, size_t bytes, const char *what,
                               struct error *err) {
    enum status status =
        exec->device->backend->alloc(exec->device, out, bytes ? bytes : 64, what, err);
    if (!status)
        exec->device->backend->fill(exec->device, *out, 0, bytes ? bytes : 64);
    return status;
}

void exec_resolve_args(struct exec *exec) {
    for (int i = 0; i < exec->n_calls; i++) {
        struct call *call = &exec->call[i];
        call->args.context = &call->context;
        call->args.workspace = exec->workspace;
        call->args.step = &exec->step;
        for (int k = 0; k < OP_MAX_IN; k++)
            call->args.in[k] = call->in[k] < 0 ? NULL : exec->place[call->in[k]].ptr;
        for (int k = 0; k < OP_MAX_OUT; k++)
            call->args.out[k] = call->out[k] < 0 ? NULL : exec->place[call->out[k]].ptr;
    }
}

/* Shared values have no place before exec_bind. */
static void resolve_places(struct exec *exec, const struct plan_item *items) {
    for (int i = 0; i < exec->n_places; i++) {
        struct place *place = &exec->place[i];
        const struct value *value = &exec->program->value[place->value];
        size_t offset = items[storage_of(exec, i)].offset;
        if (!is_foreign(exec, place))
            place->ptr =
                (char *)(place->persistent ? exec->persistents : exec->activations) + offset;
        else if (value->kind >= VALUE_WEIGHT)
            place->ptr = arena_pointer(exec, value);
    }
}

enum status exec_place_memory(struct exec *exec, struct error *err) {
    find_lifetimes(exec);
    share_storage(exec);
    struct plan_item *items = plan_places(exec);
    enum status status =
        alloc_block(exec, &exec->activations, exec->activation_bytes, "activations", err);
    if (!status)
        status = alloc_block(exec, &exec->persistents, exec->persistent_bytes, "inputs", err);
    if (!status)
        status = alloc_block(exec, &exec->workspace, exec->workspace_bytes, "workspace", err);
    if (!status) {
        resolve_places(exec, items);
        exec_resolve_args(exec);
    }
    free(items);
    return status;
}
