#include "engine/session/predictor.h"

#include "engine/backend/exec.h"
#include "engine/model/network.h"
#include "engine/session/programs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the caller's pictures are: the two kinds of program a predictor keeps. */
enum input_kind { INPUT_PIXELS, INPUT_NORMALISED, INPUT_KINDS };

static const int batch_sizes[] = {1, 4, 16, PREDICTOR_MAX_BATCH};
enum { BATCH_SIZES = sizeof batch_sizes / sizeof batch_sizes[0] };

/* Bytes of pixels of a batch whose activations a processor's caches hold for the most part; larger
 * batches are slower on it, not faster: four pictures of 224 x 224 are as fast as 16. */
enum { HOST_PIXEL_BYTES = 1 << 20 };

/* One program at one batch size, made when it is first needed. */
struct lane {
    struct inference inference;
    struct exec *exec;
    uint8_t *input; /* a whole batch of input, for a last part that must be padded */
    float *output;  /* [batch,classes] */
};

/* What twins share. */
struct weights {
    struct loaded_model model;
    struct params params;
};

struct predictor {
    enum device_kind kind; /* as it was asked for */
    struct device device;
    enum precision precision;
    int most; /* pictures of a batch */
    bool is_twin;
    struct weights *weights;
    struct lane lane[INPUT_KINDS][BATCH_SIZES];
};

static const enum dtype input_dtype[INPUT_KINDS] = {
    [INPUT_PIXELS] = DTYPE_U8, [INPUT_NORMALISED] = DTYPE_F32};

static size_t picture_input_bytes(const struct predictor *predictor, enum input_kind kind) {
    const struct network *network = &predictor->weights->model.network;
    return (size_t)network->height * (size_t)network->width * (size_t)network->channels *
           dtype_bytes(input_dtype[kind]);
}

static void lane_release(struct lane *lane) {
    exec_free(lane->exec);
    program_free(&lane->inference.program);
    mem_free_large(lane->input);
    mem_free_large(lane->output);
    *lane = (struct lane){0};
}

static enum status lane_open(struct predictor *predictor, enum input_kind kind, int size,
                             struct error *err) {
    struct lane *lane = &predictor->lane[kind][size];
    const struct loaded_model *model = &predictor->weights->model;
    size_t batch = (size_t)batch_sizes[size];
    size_t input_bytes = batch * picture_input_bytes(predictor, kind);
    size_t output_bytes = batch * (size_t)model->network.classes * sizeof(float);
    void *input = NULL, *output = NULL;
    struct params *params[] = {&predictor->weights->params};
    network_inference(&lane->inference, &model->network, predictor->precision, (int)batch,
                      kind == INPUT_PIXELS ? &model->info : NULL);
    enum status status =
        exec_create(&lane->exec, &predictor->device, &lane->inference.program, params, err);
    if (!status)
        status = mem_alloc_large(&input, input_bytes, "pictures of a batch", err);
    if (!status)
        status = mem_alloc_large(&output, output_bytes, "logits of a batch", err);
    lane->input = input;
    lane->output = output;
    if (status)
        lane_release(lane);
    else
        exec_refresh(lane->exec);
    return status;
}

static bool size_suits(const struct predictor *predictor, int size) {
    if (batch_sizes[size] > predictor->most)
        return false;
    size_t bytes = (size_t)batch_sizes[size] * picture_input_bytes(predictor, INPUT_PIXELS);
    return size == 0 || !predictor->device.backend->host || bytes <= HOST_PIXEL_BYTES;
}

/* The largest batch that suits the device and does not waste it: a processor computes each picture
 * of padding at full price, a GPU almost for nothing, as long as it spares a launch. */
static int batch_size_for(const struct predictor *predictor, int count) {
    int most = predictor->device.backend->host ? count : 2 * count;
    int size = BATCH_SIZES - 1;
    while (size > 0 && (batch_sizes[size] > most || !size_suits(predictor, size)))
        size--;
    return size;
}

