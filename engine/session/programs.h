/*
 * programs.h - the programs of a training run, built from networks and a spec.
 *
 * Network 0 is the student, network 1 the teacher. The teacher's ops come before the student's. The
 * teacher always runs at the full batch, padded, so that its answer for a picture is the same in
 * every batch.
 *
 * Ownership: a built program is released with run_program_release; networks are borrowed only
 *            while building.
 */
#ifndef ENGINE_SESSION_PROGRAMS_H
#define ENGINE_SESSION_PROGRAMS_H

#include "engine/model/network.h"

enum { NET_STUDENT, NET_TEACHER };

/* What a program is built from. */
struct program_plan {
    const struct train_spec *spec; /* finished */
    const struct network *student;
    const struct network *teacher; /* NULL for ce */
    const float *mean, *deviation; /* the student's normalisation */
    const float *teacher_mean, *teacher_deviation;
    int batch;      /* pictures fed, and the teacher's batch */
    int rows;       /* the first so many are trained on */
    int resident;   /* pictures of the split on the device that batches are taken from; 0: fed */
    bool augmented; /* pictures are cropped and mirrored when they are fed */
};

struct run_program {
    struct program program;
    /* inputs; for a split on the device the outputs of `gather` */
    int images;  /* u8 [batch,h,w,c] */
    int indices; /* i32 [batch]: places in the data set, for augmentation; or NO_VALUE */
    int labels;  /* i32 [at least rows] */
    int logits;  /* the student's; in an evaluation an output, f32 [batch,classes] */
    int rows;    /* output f32 [rows, ROW_FIELDS] */
    int tally;   /* f64 [TALLY_FIELDS] */
    struct {
        int images, labels, order; /* shared: u8 [resident,h,w,c], i32 [resident], twice */
    } data;                        /* NO_VALUE where batches are fed */
};

/* One step: teacher, student, loss, gradient, running statistics, optimiser. */
void train_program_build(struct run_program *out, const struct program_plan *plan);

/* The student in inference, and its cross-entropy. plan->rows must be plan->batch. Of the spec only
 * the precision is used, and no teacher. */
void eval_program_build(struct run_program *out, const struct program_plan *plan);

void run_program_release(struct run_program *program); /* Zeroed or built. */

/* Activations' peak of the logical program, as planned without a backend. */
size_t program_activation_bytes(const struct program *program);

#endif
