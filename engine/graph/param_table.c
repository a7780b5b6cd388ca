#include "engine/graph/param_table.h"

#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PARAM_ALIGN_FLOATS = 16 };

void param_table_release(struct param_table *table) {
    free(table->param);
    memset(table, 0, sizeof *table);
}

void param_table_add(struct param_table *table, const struct param *param) {
    CHECK(!param_table_find(table, param->name));
    MEM_GROW(table->param, table->count, table->capacity);
    table->param[table->count++] = *param;
}

/* Gives offsets from *end on to the parameters that are in this range. */
static void layout_range(struct param_table *table, bool state, bool decayed, bool decay_all,
                         size_t *end) {
    for (int i = 0; i < table->count; i++) {
        struct param *param = &table->param[i];
        bool is_decayed = decay_all || !param->norm;
        if (param->state != state || (!state && is_decayed != decayed))
            continue;
        param->offset = *end;
        size_t floats = (size_t)shape_elements(param->shape);
        *end += (floats + PARAM_ALIGN_FLOATS - 1) / PARAM_ALIGN_FLOATS * PARAM_ALIGN_FLOATS;
    }
}

void param_table_layout(struct param_table *table, bool decay_all) {
    size_t end = 0, states = 0;
    layout_range(table, false, true, decay_all, &end);
    table->decayed_floats = end;
    layout_range(table, false, false, decay_all, &end);
    table->weight_floats = end;
    layout_range(table, true, false, decay_all, &states);
    table->state_floats = states;
}

const struct param *param_table_find(const struct param_table *table, const char *name) {
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->param[i].name, name) == 0)
            return &table->param[i];
    return NULL;
}

int64_t param_table_learnable(const struct param_table *table) {
    int64_t count = 0;
    for (int i = 0; i < table->count; i++)
        if (!table->param[i].state)
            count += shape_elements(table->param[i].shape);
    return count;
}