/* Runs at most one batch; the rows behind count are padding and their logits are dropped. */
static enum status lane_run(struct lane *lane, const void *input, int count, float *logits,
                            struct error *err) {
    const struct inference *inference = &lane->inference;
    const struct value *x = &inference->program.value[inference->x];
    struct step step = {.n_valid = count};
    bool whole = count == x->shape.n;
    if (!whole)
        memcpy(lane->input, input, value_bytes(x) / (size_t)x->shape.n * (size_t)count);
    exec_write(lane->exec, inference->x, whole ? input : lane->input);
    exec_run(lane->exec, &step);
    exec_read(lane->exec, inference->logits, whole ? logits : lane->output);
    enum status status = exec_synchronize(lane->exec, err);
    if (!status && !whole) {
        int classes = inference->program.value[inference->logits].shape.c;
        memcpy(logits, lane->output, (size_t)count * (size_t)classes * sizeof *logits);
    }
    return status;
}

/* The lane of a batch size, made if it is not there yet. */
static enum status find_lane(struct predictor *predictor, enum input_kind kind, int size,
                             struct lane **lane, struct error *err) {
    *lane = &predictor->lane[kind][size];
    return (*lane)->exec ? STATUS_OK : lane_open(predictor, kind, size, err);
}

static enum status run_all(struct predictor *predictor, enum input_kind kind, const void *input,
                           int count, float *logits, struct error *err) {
    size_t picture_bytes = picture_input_bytes(predictor, kind);
    const uint8_t *next = input;
    while (count > 0) {
        int size = batch_size_for(predictor, count);
        int part = count < batch_sizes[size] ? count : batch_sizes[size];
        struct lane *lane;
        enum status status = find_lane(predictor, kind, size, &lane, err);
        if (!status)
            status = lane_run(lane, next, part, logits, err);
        if (status)
            return status;
        next += (size_t)part * picture_bytes;
        logits += (size_t)part * (size_t)predictor->weights->model.network.classes;
        count -= part;
    }
    return STATUS_OK;
}

enum status predictor_own(struct predictor **out, struct loaded_model *model,
                          enum device_kind device, int threads, enum precision precision,
                          struct error *err) {
    struct predictor *predictor = xcalloc(1, sizeof *predictor);
    struct weights *weights = predictor->weights = xcalloc(1, sizeof *weights);
    predictor->kind = device;
    predictor->precision = precision;
    predictor->most = PREDICTOR_MAX_BATCH;
    weights->model = *model;
    *model = (struct loaded_model){0};
    const struct param_table *table = &weights->model.network.table;
    enum status status = device_open(&predictor->device, device, threads, err);
    if (status)
        goto out;
    predictor->device.constant = true;
    status = device_check_precision(&predictor->device, precision, err);
    if (status)
        goto out;
    status = params_create(&weights->params, &predictor->device, table, 0, err);
    if (status)
        goto out;
    params_upload(&weights->params, weights->model.values.weight, weights->model.values.state);
    status = predictor->device.backend->synchronize(&predictor->device, err);
out:
    if (status) {
        predictor_free(predictor);
        predictor = NULL;
    }
    *out = predictor;
    return status;
}

enum status predictor_create(struct predictor **out, const char *model_path,
                             enum device_kind device, int threads, enum precision precision,
                             struct error *err) {
    struct loaded_model model = {0};
    *out = NULL;
    enum status status = model_load(&model, model_path, err);
    return status ? status : predictor_own(out, &model, device, threads, precision, err);
}

enum status predictor_twin(struct predictor **out, const struct predictor *first, int threads,
                           struct error *err) {
    struct predictor *twin = xcalloc(1, sizeof *twin);
    twin->kind = first->kind;
    twin->precision = first->precision;
    twin->most = first->most;
    twin->is_twin = true;
    twin->weights = first->weights;
    enum status status = device_open(&twin->device, first->kind, threads, err);
    if (status) {
        predictor_free(twin);
        twin = NULL;
    } else {
        twin->device.constant = true;
    }
    *out = twin;
    return status;
}

void predictor_free(struct predictor *predictor) {
    if (!predictor)
        return;
    for (int kind = 0; kind < INPUT_KINDS; kind++)
        for (int size = 0; size < BATCH_SIZES; size++)
            lane_release(&predictor->lane[kind][size]);
    if (!predictor->is_twin) {
        params_release(&predictor->weights->params);
        loaded_model_release(&predictor->weights->model);
        free(predictor->weights);
    }
    device_close(&predictor->device);
    free(predictor);
}

bool predictor_is_on_host(const struct predictor *predictor) {
    return predictor->device.backend->host;
}

void predictor_limit(struct predictor *predictor, int pictures) {
    predictor->most = pictures;
}

