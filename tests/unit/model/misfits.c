/* What is wrong with a weights file: every kind, alone and together; and what is right. */
#include "engine/model/network.h"
#include "engine/model/state_dict.h"
#include "tests/support/t.h"

static char path[300];
static struct network network;
static struct network_values good;

/* Changes the tensors of a good file before they are written. */
typedef void change_fn(struct state_dict *dict);

static struct tensor *find(struct state_dict *dict, const char *name) {
    for (size_t i = 0; i < dict->count; i++)
        if (str_equal(dict->tensor[i].name, name))
            return &dict->tensor[i];
    abort();
}

static void drop(struct state_dict *dict, const char *name) {
    struct tensor *tensor = find(dict, name);
    *tensor = dict->tensor[--dict->count];
}

/* Loads what change made of the network's own weights. */
static enum status load(change_fn *change, struct misfits *misfits, struct error *err) {
    struct safetensors file;
    struct state_dict dict;
    struct network_values loaded;
    *err = (struct error){0};
    state_dict_init(&dict, &network, &good);
    if (change)
        change(&dict);
    T_INT(safetensors_write(path, dict.tensor, dict.count, NULL, 0, err), STATUS_OK);
    T_INT(safetensors_open(&file, path, err), STATUS_OK);
    enum status status = network_load(&network, &file, &loaded, misfits, err);
    if (!status) {
        T_INT(memcmp(loaded.weight, good.weight, network.table.weight_floats * sizeof(float)), 0);
        T_INT(memcmp(loaded.state, good.state, network.table.state_floats * sizeof(float)), 0);
    }
    safetensors_close(&file);
    state_dict_release(&dict);
    network_values_release(&loaded);
    return status;
}

/* Exactly one misfit of that kind, about that tensor, whose sentence is all of the message's end.
 */
static void check_single(change_fn *change, enum misfit_kind kind, const char *tensor,
                         const char *message) {
    struct misfits misfits;
    struct error err;
    T_INT(load(change, &misfits, &err), STATUS_INVALID);
    T_INT(misfits_total(&misfits), 1);
    T_INT(misfits.count[kind], 1);
    T_INT(misfits.item[0].kind, kind);
    T_STR(misfits.item[0].tensor, tensor);
    T_STR(err.message, message);
}

static void drop_bias(struct state_dict *dict) {
    drop(dict, "fc.bias");
}

static void add_stranger(struct state_dict *dict) {
    dict->tensor[dict->count] = *find(dict, "fc.bias");
    dict->tensor[dict->count++].name = "aux.bias";
}

/* Of no batch norm of the network. */
static void add_strange_counter(struct state_dict *dict) {
    dict->tensor[dict->count] = *find(dict, "bn1.num_batches_tracked");
    dict->tensor[dict->count++].name = "bn9.num_batches_tracked";
}

static void reshape(struct state_dict *dict) {
    struct tensor *tensor = find(dict, "conv1.weight");
    tensor->dim[0] = 3;
    tensor->dim[1] = 16;
}

static void drop_a_dimension(struct state_dict *dict) {
    struct tensor *tensor = find(dict, "fc.weight");
    tensor->dim[0] *= tensor->dim[1];
    tensor->rank = 1;
}

static void retype(struct state_dict *dict) {
    find(dict, "bn1.bias")->type = TENSOR_I32;
}

static void retype_counter(struct state_dict *dict) {
    struct tensor *tensor = find(dict, "bn1.num_batches_tracked");
    tensor->type = TENSOR_I32;
    tensor->bytes = 4;
}

static void spoil(struct state_dict *dict) {
    float *values = (float *)(uintptr_t)find(dict, "bn1.running_var")->data;
    values[2] = NAN;
    values[4] = INFINITY;
    values[5] = -INFINITY;
}

