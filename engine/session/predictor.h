/*
 * predictor.h - a trained model that classifies pictures.
 *
 * Ownership: predictor_create ... predictor_free. The model's files are read once.
 * Threads:   one thread at a time uses a predictor (the batcher sees to that); twins are used at
 *            the same time.
 */
#ifndef ENGINE_SESSION_PREDICTOR_H
#define ENGINE_SESSION_PREDICTOR_H

#include "engine/data/input.h"
#include "engine/model/network.h"
#include "engine/spec/train_spec.h"

struct predictor;

enum { PREDICTOR_MAX_BATCH = 64 };

/* Loads a model (directory or .safetensors) for a device, a number of threads and a precision;
 * UNSUPPORTED for one that the device does not know. */
MUST_CHECK enum status predictor_create(struct predictor **out, const char *model_path,
                                        enum device_kind device, int threads,
                                        enum precision precision, struct error *err);

/* The same for a model that is loaded already; takes what it holds, on failure too. */
MUST_CHECK enum status predictor_own(struct predictor **out, struct loaded_model *model,
                                     enum device_kind device, int threads, enum precision precision,
                                     struct error *err);

/* Another one of the same model on the processor, with threads of its own: it shares the weights of
 * the first, which must outlive it. */
MUST_CHECK enum status predictor_twin(struct predictor **out, const struct predictor *first,
                                      int threads, struct error *err);

void predictor_free(struct predictor *predictor); /* NULL is allowed. */

/* Does it compute on the processor? */
bool predictor_is_on_host(const struct predictor *predictor);

/* Runs at most so many pictures together; to be said before the first run. */
void predictor_limit(struct predictor *predictor, int pictures);

/* Runs each batch size once, on black pictures: afterwards predictor_logits allocates nothing. */
MUST_CHECK enum status predictor_warm(struct predictor *predictor, struct error *err);

/* Bytes that it holds by now: weights, if it is no twin, and what the runs so far have needed,
 * without what libraries keep for themselves. */
size_t predictor_bytes(const struct predictor *predictor);

/* What one run of the largest batch takes, without a device: operations, and bytes of activations
 * and weights. */
struct predictor_cost {
    double flops;
    size_t bytes;
};
struct predictor_cost predictor_cost(const struct loaded_model *model, enum precision precision);

/* Names, classes and input size of the loaded model. */
const struct model_info *predictor_info(const struct predictor *predictor);

/* How a picture becomes the input of a model. */
struct input model_input(const struct model_info *info);

/* Logits [count,classes] of u8 pictures [count,h,w,c] of the model's input size; any count. */
MUST_CHECK enum status predictor_logits(struct predictor *predictor, const uint8_t *pictures,
                                        int count, float *logits, struct error *err);

/* The same for f32 inputs that are already normalised, as the original network takes them. */
MUST_CHECK enum status predictor_forward(struct predictor *predictor, const float *x, int count,
                                         float *logits, struct error *err);

/* Softmax of one row of logits, into out [classes]. */
void prediction_softmax(const float *logits, int classes, float *out);

struct prediction {
    int index;
    float score; /* softmax probability */
};

/* The k most probable of one row of logits, best first, ties to the lower index; k <= classes. */
void prediction_top(const float *logits, int classes, int k, struct prediction *out);

#endif
