#include "engine/session/checkpoint.h"

#include "engine/base/mem.h"
#include "engine/base/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fixed columns of the tables in the file. */
enum { COUNTER_STEP, COUNTER_REPRODUCIBLE, COUNTER_EVALUATED, COUNTER_COUNT };
enum {
    POINT_EPOCH,
    POINT_STEP,
    POINT_LOSS,
    POINT_TOP1,
    POINT_TOP5,
    POINT_RATE,
    POINT_SPEED,
    POINT_COUNT
};

enum { ARENAS_MAX = 4 };

/* The arenas that are kept, with their names in the file. Gradients are made anew every step. */
struct arena_row {
    const char *name;
    float *device;
    size_t floats;
};

static int list_arenas(const struct params *params, struct arena_row row[ARENAS_MAX]) {
    const struct param_table *table = params->table;
    const struct arena_row all[ARENAS_MAX] = {
        {"weight", params->weight, table->weight_floats},
        {"momentum", params->momentum, table->weight_floats},
        {"second_moment", params->second_moment, table->weight_floats},
        {"state", params->state, table->state_floats},
    };
    int count = 0;
    for (int i = 0; i < ARENAS_MAX; i++)
        if (all[i].device)
            row[count++] = all[i];
    return count;
}

static void pack_point(const struct metric_point *point, double row[POINT_COUNT]) {
    row[POINT_EPOCH] = (double)point->epoch;
    row[POINT_STEP] = (double)point->step;
    row[POINT_LOSS] = point->loss;
    row[POINT_TOP1] = point->top1;
    row[POINT_TOP5] = point->top5;
    row[POINT_RATE] = point->learning_rate;
    row[POINT_SPEED] = point->images_per_s;
}

static struct metric_point unpack_point(const double row[POINT_COUNT]) {
    return (struct metric_point){.phase = METRIC_EVAL,
                                 .epoch = (int64_t)row[POINT_EPOCH],
                                 .step = (int64_t)row[POINT_STEP],
                                 .loss = row[POINT_LOSS],
                                 .ce = row[POINT_LOSS],
                                 .top1 = row[POINT_TOP1],
                                 .top5 = row[POINT_TOP5],
                                 .learning_rate = row[POINT_RATE],
                                 .images_per_s = row[POINT_SPEED]};
}

static struct tensor table_tensor(const char *name, enum tensor_type type, int64_t rows,
                                  int64_t columns, const void *data) {
    struct tensor tensor = {
        .name = name, .type = type, .rank = 2, .dim = {rows, columns}, .data = data};
    tensor.bytes = (size_t)(rows * columns) * tensor_type_bytes(type);
    return tensor;
}

enum status checkpoint_write(const struct checkpoint *checkpoint, const char *run,
                             const struct params *params, const char *path, struct error *err) {
    struct device *device = params->device;
    struct arena_row row[ARENAS_MAX];
    int arenas = list_arenas(params, row);
    int64_t counter[COUNTER_COUNT] = {checkpoint->step, checkpoint->reproducible,
                                      checkpoint->evaluated};
    double point[2][POINT_COUNT];
    pack_point(&checkpoint->last, point[0]);
    pack_point(&checkpoint->best, point[1]);
    struct tensor tensor[ARENAS_MAX + 3];
    float *host[ARENAS_MAX];
    for (int i = 0; i < arenas; i++) {
        host[i] = xmalloc(row[i].floats * sizeof(float));
        device->backend->download(device, host[i], row[i].device, row[i].floats * sizeof(float));
        tensor[i] = table_tensor(row[i].name, TENSOR_F32, 1, (int64_t)row[i].floats, host[i]);
    }
    tensor[arenas] = table_tensor("counters", TENSOR_I64, 1, COUNTER_COUNT, counter);
    tensor[arenas + 1] = table_tensor("points", TENSOR_F64, 2, POINT_COUNT, point);
    tensor[arenas + 2] =
        table_tensor("tally", TENSOR_F64, CHECKPOINT_TALLIES, TALLY_FIELDS, checkpoint->tally);
    const struct safetensors_note note[] = {
        {"format", "distill-checkpoint-1"}, {"run", run}, {"identity", checkpoint->identity}};
    enum status status = safetensors_write(path, tensor, arenas + 3, note, 3, err);
    for (int i = 0; i < arenas; i++)
        free(host[i]);
    return error_wrap(err, status, "checkpoint");
}

