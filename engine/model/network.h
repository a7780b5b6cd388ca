/*
 * network.h - an architecture at a given input size and number of classes, with its parameters.
 *
 * Weights travel between three forms: the arenas (KRSC), files (OIHW, PyTorch's names), and
 * random initialisation (a pure function of the seed).
 *
 * Errors: INVALID names what is missing, unexpected, misshapen or not finite.
 */
#ifndef ENGINE_MODEL_NETWORK_H
#define ENGINE_MODEL_NETWORK_H

#include "engine/model/misfits.h"
#include "engine/model/model_file.h"
#include "engine/model/zoo.h"
#include "engine/spec/train_spec.h"

struct network {
    const struct architecture *architecture;
    int height, width, channels, classes;
    struct param_table table;
};

/* What a network is given and asked for. */
struct network_size {
    int height, width, channels, classes;
};

/* NOT_FOUND lists the known architectures; INVALID for an input or class count it cannot take. */
MUST_CHECK enum status network_init(struct network *network, const char *architecture,
                                    struct network_size size, bool decay_all, struct error *err);
/* INVALID names drop_path where the architecture cannot leave out branches. */
MUST_CHECK enum status network_check_drop_path(const struct network *network, double drop_path,
                                               struct error *err);
void network_release(struct network *network); /* Zeroed or initialised. */

/* A builder of the network's ops in a program, with the arenas of index 0. */
struct builder network_builder(const struct network *network, struct program *program,
                               enum build_mode mode, enum precision precision);

/* Appends the network behind x, with the arenas of builder->net; returns the logits. */
int network_build(const struct network *network, struct builder *builder, int x);

/* A network's inference as a program of its own, sealed; program_free frees it. */
struct inference {
    struct program program;
    int x, logits; /* input [batch,h,w,c]; output, f32 [batch,classes] */
};

/* Builds it for a batch. x is u8 pixels that are normalised as pixels tells; NULL: f32 that is
 * normalised already. */
void network_inference(struct inference *out, const struct network *network,
                       enum precision precision, int batch, const struct model_info *pixels);

/* What a network costs: learnable parameters, and multiply-adds of its products (convolutions,
 * linear layers, attention) for one picture. */
struct network_cost {
    int64_t parameters, multiply_adds;
};
struct network_cost network_cost(const struct network *network);

/* What a network holds: arrays as in its table, and how many batches it has seen. */
struct network_values {
    float *weight, *state;
    int64_t batches_tracked;
};
void network_values_init(struct network_values *values, const struct network *network); /* Zeros. */
void network_values_release(struct network_values *values); /* Zeroed or filled. */

/* Random weights: the originals' distributions, drawn from the seed. They are the caller's. */
void network_randomise(const struct network *network, uint64_t seed, struct network_values *values);

/* Copies an open file's tensors, also where it fails into values that are the caller's;
 * num_batches_tracked may be there or not. misfits, unless NULL, receives all that is wrong. */
MUST_CHECK enum status network_load(const struct network *network, const struct safetensors *file,
                                    struct network_values *values, struct misfits *misfits,
                                    struct error *err);

/* Writes a model.safetensors: weights, counters of batches, and info as metadata. */
MUST_CHECK enum status network_save(const struct network *network, const struct model_info *info,
                                    const struct network_values *values, const char *path,
                                    struct error *err);

/* Opens a model (directory or file): info, network and values, all the caller's. */
struct loaded_model {
    struct model_info info;
    struct network network;
    struct network_values values;
};
MUST_CHECK enum status model_load(struct loaded_model *model, const char *path, struct error *err);
void loaded_model_release(struct loaded_model *model); /* Zeroed or loaded. */

#endif
