/*
 * exec_internal.h - how an executable is made; for exec.c and compile.c only.
 *
 * A place is a value in one format; most values have one, a value that two kernels want in
 * different formats has two, with a reorder between them. Reorders of parameters are grouped: of
 * constant ones in the prologue, of weights at the start of a step, of gradients just before the
 * update. A call is a kernel with its places resolved. Places that are not persistent get storage
 * from the memory plan; an output that takes over an input's place shares its storage.
 */
#ifndef ENGINE_BACKEND_EXEC_INTERNAL_H
#define ENGINE_BACKEND_EXEC_INTERNAL_H

#include "engine/backend/exec.h"

struct place {
    int value;
    enum format format;
    size_t bytes;
    bool persistent;
    int first, last; /* calls; of activations only */
    int storage;     /* the place whose storage it shares; itself if none */
    void *ptr;
};

struct call {
    int logical; /* the program's op it belongs to, the first one of those that were merged */
    enum section section; /* that op's, or the prologue for what is done once */
    struct op op;         /* of a reorder, in[0] and out[0] are the same value */
    struct kernel_context context;
    struct kernel_args args;
    const struct kernel *kernel;
    int in[OP_MAX_IN], out[OP_MAX_OUT]; /* places */
};

enum { LAUNCH_ONE, LAUNCH_ALL, EXEC_LAUNCHES };

struct exec {
    struct device *device;
    const struct program *program;
    struct params *params[PROGRAM_MAX_NETS];
    struct place *place;
    int n_places, place_capacity;
    struct call *call;
    int n_calls, call_capacity;
    int (*place_of)[FORMAT_COUNT]; /* [n_values][format]: index or -1 */
    int *produced;                 /* [n_values]: the place first written, or -1 */
    void *activations, *persistents, *workspace;
    size_t activation_bytes, activation_floor_bytes, persistent_bytes, workspace_bytes;
    int reorders;
    struct step step;
    bool warm;                  /* it has run once: what a device loads late is there */
    void *graph[EXEC_LAUNCHES]; /* captured: one step, STEP_SLOTS steps; or NULL */
};

/* Fills places and calls of an exec whose device, program and params are set. */
void exec_compile(struct exec *exec);

/* Lifetimes, aliasing, offsets, allocation, pointers. Calls must be prepared before: the
 * workspace they ask for is part of it. */
MUST_CHECK enum status exec_place_memory(struct exec *exec, struct error *err);

/* Tells every call where its places are. */
void exec_resolve_args(struct exec *exec);

/* The kernel of an opcode in a backend or its fallback; NULL when neither has it. */
const struct kernel *backend_kernel(const struct backend *backend, enum opcode code);

/* A place's bytes in its format. */
size_t place_bytes(const struct device *device, const struct value *value, enum format format);

#endif
