/*
 * params.h - the arenas of one network on a device: weights, running state, and for training
 * gradients and the optimiser's slots. Canonical: f32, KRSC, laid out by the parameter table,
 * shared by all programs of the network.
 *
 * Ownership: params_create ... params_release; borrows device and table.
 */
#ifndef ENGINE_BACKEND_PARAMS_H
#define ENGINE_BACKEND_PARAMS_H

#include "engine/backend/backend.h"
#include "engine/graph/param_table.h"

struct params {
    struct device *device;
    const struct param_table *table;
    float *weight;        /* [weight_floats] */
    float *state;         /* [state_floats] */
    float *gradient;      /* [weight_floats] or NULL */
    float *momentum;      /* [weight_floats] or NULL */
    float *second_moment; /* [weight_floats] or NULL */
};

/* Allocates zeroed arenas. slots: numbers that the optimiser keeps for each weight; 0: no training,
 * no gradients either. */
MUST_CHECK enum status params_create(struct params *params, struct device *device,
                                     const struct param_table *table, int slots, struct error *err);
void params_release(struct params *params); /* Zeroed or created. */

/* Weights and running state from the host into the arenas, and back. */
void params_upload(struct params *params, const float *weight, const float *state);
void params_download(const struct params *params, float *weight, float *state);

#endif
