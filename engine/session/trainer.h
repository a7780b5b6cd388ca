/*
 * trainer.h - trains a student: the pure function from a spec to weights.
 *
 * The caller resolves names to places (data set folder, teacher's file) and follows through
 * callbacks. Everything is written under one output folder: checkpoint.safetensors while it runs,
 * evaluation.json (spec/evaluation.h), model.safetensors and model.json (model/model_file.h) at the
 * end, atomically. A run that is stopped and resumed, or killed and resumed, produces the same
 * model.safetensors and evaluation.json, byte for byte, as one that was not.
 *
 * Errors:  what the parts say; DIVERGED with step and row; CANCELLED when tick said stop.
 * Threads: one run belongs to one thread; the callbacks are called from it.
 */
#ifndef ENGINE_SESSION_TRAINER_H
#define ENGINE_SESSION_TRAINER_H

#include "engine/data/dataset.h"
#include "engine/spec/train_spec.h"

enum { TRAINER_IDENTITY_BYTES = 320 };

enum metric_phase { METRIC_TRAIN, METRIC_EVAL };

/* One point of the learning curve. Means over the pictures since the last train point, or over
 * the whole test split. */
struct metric_point {
    enum metric_phase phase;
    int64_t epoch; /* 1-based */
    int64_t step;  /* steps done */
    double loss, ce, distill, top1, top5, learning_rate, images_per_s;
};

struct train_progress {
    int64_t epoch, epochs, step, steps;
    double images_per_s, remaining_s;
    double loss, top1; /* of the last point; NaN before the first */
    const char *phase; /* "preparing", "training", "evaluating", "saving" */
};

/* What tick tells the trainer to do. */
enum train_wish {
    TRAIN_CONTINUE,
    TRAIN_STOP,   /* checkpoint, then return CANCELLED */
    TRAIN_ABANDON /* return CANCELLED at once, write nothing more */
};

struct train_callbacks {
    void *ctx;
    /* Called between launches (a step, or a few on a GPU: exec_run_steps) and between phases. */
    enum train_wish (*tick)(void *ctx, const struct train_progress *progress);
    /* Called for each point, in order; a failure ends the run with its status. A resumed run
     * calls it again for steps after its checkpoint, with equal values but images_per_s. */
    enum status (*point)(void *ctx, const struct metric_point *point, struct error *err);
    /* A checkpoint has been written. */
    void (*checkpoint)(void *ctx, int64_t step);
};

/* Where batches come from; what is trained does not depend on it. */
enum train_feed {
    FEED_AUTO,  /* FEED_DEVICE where the device's memory is not the host's */
    FEED_HOST,  /* from a loader, batch by batch */
    FEED_DEVICE /* from the device's memory if the pictures are taken as they are and all fit */
};

struct train_job {
    const struct train_spec *spec; /* finished */
    const char *dataset_folder;
    const char *teacher_path;   /* directory or .safetensors; NULL for ce */
    const char *init_path;      /* the same; NULL for random weights */
    const char *out_folder;     /* made if missing */
    const char *weights_folder; /* receives <step>.safetensors at each checkpoint; NULL: nothing */
    enum train_feed feed;
    bool resume; /* go on from out_folder's checkpoint if there is one */
};

struct train_result {
    struct metric_point last, best; /* evaluations of the last epoch and of the best one */
    char weights_sha256[SHA256_HEX_BYTES], dataset_sha256[SHA256_HEX_BYTES];
    char identity[TRAINER_IDENTITY_BYTES]; /* of the engine, as trainer_identity says */
    bool reproducible; /* false after going on from another kind of machine's checkpoint */
};

/* Runs to the end, or until told to stop. */
MUST_CHECK enum status trainer_run(const struct train_job *job,
                                   const struct train_callbacks *callbacks,
                                   struct train_result *result, struct error *err);

/* Tells what else decides a run's bytes, beside spec, data set and teacher: version, backend,
 * processor and its libraries, in one line. Opens the spec's device to find out. */
MUST_CHECK enum status trainer_identity(const struct train_spec *spec,
                                        char out[TRAINER_IDENTITY_BYTES], struct error *err);

/* Of distilld: "0.1.0". */
const char *trainer_version(void);

/* What a spec would cost, without running it. */
struct train_estimate {
    int64_t student_parameters, teacher_parameters;
    double flops_per_step;
    int64_t steps;
    size_t memory_bytes;
};
MUST_CHECK enum status trainer_estimate(const struct train_job *job,
                                        struct train_estimate *estimate, struct error *err);

#endif
