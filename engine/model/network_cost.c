#include "engine/graph/ops.h"
#include "engine/model/network.h"

/* Ops that multiply matrices; what the others compute is nothing beside it. */
static bool is_product(enum opcode code) {
    return code == OP_CONV || code == OP_LINEAR || code == OP_TOKEN_LINEAR || code == OP_ATTENTION;
}

struct network_cost network_cost(const struct network *network) {
    struct inference inference;
    double flops = 0;
    network_inference(&inference, network, PRECISION_F32, 1, NULL);
    const struct program *program = &inference.program;
    for (int i = 0; i < program->n_ops; i++)
        if (is_product(program->op[i].code))
            flops += op_flops(program, &program->op[i]);
    program_free(&inference.program);
    return (struct network_cost){param_table_learnable(&network->table), (int64_t)(flops / 2)};
}
