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
    int student, teacher, label; /* inputs: [n,1,1,k] twice, i32 [n,1,1,1]; teacher NO_VALUE
                                    where the terms do not read it */
    int rows, gradient;          /* outputs: [n,1,1,ROW_FIELDS], [n,1,1,k]; no gradient in bf16 */
};

/* n rows of k classes; logits and gradient in f32, or in bf16 on a device that has it. */
struct loss_program_size {
    int n, k;
    enum dtype dtype;
};

/* Makes it runnable; loss is zeroed storage. In bf16 logits count from the next exec_refresh on,
 * and the gradient is computed but cannot be read. */
MUST_CHECK enum status loss_program_open(struct loss_program *loss, struct device *device,
                                         const struct loss_terms *terms,
                                         const struct loss_program_size *size, struct error *err);

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