/* The tensor of that name and exactly that shape. */
static enum status find_table(const struct safetensors *file, const struct tensor *like,
                              const struct tensor **out, struct error *err) {
    *out = safetensors_find(file, like->name);
    if (!*out || (*out)->type != like->type || (*out)->rank != 2 ||
        (*out)->dim[0] != like->dim[0] || (*out)->dim[1] != like->dim[1])
        return error_set(err, STATUS_CORRUPT, "checkpoint: tensor %s is missing or misshapen",
                         like->name);
    return STATUS_OK;
}

/* Copies the tensor of that name and shape. */
static enum status read_table(const struct safetensors *file, const struct tensor *like, void *out,
                              struct error *err) {
    const struct tensor *found;
    enum status status = find_table(file, like, &found, err);
    if (!status)
        memcpy(out, found->data, found->bytes);
    return status;
}

static enum status read_arenas(const struct safetensors *file, struct params *params,
                               struct error *err) {
    struct arena_row row[ARENAS_MAX];
    int arenas = list_arenas(params, row);
    const struct tensor *found[ARENAS_MAX];
    for (int i = 0; i < arenas; i++) {
        struct tensor like = table_tensor(row[i].name, TENSOR_F32, 1, (int64_t)row[i].floats, NULL);
        enum status status = find_table(file, &like, &found[i], err);
        if (status)
            return status;
    }
    for (int i = 0; i < arenas; i++)
        params->device->backend->upload(params->device, row[i].device, found[i]->data,
                                        found[i]->bytes);
    return STATUS_OK;
}

static enum status read_tables(struct checkpoint *checkpoint, const struct safetensors *file,
                               struct error *err) {
    int64_t counter[COUNTER_COUNT];
    double point[2][POINT_COUNT];
    const struct {
        struct tensor like;
        void *out;
    } tables[] = {
        {table_tensor("counters", TENSOR_I64, 1, COUNTER_COUNT, NULL), counter},
        {table_tensor("points", TENSOR_F64, 2, POINT_COUNT, NULL), point},
        {table_tensor("tally", TENSOR_F64, CHECKPOINT_TALLIES, TALLY_FIELDS, NULL),
         checkpoint->tally},
    };
    enum status status = STATUS_OK;
    for (int i = 0; i < 3 && !status; i++)
        status = read_table(file, &tables[i].like, tables[i].out, err);
    if (status)
        return status;
    checkpoint->step = counter[COUNTER_STEP];
    checkpoint->reproducible = counter[COUNTER_REPRODUCIBLE] != 0;
    checkpoint->evaluated = counter[COUNTER_EVALUATED] != 0;
    checkpoint->last = unpack_point(point[0]);
    checkpoint->best = unpack_point(point[1]);
    return STATUS_OK;
}

/* The name of the first field or line of run that other has not: "epochs". */
static void name_difference(const char *run, const char *other, char out[ERROR_FIELD_BYTES]) {
    const char *name = run;
    for (size_t i = 0; run[i] && run[i] == other[i]; i++)
        if (run[i] == '\n')
            name = run + i + 1;
        else if (run[i + 1] == '"' && (run[i] == '{' || run[i] == ','))
            name = run + i + 2;
    snprintf(out, ERROR_FIELD_BYTES, "%.*s", (int)strcspn(name, "\":"), name);
}

static enum status refuse_other(const char *run, const char *other, struct error *err) {
    char name[ERROR_FIELD_BYTES];
    name_difference(run, other, name);
    return error_set(err, STATUS_CONFLICT, "the checkpoint belongs to another run: %s differs",
                     name);
}

static enum status check_run(struct checkpoint *checkpoint, const struct safetensors *file,
                             const char *run, struct error *err) {
    const char *of = safetensors_metadata(file, "run");
    const char *identity = safetensors_metadata(file, "identity");
    if (!of || !identity)
        return error_set(err, STATUS_CORRUPT, "checkpoint: its metadata is missing");
    if (!str_equal(of, run))
        return refuse_other(run, of, err);
    str_copy(checkpoint->identity, sizeof checkpoint->identity, identity);
    return STATUS_OK;
}

enum status checkpoint_read(struct checkpoint *checkpoint, const char *run, struct params *params,
                            const char *path, struct error *err) {
    struct safetensors file;
    enum status status = safetensors_open(&file, path, err);
    if (status)
        return status;
    struct checkpoint read = {0};
    status = check_run(&read, &file, run, err);
    if (!status)
        status = read_tables(&read, &file, err);
    if (!status)
        status = read_arenas(&file, params, err);
    safetensors_close(&file);
    if (!status)
        *checkpoint = read;
    return status;
}