const struct model_info *predictor_info(const struct predictor *predictor) {
    return &predictor->weights->model.info;
}

_Static_assert((int)INTERPOLATION_BICUBIC == (int)RESAMPLE_BICUBIC, "one is used as the other");

struct input model_input(const struct model_info *info) {
    return (struct input){info->height, info->width, info->channels, info->resize_size,
                          (enum resample_filter)info->interpolation};
}

enum status predictor_logits(struct predictor *predictor, const uint8_t *pictures, int count,
                             float *logits, struct error *err) {
    return run_all(predictor, INPUT_PIXELS, pictures, count, logits, err);
}

enum status predictor_forward(struct predictor *predictor, const float *x, int count, float *logits,
                              struct error *err) {
    return run_all(predictor, INPUT_NORMALISED, x, count, logits, err);
}

enum status predictor_warm(struct predictor *predictor, struct error *err) {
    enum status status = STATUS_OK;
    for (int size = 0; size < BATCH_SIZES && !status; size++) {
        struct lane *lane;
        if (!size_suits(predictor, size))
            continue;
        status = find_lane(predictor, INPUT_PIXELS, size, &lane, err);
        if (!status)
            status = lane_run(lane, lane->input, batch_sizes[size], lane->output, err);
    }
    return status;
}

static size_t lane_bytes(const struct predictor *predictor, enum input_kind kind, int size) {
    const struct lane *lane = &predictor->lane[kind][size];
    if (!lane->exec)
        return 0;
    struct exec_memory memory = exec_memory(lane->exec);
    size_t classes = (size_t)predictor->weights->model.network.classes;
    size_t row_bytes = picture_input_bytes(predictor, kind) + classes * sizeof *lane->output;
    return memory.activation_bytes + memory.persistent_bytes + memory.workspace_bytes +
           (size_t)batch_sizes[size] * row_bytes;
}

size_t predictor_bytes(const struct predictor *predictor) {
    const struct param_table *table = &predictor->weights->model.network.table;
    size_t floats = predictor->is_twin ? 0 : table->weight_floats + table->state_floats;
    /* as they were read, on the device, and what kernels made of them */
    size_t bytes = 2 * floats * sizeof(float) + predictor->device.kept_bytes;
    for (int kind = 0; kind < INPUT_KINDS; kind++)
        for (int size = 0; size < BATCH_SIZES; size++)
            bytes += lane_bytes(predictor, (enum input_kind)kind, size);
    return bytes;
}

struct predictor_cost predictor_cost(const struct loaded_model *model, enum precision precision) {
    const struct param_table *table = &model->network.table;
    struct predictor_cost cost = {0, 2 * table->weight_floats * sizeof(float)};
    struct inference inference;
    network_inference(&inference, &model->network, precision, PREDICTOR_MAX_BATCH, &model->info);
    const struct program *program = &inference.program;
    for (int i = 0; i < program->n_ops; i++)
        cost.flops += op_flops(program, &program->op[i]);
    cost.bytes += program_activation_bytes(program);
    program_free(&inference.program);
    return cost;
}

void prediction_softmax(const float *logits, int classes, float *out) {
    double highest = logits[0], sum = 0;
    for (int c = 1; c < classes; c++)
        highest = logits[c] > highest ? logits[c] : highest;
    for (int c = 0; c < classes; c++)
        sum += exp(logits[c] - highest);
    for (int c = 0; c < classes; c++)
        out[c] = (float)(exp(logits[c] - highest) / sum);
}

/* Insertion into the k best so far: k is small and the classes are met in order, so that a later
 * equal one stays behind. */
void prediction_top(const float *logits, int classes, int k, struct prediction *out) {
    double highest = logits[0], sum = 0;
    int kept = 0;
    for (int c = 1; c < classes; c++)
        highest = logits[c] > highest ? logits[c] : highest;
    for (int c = 0; c < classes; c++) {
        sum += exp(logits[c] - highest);
        int at = kept < k ? kept++ : k;
        while (at > 0 && logits[c] > logits[out[at - 1].index]) {
            if (at < k)
                out[at] = out[at - 1];
            at--;
        }
        if (at < k)
            out[at].index = c;
    }
    for (int i = 0; i < kept; i++)
        out[i].score = (float)(exp(logits[out[i].index] - highest) / sum);
}
