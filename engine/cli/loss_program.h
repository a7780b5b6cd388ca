/*
 * loss_program.h - the fused loss alone as a program, for `loss` and `bench`.
 *
 * Ownership: loss_program_open ... loss_program_close; borrows the device.
 */
#ifndef ENGINE_CLI_LOSS_PROGRAM_H
#define ENGINE_CLI_LOSS_PROGRAM_H

#include "engine/backend/exec.h"

struct loss_program {
    struct program program;
    struct exec *exec;
    struct step step;
    int student, teacher, label; /* inputs: f32 [n,1,1,k] twice, i32 [n,1,1,1]; teacher NO_VALUE
                                    where the terms do not read it */
    int rows, gradient;          /* outputs: [n,1,1,ROW_FIELDS], [n,1,1,k] */
};

/* Makes it runnable for n rows of k classes; loss is zeroed storage. */
MUST_CHECK enum status loss_program_open(struct loss_program *loss, struct device *device,
                                         const struct loss_terms *terms, int n, int k,
                                         struct error *err);

void loss_program_close(struct loss_program *loss); /* Zeroed or open. */

/* The terms that the fields of a training run give, by the rules of train_spec_finish; numbers
 * that are NaN were not given. */
struct loss_options {
    int method;
    double temperature, gamma, beta, ce_weight, label_smoothing;
};
MUST_CHECK enum status loss_options_terms(const struct loss_options *options,
                                          struct loss_terms *terms, struct error *err);

#endif
