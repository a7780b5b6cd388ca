#include "engine/graph/ops.h"
#include "engine/model/network.h"

/* Ops that multiply matrices; what the others compute is nothing beside it. */
static bool is_product(enum opcode code) {
    return code == OP_CONV || code == OP_LINEAR || code == OP_TOKEN_LINEAR || code == OP_ATTENTION;
}

struct network_cost network_cost(const struct network *network) {
    struct program program;
    program_init(&program);
    struct param_table *table = (struct param_table *)(uintptr_t)&network->table; /* only read */
    struct builder builder = {
        .program = &program, .table = table, .mode = BUILD_INFER, .net = 0, .dtype = DTYPE_F32};
    struct shape shape = {1, network->height, network->width, network->channels};
    network_build(network, &builder, build_input(&builder, "x", shape, DTYPE_F32));
    double flops = 0;
    for (int i = 0; i < program.n_ops; i++)
        if (is_product(program.op[i].code))
            flops += op_flops(&program, &program.op[i]);
    program_free(&program);
    return (struct network_cost){param_table_learnable(&network->table), (int64_t)(flops / 2)};
}
