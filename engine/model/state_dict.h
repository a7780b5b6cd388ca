/*
 * state_dict.h - a network's parameters as PyTorch's state dicts hold them: order, names, shapes
 * (OIHW), and a counter of batches behind every running_var.
 *
 * Ownership: state_dict_init ... state_dict_release; names of parameters are borrowed.
 */
#ifndef ENGINE_MODEL_STATE_DICT_H
#define ENGINE_MODEL_STATE_DICT_H

#include "engine/base/safetensors.h"
#include "engine/model/network.h"

#define STATE_DICT_COUNTER "num_batches_tracked"

/* The shape of a parameter in files, param->rank dimensions: OIHW, [out,in] or [n]. */
void state_dict_shape(const struct param *param, int64_t *dim);

/* A parameter's elements from files' order (OIHW) to the arenas' (KRSC), or back. */
void state_dict_from_file(const struct param *param, const float *from, float *to);
void state_dict_to_file(const struct param *param, const float *from, float *to); /* Back. */

/* How many batches a file's first counter says, 0 without one. */
int64_t state_dict_batches(const struct safetensors *file);

/* The tensors of a network, ready to be written. */
struct state_dict {
    struct tensor *tensor;
    size_t count;
    float *data;
    char (*counter_name)[MODEL_NAME_BYTES];
};

void state_dict_init(struct state_dict *dict, const struct network *network,
                     const struct network_values *values); /* Copies the values. */
void state_dict_release(struct state_dict *dict);          /* Frees it. */

#endif