static void test_each_kind(void) {
    check_single(drop_bias, MISFIT_MISSING, "fc.bias",
                 "the weights do not fit resnet8: tensor fc.bias is missing");
    check_single(add_stranger, MISFIT_UNEXPECTED, "aux.bias",
                 "the weights do not fit resnet8: tensor aux.bias is not one of the network's");
    check_single(add_strange_counter, MISFIT_UNEXPECTED, "bn9.num_batches_tracked",
                 "the weights do not fit resnet8: tensor bn9.num_batches_tracked is not one of the "
                 "network's");
    check_single(reshape, MISFIT_SHAPE, "conv1.weight",
                 "the weights do not fit resnet8: tensor conv1.weight has shape [3,16,3,3], the "
                 "network needs [16,3,3,3]");
    check_single(drop_a_dimension, MISFIT_SHAPE, "fc.weight",
                 "the weights do not fit resnet8: tensor fc.weight has shape [640], the network "
                 "needs [10,64]");
    check_single(retype, MISFIT_TYPE, "bn1.bias",
                 "the weights do not fit resnet8: tensor bn1.bias is I32; F32, F16 and BF16 are "
                 "read");
    check_single(retype_counter, MISFIT_TYPE, "bn1.num_batches_tracked",
                 "the weights do not fit resnet8: tensor bn1.num_batches_tracked is I32, not I64");
    check_single(spoil, MISFIT_VALUE, "bn1.running_var",
                 "the weights do not fit resnet8: tensor bn1.running_var has 1 NaN and 2 infinite "
                 "of 16 elements; a training that diverged leaves that: take an earlier "
                 "checkpoint");
}

static void change_all(struct state_dict *dict) {
    add_stranger(dict);
    retype(dict);
    reshape(dict);
    drop_bias(dict);
    drop(dict, "fc.weight");
}

static void test_all_at_once(void) {
    struct misfits misfits;
    struct error err;
    T_INT(load(change_all, &misfits, &err), STATUS_INVALID);
    T_INT(misfits_total(&misfits), 5);
    T_INT(misfits.listed, 5);
    T_INT(misfits.count[MISFIT_MISSING], 2);
    T_CONTAINS(err.message, "the weights do not fit resnet8: 2 missing, 1 unexpected, 1 misshapen, "
                            "1 of a wrong type; tensor conv1.weight has shape");
}

static void drop_all(struct state_dict *dict) {
    dict->count = 1;
}

/* The list and the message are bounded, the counts are not. */
static void test_nothing_fits(void) {
    struct misfits misfits;
    struct error err;
    int params = network.table.count;
    T_INT(load(drop_all, &misfits, &err), STATUS_INVALID);
    T_INT(misfits_total(&misfits), params - 1);
    T_INT(misfits.listed, params - 1 < MISFITS_LISTED ? params - 1 : MISFITS_LISTED);
    T_CHECK(str_has_suffix(err.message, "; ..."));
}

static void drop_counters(struct state_dict *dict) {
    size_t kept = 0;
    for (size_t i = 0; i < dict->count; i++)
        if (!str_has_suffix(dict->tensor[i].name, "." STATE_DICT_COUNTER))
            dict->tensor[kept++] = dict->tensor[i];
    dict->count = kept;
}

static void test_what_fits(void) {
    struct misfits misfits;
    struct error err;
    T_INT(load(NULL, &misfits, &err), STATUS_OK);
    T_INT(misfits_total(&misfits), 0);
    T_INT(load(drop_counters, NULL, &err), STATUS_OK);
    T_STR(err.message, "");
}

int main(void) {
    const char *folder = t_temp_dir();
    struct network_size size = {32, 32, 3, 10};
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    T_INT(network_init(&network, "resnet8", size, true, NULL), STATUS_OK);
    network_randomise(&network, 7, &good);
    good.batches_tracked = 3;
    T_RUN(test_each_kind);
    T_RUN(test_all_at_once);
    T_RUN(test_nothing_fits);
    T_RUN(test_what_fits);
    network_values_release(&good);
    network_release(&network);
    T_INT(file_remove_all(folder, NULL), STATUS_OK);
    return t_done();
}
