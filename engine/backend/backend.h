/*
 * backend.h - what a backend is: a device, memory, and one kernel per opcode.
 *
 * A value is stored PLAIN (NHWC; f32 where the program says f32 or bf16, else its own type) or
 * NATIVE (whatever the backend likes best, for example nChw16c in f32 or bf16) or ROWS (NHWC in
 * bf16, for example of transformers, whose tokens are rows). For each op the kernel names the
 * formats it reads and writes; exec puts reorder ops between those that differ. Parameters are
 * PLAIN; a kernel may read weights and write gradients in another format all the same.
 * A kernel missing in a host backend's table is taken from its fallback, which knows PLAIN only.
 *
 * A kernel has a cold phase, prepare, that may allocate, choose algorithms and fail, and a hot
 * one, run, that only computes: no allocation, no decision that depends on the step except
 * through struct step. Two runs with equal input give equal bytes, whatever ran before.
 *
 * Errors:  cold functions return a status; hot ones cannot fail except by the device's sticky
 *          error, which synchronize reports.
 * Threads: a device, its executables and its parameters belong to one thread at a time.
 */
#ifndef ENGINE_BACKEND_BACKEND_H
#define ENGINE_BACKEND_BACKEND_H

#include "engine/graph/ops.h"

enum format { FORMAT_PLAIN, FORMAT_NATIVE, FORMAT_ROWS, FORMAT_COUNT };

struct backend;

struct device {
    const struct backend *backend;
    int threads;
    bool eager;         /* runs op by op even where a step could be captured */
    bool constant;      /* weights stay as they are: each exec is refreshed once */
    size_t kept_bytes;  /* of what kernels have made of constant weights; not part of any exec */
    void *state;        /* the backend's own */
    char identity[256]; /* backend, processor features and library versions, one line */
};

/* What prepare and formats may look at; valid as long as the executable. */
struct kernel_context {
    struct device *device;
    const struct program *program;
    const struct op *op;
    enum format in[OP_MAX_IN], out[OP_MAX_OUT];
};

/* Where the op's values are; pointers are fixed for the life of the executable. Absent values are
 * NULL. Inputs are not const because a state-changing op may stand on both sides. */
struct kernel_args {
    const struct kernel_context *context;
    void *in[OP_MAX_IN], *out[OP_MAX_OUT];
    void *workspace; /* 64-byte aligned, shared by all ops: contents do not survive the run */
    void *state;     /* what prepare has built, or NULL */
    const struct step *step;
};

/* Sets formats of the context that depend on the op; they come in as the kernel's row has them. */
typedef void kernel_formats_fn(struct kernel_context *context);
/* Builds what run needs; *state may stay NULL. Says how much workspace run needs where that depends
 * on what was built. */
typedef enum status kernel_prepare_fn(const struct kernel_context *context, void **state,
                                      size_t *workspace_bytes, struct error *err);
/* How much workspace run needs besides; the larger of both is there. */
typedef size_t kernel_workspace_fn(const struct kernel_context *context);
typedef void kernel_run_fn(const struct kernel_args *args);
typedef void kernel_release_fn(void *state); /* Frees a state. */
/* Runs up to KERNEL_CALLS calls of this kernel that follow each other, in any order. None of them
 * writes what another one reads. */
enum { KERNEL_CALLS = 64 };
typedef void kernel_run_all_fn(const struct kernel_args *const *args, int count);

struct kernel {
    enum format in[OP_MAX_IN], out[OP_MAX_OUT]; /* that it wants; a reorder is not asked */
    kernel_formats_fn *formats;                 /* NULL: the backend's */
    kernel_prepare_fn *prepare;                 /* NULL: nothing to prepare */
    kernel_workspace_fn *workspace;             /* NULL: none but what prepare says */
    kernel_run_fn *run;                         /* NULL: not in this backend */
    /* Weights of this op have changed: called before the first run and by exec_refresh, only for
     * ops whose weight the program keeps (program_keeps). NULL: nothing to refresh. */
    kernel_run_fn *refresh;
    kernel_release_fn *release; /* NULL: nothing to release */
    kernel_run_all_fn *run_all; /* NULL: each call is run by itself */
};

/* Steps that a device holds at once, and that a graph may consist of. A launch costs the host some
 * tens of microseconds: beside eight steps of the smallest networks, a few milliseconds, that is
 * little, and eight of the largest still end within a second or two, when somebody may want to stop
 * them. */
enum { STEP_SLOTS = 8 };

typedef enum status backend_open_fn(struct device *device, struct error *err);
typedef void backend_close_fn(struct device *device);
typedef enum status backend_alloc_fn(struct device *device, void **out, size_t bytes,
                                     const char *what, struct error *err);
