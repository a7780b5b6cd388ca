#include "engine/model/state_dict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void state_dict_shape(const struct param *param, int64_t *dim) {
    struct shape s = param->shape;
    const int64_t conv[] = {s.n, s.c, s.h, s.w}, tokens[] = {s.n, s.w, s.c};
    const int64_t linear[] = {s.n, s.c}, vector[] = {s.c};
    const int64_t *const of_rank[] = {NULL, vector, linear, tokens, conv};
    memcpy(dim, of_rank[param->rank], (size_t)param->rank * sizeof *dim);
}

/* OIHW <-> KRSC; other ranks are the same in both. */
static void permute(const struct param *param, const float *from, float *to, bool to_file) {
    struct shape s = param->shape;
    if (param->rank < 4) {
        memcpy(to, from, (size_t)shape_elements(s) * sizeof *to);
        return;
    }
    for (int k = 0; k < s.n; k++)
        for (int r = 0; r < s.h; r++)
            for (int q = 0; q < s.w; q++)
                for (int c = 0; c < s.c; c++) {
                    int64_t krsc = (((int64_t)k * s.h + r) * s.w + q) * s.c + c;
                    int64_t oihw = (((int64_t)k * s.c + c) * s.h + r) * s.w + q;
                    if (to_file)
                        to[oihw] = from[krsc];
                    else
                        to[krsc] = from[oihw];
                }
}

void state_dict_from_file(const struct param *param, const float *from, float *to) {
    permute(param, from, to, false);
}

void state_dict_to_file(const struct param *param, const float *from, float *to) {
    permute(param, from, to, true);
}

int64_t state_dict_batches(const struct safetensors *file) {
    int64_t batches = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct tensor *tensor = &file->tensors[i];
        if (tensor->type == TENSOR_I64 && tensor->bytes == sizeof batches &&
            str_has_suffix(tensor->name, "." STATE_DICT_COUNTER)) {
            memcpy(&batches, tensor->data, sizeof batches);
            break;
        }
    }
    return batches;
}

static void add_counter(struct state_dict *dict, const char *running_var, const int64_t *counter) {
    size_t stem = strlen(running_var) - strlen("running_var");
    char *name = dict->counter_name[dict->count];
    snprintf(name, MODEL_NAME_BYTES, "%.*s" STATE_DICT_COUNTER, (int)stem, running_var);
    dict->tensor[dict->count++] =
        (struct tensor){.name = name, .type = TENSOR_I64, .data = counter, .bytes = 8};
}

void state_dict_init(struct state_dict *dict, const struct network *network,
                     const struct network_values *values) {
    const struct param_table *table = &network->table;
    size_t most = 2 * (size_t)table->count;
    *dict = (struct state_dict){xcalloc(most, sizeof *dict->tensor), 0,
                                xcalloc(table->weight_floats + table->state_floats, sizeof(float)),
                                xcalloc(most, sizeof *dict->counter_name)};
    float *to = dict->data;
    for (int i = 0; i < table->count; i++) {
        const struct param *param = &table->param[i];
        struct tensor *tensor = &dict->tensor[dict->count++];
        size_t n = (size_t)shape_elements(param->shape);
        *tensor = (struct tensor){.name = param->name,
                                  .type = TENSOR_F32,
                                  .rank = param->rank,
                                  .data = to,
                                  .bytes = n * sizeof *to};
        state_dict_shape(param, tensor->dim);
        state_dict_to_file(param, (param->state ? values->state : values->weight) + param->offset,
                           to);
        to += n;
        if (str_has_suffix(param->name, ".running_var"))
            add_counter(dict, param->name, &values->batches_tracked);
    }
}

void state_dict_release(struct state_dict *dict) {
    free(dict->tensor);
    free(dict->data);
    free(dict->counter_name);
}
