/*
 * trainer_internal.h - a run in progress; for trainer.c and trainer_setup.c only.
 */
#ifndef ENGINE_SESSION_TRAINER_INTERNAL_H
#define ENGINE_SESSION_TRAINER_INTERNAL_H

#include "engine/backend/exec.h"
#include "engine/data/loader.h"
#include "engine/session/checkpoint.h"
#include "engine/session/resident.h"
#include "engine/session/scorer.h"

enum { EVAL_BATCH = 128 };

/* The programs of a run. The first two train, and each has a tally of its own. */
enum { PROGRAM_FULL, PROGRAM_REMAINDER, PROGRAM_EVAL, PROGRAMS };

/* A program with its executable and the rows it takes. */
struct runnable {
    struct run_program program;
    struct exec *exec; /* NULL: not needed by this run */
    int rows;
};

struct trainer {
    const struct train_job *job;
    const struct train_spec *spec;
    const struct train_callbacks *callbacks;
    struct dataset dataset;
    struct input input; /* what the data set's pictures become */
    struct device device;
    struct network student;
    struct loaded_model teacher;
    struct params student_params, teacher_params;
    struct resident train_data, test_data; /* empty: batches come from loaders */
    struct runnable runnable[PROGRAMS];
    int64_t steps_per_epoch, steps;
    struct scorer *scorer;        /* of the last evaluation, while it runs; or NULL */
    float *logits;                /* of a batch then, [EVAL_BATCH,classes] */
    struct checkpoint checkpoint; /* step, evaluations, identity: what a resume needs */
    struct str run;               /* all that decides the result */
    char checkpoint_path[FILE_PATH_BYTES];
    struct loader *loader; /* of the training split, from this process' first step; or NULL */
    int64_t report_every, checkpoint_every;
    int64_t started_step, started_ns, training_ns, trained_images; /* for rates, of this process */
    int64_t reported_ns, reported_images;
    struct train_progress progress;
};

/* Opens and builds everything up to the first step; partly filled on failure. */
MUST_CHECK enum status trainer_setup(struct trainer *trainer, struct error *err);
void trainer_release(struct trainer *trainer); /* Whatever setup has filled. */

/* Reads data set, teacher and architecture, without a device. */
MUST_CHECK enum status trainer_open_parts(struct trainer *trainer, struct error *err);

/* Batches of the training split from a step on, or of the whole test split. */
struct loader_plan trainer_train_plan(const struct trainer *trainer, int64_t first);
struct loader_plan trainer_test_plan(const struct trainer *trainer);

/* The plan of one of the programs above. */
struct program_plan trainer_plan(const struct trainer *trainer, int batch, int rows);

/* Calls tick; CANCELLED when it says stop, after a checkpoint if it was not ABANDON. */
MUST_CHECK enum status trainer_tick(struct trainer *trainer, const char *phase, struct error *err);

#endif
