/*
 * optimizer.h - how gradients become steps: a row for each optimiser.
 *
 * Threads: constant data; build_optimizer extends the builder's program.
 */
#ifndef ENGINE_GRAPH_OPTIMIZER_H
#define ENGINE_GRAPH_OPTIMIZER_H

#include "engine/graph/build.h"
#include "engine/spec/train_spec.h"

enum { OPTIMIZER_MAX_SLOTS = 2 };

struct optimizer_info {
    enum opcode code; /* of the op that updates a range of weights */
    int slots;        /* numbers kept for each weight: first moment, second moment */
    union op_attr (*attr)(const struct train_spec *spec, double weight_decay);
};

extern const struct optimizer_info optimizer_table[OPTIMIZER_COUNT];

/* Appends the optimiser that the finished spec names, one op a range of the network's weights
 * (decayed, not decayed), behind clip_norm if the spec clips. */
void build_optimizer(struct builder *builder, const struct train_spec *spec);

#endif