typedef void backend_free_fn(struct device *device, void *ptr);
typedef void backend_copy_fn(struct device *device, void *to, const void *from, size_t bytes);
typedef void backend_fill_fn(struct device *device, void *ptr, int byte, size_t bytes);
typedef enum status backend_synchronize_fn(struct device *device, struct error *err);
/* Copies steps into the device's slots 0 to count - 1, for a device that cannot read the host's
 * memory. What was enqueued before still sees the steps that it was enqueued with. */
typedef void backend_steps_fn(struct device *device, const struct step *steps, int count);
/* Chooses the slot whose step is read by kernels that are run or recorded from now on. */
typedef void backend_slot_fn(struct device *device, int slot);
/* From here on kernels are recorded instead of run. */
typedef void backend_capture_begin_fn(struct device *device);
/* Ends recording. Returns what was recorded; NULL after a failure, which is the device's sticky
 * error then. */
typedef void *backend_capture_end_fn(struct device *device);
/* Runs or frees what was recorded. */
typedef void backend_graph_fn(struct device *device, void *graph);
/* Lets a backend fuse ops. Returns how many ops, from index on, one kernel replaces (at least 1).
 * *merged is the op at index on entry and the fused op on return. Values between the fused ops are
 * stored only where the fused op has them as outputs. */
typedef int backend_merge_fn(const struct program *program, int index, struct op *merged);
/* Refuses an op with values that no kernel of the backend takes, whatever the op does. */
typedef enum status backend_check_fn(const struct kernel_context *context, struct error *err);
/* Bytes of a value in the NATIVE format. */
typedef size_t backend_native_bytes_fn(const struct device *device, const struct value *value);

struct backend {
    const char *name;
    const char *sentence; /* for help: what it is; only of backends in backend_table */
    bool host;            /* its pointers are the host's */
    bool bf16, tf32;      /* can it compute in them at all (the device may still refuse) */
    backend_open_fn *open;
    backend_close_fn *close;
    backend_alloc_fn *alloc;
    backend_free_fn *free;
    backend_copy_fn *upload, *download;
    backend_fill_fn *fill;
    backend_synchronize_fn *synchronize;
    backend_steps_fn *steps; /* NULL: kernels read args->step */
    backend_slot_fn *slot;
    backend_capture_begin_fn *capture_begin; /* NULL: it cannot capture */
    backend_capture_end_fn *capture_end;
    backend_graph_fn *replay, *free_graph;
    backend_merge_fn *merge;               /* NULL: each op by itself */
    kernel_formats_fn *formats;            /* of kernels without their own; NULL: as in the row */
    backend_check_fn *check;               /* before an op is prepared; NULL: it takes all */
    backend_native_bytes_fn *native_bytes; /* NULL: it has no NATIVE format */
    const struct kernel *kernels;          /* [OP_COUNT] */
    const struct backend *fallback;        /* host backends only; NULL for none */
};

/* What the shared object of a backend shows, under the name distill_backend_module; the sizes of
 * all that they hand each other tell whether it was built with the headers of the program that
 * loads it. */
struct backend_module {
    size_t sizes[10];
    const struct backend *backend;
};
#define BACKEND_SIZES                                                                              \
    {                                                                                              \
        sizeof(struct backend), sizeof(struct kernel), sizeof(struct kernel_args),                 \
            sizeof(struct kernel_context), sizeof(struct device), sizeof(struct step),             \
            sizeof(struct op), sizeof(struct value), sizeof(struct program), OP_COUNT              \
    }

/* The backends of this build, the preferred one first, NULL at the end (generated). */
extern const struct backend *const backend_table[];

/* Opens a device; auto takes the first backend of the table whose device is present. UNSUPPORTED
 * with the field device means: not present. Any other error comes from a device that is present; no
 * other one is tried. */
MUST_CHECK enum status device_open(struct device *device, enum device_kind kind, int threads,
                                   struct error *err);
void device_close(struct device *device); /* Zeroed or open. */

/* UNSUPPORTED, with the field precision, for one that the device's backend does not compute in. */
MUST_CHECK enum status device_check_precision(const struct device *device, enum precision precision,
                                              struct error *err);

/* Memory and waiting of a backend that computes on the host: runs are over when they return. */
backend_alloc_fn host_alloc;
backend_free_fn host_free;
backend_copy_fn host_copy;
backend_fill_fn host_fill;
backend_synchronize_fn host_synchronize;

/* Bytes of a value in the PLAIN format (bf16 is stored as f32 there), and its element i. */
size_t plain_bytes(const struct value *value);
double plain_element(enum dtype dtype, const void *data, int64_t i);

/* Shorthands for kernels. */
static inline const struct value *context_in(const struct kernel_context *context, int i) {
    return &context->program->value[context->op->in[i]];
}
static inline const struct value *context_out(const struct kernel_context *context, int i) {
    return &context->program->value[context->op->out[i]];
}

#endif
