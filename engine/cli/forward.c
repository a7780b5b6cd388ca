/*
 * forward.c - `distill forward`: logits of tensors of a file, for checks against other code.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"
#include "engine/cli/tensors.h"

#include "engine/session/predictor.h"

struct forward_command {
    char model[SPEC_TEXT_BYTES], architecture[MODEL_NAME_BYTES];
    char in[SPEC_TEXT_BYTES], out[SPEC_TEXT_BYTES];
    int device;
    int64_t threads;
};

#define ROW(member) FIELD_MEMBER(struct forward_command, member)

static const struct field rows[] = {
    OPTION_MODEL(struct forward_command),
    {ROW(architecture), .type = FIELD_TEXT, .max = MODEL_NAME_BYTES - 1,
     .doc = "The network, for weights of other programs, which do not name it."},
    {ROW(in), .type = FIELD_TEXT, .max = 500,
     .doc = "A safetensors file with x, f32 [n,h,w,c], normalised as the network takes it."},
    {ROW(out), .type = FIELD_TEXT, .max = 500, .doc = "Receives logits [n,k], as safetensors."},
    OPTION_DEVICE(struct forward_command),
    OPTION_THREADS(struct forward_command),
};
static const struct field_table table = FIELD_TABLE("forward", rows);

static enum status open_predictor(const struct forward_command *command, const struct tensor *x,
                                  struct predictor **out, struct error *err) {
    struct loaded_model model = {0};
    enum status status = tensors_model(&model, command->model, command->architecture, x, err);
    return status ? status
                  : predictor_own(out, &model, (enum device_kind)command->device,
                                  (int)command->threads, PRECISION_F32, err);
}

static enum status compute(struct predictor *predictor, const struct tensor *x, const char *path,
                           struct error *err) {
    int n = (int)x->dim[0], classes = predictor_info(predictor)->classes;
    float *data = NULL;
    void *logits = NULL;
    enum status status = tensors_floats(x, &data, err);
    if (!status)
        status =
            mem_alloc_large(&logits, (size_t)n * (size_t)classes * sizeof(float), "logits", err);
    if (!status)
        status = predictor_forward(predictor, data, n, logits, err);
    if (!status) {
        struct tensor result = tensors_of_f32("logits", logits, n, classes);
        status = safetensors_write(path, &result, 1, NULL, 0, err);
    }
    mem_free_large(data);
    mem_free_large(logits);
    return status;
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct forward_command *command = options;
    struct predictor *predictor = NULL;
    struct safetensors in = {0};
    const struct tensor *x = NULL;
    (void)names;
    enum status status = safetensors_open(&in, command->in, err);
    if (!status)
        status = tensors_find(&in, "x", 4, &x, err);
    if (!status)
        status = open_predictor(command, x, &predictor, err);
    if (!status)
        status = compute(predictor, x, command->out, err);
    if (!status) {
        struct line line = {0};
        line_integer(&line, "rows", x->dim[0]);
        line_integer(&line, "classes", predictor_info(predictor)->classes);
        line_print(&line);
    }
    predictor_free(predictor);
    safetensors_close(&in);
    return status;
}

const struct command command_forward = {
    .name = "forward",
    .sentence = "Computes a network's logits of given inputs.",
    .required = {"model", "in", "out"},
    .table = &table,
    .options_bytes = sizeof(struct forward_command),
    .run = run,
};
