/* param_table.h: names and places of parameters. */
#include "engine/graph/param_table.h"

#include "engine/base/mem.h"
#include "tests/support/t.h"

static void add(struct param_table *table, const char *name, struct shape shape, bool norm,
                bool state) {
    struct param param = {.shape = shape, .norm = norm, .state = state};
    str_copy(param.name, sizeof param.name, name);
    param_table_add(table, &param);
}

/* 27 + 5 + 5 + 5 weights, 5 + 5 of state; listed in a state dict's order. */
static struct param_table small_table(void) {
    struct param_table table = {0};
    add(&table, "conv.weight", (struct shape){3, 3, 3, 1}, false, false);
    add(&table, "bn.weight", (struct shape){1, 1, 1, 5}, true, false);
    add(&table, "bn.bias", (struct shape){1, 1, 1, 5}, true, false);
    add(&table, "bn.running_mean", (struct shape){1, 1, 1, 5}, true, true);
    add(&table, "bn.running_var", (struct shape){1, 1, 1, 5}, true, true);
    add(&table, "fc.weight", (struct shape){1, 1, 1, 5}, false, false);
    return table;
}

static size_t offset_of(const struct param_table *table, const char *name) {
    const struct param *param = param_table_find(table, name);
    T_CHECK(param);
    return param ? param->offset : 0;
}

static void decayed_parameters_come_first(void) {
    struct param_table table = small_table();
    param_table_layout(&table, false);
    T_INT(offset_of(&table, "conv.weight"), 0);
    T_INT(offset_of(&table, "fc.weight"), 32);
    T_INT(table.decayed_floats, 48);
    T_INT(offset_of(&table, "bn.weight"), 48);
    T_INT(offset_of(&table, "bn.bias"), 64);
    T_INT(table.weight_floats, 80);
    param_table_release(&table);
}

static void decay_all_leaves_no_second_range(void) {
    struct param_table table = small_table();
    param_table_layout(&table, true);
    T_INT(offset_of(&table, "bn.weight"), 32);
    T_INT(offset_of(&table, "fc.weight"), 64);
    T_INT(table.decayed_floats, 80);
    T_INT(table.weight_floats, 80);
    param_table_release(&table);
}

static void state_has_an_arena_of_its_own(void) {
    struct param_table table = small_table();
    param_table_layout(&table, false);
    T_INT(offset_of(&table, "bn.running_mean"), 0);
    T_INT(offset_of(&table, "bn.running_var"), 16);
    T_INT(table.state_floats, 32);
    T_INT(param_table_learnable(&table), 27 + 5 + 5 + 5);
    param_table_release(&table);
}

static void unknown_names_are_not_found(void) {
    struct param_table table = small_table();
    T_CHECK(!param_table_find(&table, "bn"));
    T_CHECK(!param_table_find(&table, "bn.weight2"));
    param_table_release(&table);
    T_CHECK(!param_table_find(&table, "bn.weight"));
    T_INT(param_table_learnable(&table), 0);
}

int main(void) {
    T_RUN(decayed_parameters_come_first);
    T_RUN(decay_all_leaves_no_second_range);
    T_RUN(state_has_an_arena_of_its_own);
    T_RUN(unknown_names_are_not_found);
    return t_done();
}
