/*
 * param_table.h - names, shapes and places of a network's parameters.
 *
 * Weights lie in one arena, decayed ones first; running state in another. Each begins at a
 * multiple of 16 floats and the gaps stay zero. Names are those of the PyTorch originals; here
 * shapes are KRSC, in files OIHW.
 */
#ifndef ENGINE_GRAPH_PARAM_TABLE_H
#define ENGINE_GRAPH_PARAM_TABLE_H

#include "engine/graph/program.h"

enum param_init {
    INIT_ZERO,
    INIT_ONE,
    INIT_NORMAL_FAN_OUT, /* N(0, sqrt(2 / fan)), fan = r s k */
    INIT_NORMAL_SMALL,   /* N(0, 0.01) */
    INIT_UNIFORM_FAN_IN, /* U(+-1 / sqrt(fan)), fan = r s c */
    INIT_NORMAL_TOKEN,   /* N(0, 0.02): linear layers and positions of transformers */
    INIT_NORMAL_TINY,    /* N(0, 1e-6) */
    INIT_TINY            /* 1e-6 */
};

struct param {
    char name[56];
    struct shape shape;
    int rank; /* of the tensor in files: 4 conv, 3 tokens, 2 linear, 1 vector */
    enum param_init init;
    int fan;
    bool state;    /* running mean or variance */
    bool norm;     /* of a norm, a bias, a token: not decayed unless asked */
    size_t offset; /* floats, in the weights or the state arena */
};

struct param_table {
    struct param *param;
    int count, capacity;
    size_t decayed_floats; /* weights arena: [0, decayed) is decayed, */
    size_t weight_floats;  /* [decayed, weight) is not */
    size_t state_floats;
};

void param_table_release(struct param_table *table); /* Zeroed or filled. */

/* Appends a parameter; offset is set by param_table_layout. */
void param_table_add(struct param_table *table, const struct param *param);

/* Assigns offsets; decay_all puts norms and biases into the decayed range too. */
void param_table_layout(struct param_table *table, bool decay_all);

/* The parameter of that name, or NULL. */
const struct param *param_table_find(const struct param_table *table, const char *name);

/* Learnable numbers (without running state), as papers count them. */
int64_t param_table_learnable(const struct param_table *table);

#endif
