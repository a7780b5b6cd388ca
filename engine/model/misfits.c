#include "engine/model/misfits.h"

#include "engine/model/state_dict.h"

#include <math.h>
#include <string.h>

enum { NAME_SHOWN = MISFIT_TENSOR_BYTES - 1, MESSAGE_LIST_BYTES = 300 };

static void add(struct misfits *misfits, enum misfit_kind kind, const char *tensor,
                const char *format, ...) PRINTF_LIKE(4, 5);

/* The sentence goes on behind "tensor <name> ". */
static void add(struct misfits *misfits, enum misfit_kind kind, const char *tensor,
                const char *format, ...) {
    misfits->count[kind]++;
    if (misfits->listed == MISFITS_LISTED)
        return;
    struct misfit *item = &misfits->item[misfits->listed++];
    struct str text = STR_INIT;
    str_addf(&text, "tensor %.*s ", NAME_SHOWN, tensor);
    va_list args;
    va_start(args, format);
    str_vaddf(&text, format, args);
    va_end(args);
    item->kind = kind;
    str_copy(item->tensor, sizeof item->tensor, tensor);
    str_copy(item->detail, sizeof item->detail, str_text(&text));
    str_release(&text);
}

static void add_dims(struct str *out, const int64_t *dim, int rank) {
    str_add(out, "[");
    for (int i = 0; i < rank; i++)
        str_addf(out, "%s%lld", i ? "," : "", (long long)dim[i]);
    str_add(out, "]");
}

static void check_shape(struct misfits *misfits, const struct tensor *tensor, const int64_t *dim,
                        int rank) {
    if (tensor->rank == rank && memcmp(dim, tensor->dim, (size_t)rank * sizeof *dim) == 0)
        return;
    struct str found = STR_INIT, needed = STR_INIT;
    add_dims(&found, tensor->dim, tensor->rank);
    add_dims(&needed, dim, rank);
    add(misfits, MISFIT_SHAPE, tensor->name, "has shape %s, the network needs %s", str_text(&found),
        str_text(&needed));
    str_release(&found);
    str_release(&needed);
}

static bool is_readable(enum tensor_type type) {
    return type == TENSOR_F32 || type == TENSOR_F16 || type == TENSOR_BF16;
}

static void check_param(struct misfits *misfits, const struct param *param,
                        const struct safetensors *file) {
    const struct tensor *tensor = safetensors_find(file, param->name);
    int64_t dim[TENSOR_MAX_RANK];
    if (!tensor) {
        add(misfits, MISFIT_MISSING, param->name, "is missing");
        return;
    }
    state_dict_shape(param, dim);
    check_shape(misfits, tensor, dim, param->rank);
    if (!is_readable(tensor->type))
        add(misfits, MISFIT_TYPE, param->name, "is %s; F32, F16 and BF16 are read",
            tensor_type_name(tensor->type));
}

/* The name is that of the counter of one of the network's batch norms. */
static bool is_counter(const struct param_table *table, const char *name) {
    char running[MISFIT_TENSOR_BYTES];
    size_t stem = strlen(name) - strlen(STATE_DICT_COUNTER);
    if (!str_has_suffix(name, "." STATE_DICT_COUNTER) ||
        stem + sizeof "running_var" > sizeof running)
        return false;
    memcpy(running, name, stem);
    memcpy(running + stem, "running_var", sizeof "running_var");
    return param_table_find(table, running) != NULL;
}

static void check_tensor(struct misfits *misfits, const struct param_table *table,
                         const struct tensor *tensor) {
    static const int64_t scalar[1];
    if (param_table_find(table, tensor->name))
        return;
    if (!is_counter(table, tensor->name)) {
        add(misfits, MISFIT_UNEXPECTED, tensor->name, "is not one of the network's");
        return;
    }
    check_shape(misfits, tensor, scalar, 0);
    if (tensor->type != TENSOR_I64)
        add(misfits, MISFIT_TYPE, tensor->name, "is %s, not I64", tensor_type_name(tensor->type));
}

void misfits_find(struct misfits *misfits, const struct param_table *table,
                  const struct safetensors *file) {
    for (int i = 0; i < table->count; i++)
        check_param(misfits, &table->param[i], file);
    for (size_t i = 0; i < file->count; i++)
        check_tensor(misfits, table, &file->tensors[i]);
}

void misfits_add_values(struct misfits *misfits, const struct param *param,
                        const struct tensor *tensor, const float *values) {
    int64_t n = shape_elements(param->shape), nan = 0, infinite = 0;
    for (int64_t i = 0; i < n; i++) {
        nan += isnan(values[i]) != 0;
        infinite += isinf(values[i]) != 0;
    }
    if (nan + infinite)
        add(misfits, MISFIT_VALUE, tensor->name, "has %lld NaN and %lld infinite of %lld elements",
            (long long)nan, (long long)infinite, (long long)n);
}

int misfits_total(const struct misfits *misfits) {
    int total = 0;
    for (int kind = 0; kind < MISFIT_KINDS; kind++)
        total += misfits->count[kind];
    return total;
}

static void add_counts(const struct misfits *misfits, struct str *out) {
    static const char *const words[MISFIT_KINDS] = {"missing", "unexpected", "misshapen",
                                                    "of a wrong type", "not finite"};
    const char *separator = "";
    for (int kind = 0; kind < MISFIT_KINDS; kind++) {
        if (!misfits->count[kind])
            continue;
        str_addf(out, "%s%d %s", separator, misfits->count[kind], words[kind]);
        separator = ", ";
    }
}

enum status misfits_status(const struct misfits *misfits, const char *what, struct error *err) {
    int total = misfits_total(misfits);
    const char *advice = misfits->count[MISFIT_VALUE]
                             ? "; a training that diverged leaves that: take an earlier checkpoint"
                             : "";
    if (!total)
        return STATUS_OK;
    if (total == 1)
        return error_set(err, STATUS_INVALID, "the weights do not fit %s: %s%s", what,
                         misfits->item[0].detail, advice);
    struct str text = STR_INIT;
    str_addf(&text, "the weights do not fit %s: ", what);
    add_counts(misfits, &text);
    for (int i = 0; i < misfits->listed; i++) {
        if (text.len + strlen(misfits->item[i].detail) > MESSAGE_LIST_BYTES) {
            str_add(&text, "; ...");
            break;
        }
        str_addf(&text, "; %s", misfits->item[i].detail);
    }
    enum status status = error_set(err, STATUS_INVALID, "%s%s", str_text(&text), advice);
    str_release(&text);
    return status;
}
