#include "engine/spec/train_spec.h"

#include "engine/spec/train_input.h"

#include <math.h>

#define LOSSES "ce", "kd", "ttm", "wttm"
const char *const method_names[] = {LOSSES, "predict", NULL};
const char *const loss_names[] = {LOSSES, NULL};
const char *const optimizer_names[] = {"sgd", "adamw", NULL};
const char *const precision_names[] = {"f32", "bf16", "tf32", NULL};
const char *const device_names[] = {"auto", "cpu", "ref", "cuda", NULL};
const char *const graph_names[] = {"on", "off", NULL};
const char *const split_names[] = {"test", "train", NULL};
const char *const interpolation_names[] = {"bilinear", "bicubic", NULL};

/* A field of every job, of those that train, and of those that predict. */
#define ROW(member) FIELD_MEMBER(struct train_spec, member)
#define TRAINING(member) ROW(member), .variants = (1u << METHOD_LOSSES) - 1
#define PREDICTION(member) ROW(member), .variants = 1u << METHOD_PREDICT

/* The defaults are the published CIFAR-100 recipe. Whole numbers stay below 2^53, so that every
 * JSON reader holds them exactly. */
static const struct field rows[] = {
    {ROW(method), .type = FIELD_ENUM, .choices = method_names, .fallback = "ce",
     .doc = "Plain training (ce), distillation by KD, TTM or WTTM, or prediction with a model."},
    {TRAINING(teacher), .type = FIELD_TEXT, .max = 500,
     .doc = "Model to learn from: an id or alias, at the command line a folder or .safetensors."},
    {TRAINING(student), .type = FIELD_TEXT, .min = 1, .max = 500, .flags = FIELD_REQUIRED,
     .doc = "Architecture to train, for example resnet8x4."},
    {ROW(dataset), .type = FIELD_TEXT, .min = 1, .max = 500, .flags = FIELD_REQUIRED,
     .doc = "Registered data set, at the command line a folder."},
    {PREDICTION(model), .type = FIELD_TEXT, .min = 1, .max = 500,
     .flags = FIELD_REQUIRED | FIELD_UNHASHED | FIELD_JOB,
     .doc = "Model to predict with: an id or alias, or the id of the job that makes it."},
    {PREDICTION(split), .type = FIELD_ENUM, .choices = split_names, .fallback = "test",
     .flags = FIELD_UNHASHED | FIELD_JOB, .doc = "Part of the data set that is predicted."},
    {TRAINING(init), .type = FIELD_TEXT, .max = 500,
     .doc = "Model whose weights to start from; random weights without it."},
    {TRAINING(temperature), .type = FIELD_FLOAT, .min = 1, .max = 1000,
     .doc = "Temperature of the teacher, and for kd of the student."},
    {TRAINING(gamma), .type = FIELD_FLOAT, .min = 0.001, .max = 1, .flags = FIELD_OR_PREVIOUS,
     .doc = "Exponent of the power transform, 1 / temperature; instead of temperature."},
    {TRAINING(beta), .type = FIELD_FLOAT, .min = 0, .max = 1e6,
     .doc = "Weight of the distillation loss; kd: 0.9 if not given."},
    {TRAINING(ce_weight), .type = FIELD_FLOAT, .min = 0, .max = 1e6,
     .doc = "Weight of the cross entropy with the labels; 1 if not given, kd: 0.1."},
    {TRAINING(label_smoothing), .type = FIELD_FLOAT, .min = 0, .max = 1, .fallback = "0",
     .flags = FIELD_MAX_OPEN, .doc = "Share of the label that is spread over all classes."},
    {TRAINING(drop_path), .type = FIELD_FLOAT, .min = 0, .max = 1, .fallback = "0",
     .flags = FIELD_MAX_OPEN,
     .doc = "Share of pictures that the last residual branch leaves out; transformers only."},
    {TRAINING(epochs), .type = FIELD_INT, .min = 1, .max = 100000, .fallback = "240",
     .doc = "How often the student sees every picture."},
    {TRAINING(batch_size), .type = FIELD_INT, .min = 1, .max = 4096, .fallback = "64",
     .doc = "Pictures in a step; the last step of an epoch takes what is left."},
    {TRAINING(optimizer), .type = FIELD_ENUM, .choices = optimizer_names, .fallback = "sgd",
     .doc = "Rule that turns gradients into steps."},
    {TRAINING(learning_rate), .type = FIELD_FLOAT, .min = 0, .max = 100, .fallback = "0.05",
     .flags = FIELD_MIN_OPEN, .doc = "Learning rate after the warm-up."},
    {TRAINING(weight_decay), .type = FIELD_FLOAT, .min = 0, .max = 1, .fallback = "0.0005",
     .doc = "Weight decay; sgd adds it to the gradient, adamw takes it off the weights."},
    {TRAINING(momentum), .type = FIELD_FLOAT, .min = 0, .max = 1, .flags = FIELD_MAX_OPEN,
     .doc = "Momentum of sgd; 0.9 if not given."},
    {TRAINING(nesterov), .type = FIELD_BOOL, .fallback = "false",
     .doc = "Nesterov momentum of sgd."},
    {TRAINING(beta1), .type = FIELD_FLOAT, .min = 0, .max = 1, .flags = FIELD_MAX_OPEN,
     .doc = "Decay of adamw's mean of gradients; 0.9 if not given."},
    {TRAINING(beta2), .type = FIELD_FLOAT, .min = 0, .max = 1, .flags = FIELD_MAX_OPEN,
     .doc = "Decay of adamw's mean of squared gradients; 0.999 if not given."},
    {TRAINING(epsilon), .type = FIELD_FLOAT, .min = 0, .max = 1, .flags = FIELD_MIN_OPEN,
     .doc = "What adamw adds to the root it divides by; 1e-8 if not given."},
    {TRAINING(clip_norm), .type = FIELD_FLOAT, .min = 0, .max = 1e6, .fallback = "0",
     .doc = "Largest norm of all gradients together, which are scaled to it; 0: no limit."},
    {TRAINING(decay_all), .type = FIELD_BOOL, .fallback = "true",
     .doc = "Whether weight decay acts on batch norm and biases too."},
    {TRAINING(schedule), .type = FIELD_ENUM,
     .choices = FIELD_WORDS("multistep", "cosine", "constant"), .fallback = "multistep",
     .doc = "How the learning rate falls."},
    {TRAINING(milestones), .type = FIELD_INTS, .min = 1, .max = 100000, .fallback = "150,180,210",
     .doc = "Epochs after which multistep multiplies the rate by rate_factor, rising."},
    {TRAINING(rate_factor), .type = FIELD_FLOAT, .min = 0, .max = 1, .fallback = "0.1",
     .flags = FIELD_MIN_OPEN, .doc = "Factor of the learning rate at each milestone."},
    {TRAINING(warmup_epochs), .type = FIELD_FLOAT, .min = 0, .max = 100000, .fallback = "0",
     .doc = "Epochs over which the rate rises linearly at the start, step by step."},
    {TRAINING(warmup_factor), .type = FIELD_FLOAT, .min = 0, .max = 1,
     .doc = "Share of the rate in the first step; not given: one over the steps of the warm-up."},
    {TRAINING(min_learning_rate), .type = FIELD_FLOAT, .min = 0, .max = 100, .fallback = "0",
     .doc = "Where the cosine schedule ends."},
    {TRAINING(image_size), .type = FIELD_INT, .min = 0, .max = 1024, .fallback = "0",
     .doc = "Side of the pictures the student gets, 16 or more; 0: as they are, 224 if they differ "
            "in size."},
    {TRAINING(resize_size), .type = FIELD_INT, .min = 0, .max = 2048, .fallback = "0",
     .doc = "Shorter side of a picture whose middle is evaluated; 0: image_size * 256 / 224."},
    {TRAINING(interpolation), .type = FIELD_ENUM, .choices = interpolation_names,
     .fallback = "bilinear", .doc = "How pictures are resized, antialiased."},
    {TRAINING(augment), .type = FIELD_ENUM, .choices = FIELD_WORDS("standard", "none"),
     .fallback = "standard", .doc = "Pictures changed at random as below, or as in evaluation."},
    {TRAINING(crop_padding), .type = FIELD_INT, .min = 0, .max = 16, .fallback = "4",
     .doc = "Pixels of black around a picture before it is cropped at random; pictures that are "
            "resized are cropped without."},
    {TRAINING(flip), .type = FIELD_BOOL, .fallback = "true",
     .doc = "Whether every other picture is mirrored, at random."},
    {TRAINING(rand_augment), .type = FIELD_INT, .min = 0, .max = 16, .fallback = "0",
     .doc = "Ops of RandAugment for a picture, each done one time of two; 0: none."},
    {TRAINING(rand_augment_magnitude), .type = FIELD_FLOAT, .min = 0, .max = 10, .fallback = "9",
     .doc = "Strength of these ops."},
    {TRAINING(rand_augment_std), .type = FIELD_FLOAT, .min = 0, .max = 10, .fallback = "0.5",
     .doc = "Standard deviation of their strength."},
    {TRAINING(erase), .type = FIELD_FLOAT, .min = 0, .max = 1, .fallback = "0",
     .doc = "Probability that a box of a picture becomes noise (RandomErasing)."},
    {TRAINING(shuffle), .type = FIELD_BOOL, .fallback = "true",
     .doc = "Whether each epoch has an order of its own."},
    {TRAINING(train_limit), .type = FIELD_INT, .min = 0, .max = 1e9, .fallback = "0",
     .doc = "Use only the first so many training pictures; 0: all."},
    {TRAINING(test_limit), .type = FIELD_INT, .min = 0, .max = 1e9, .fallback = "0",
     .doc = "Use only the first so many test pictures; 0: all."},
    {TRAINING(seed), .type = FIELD_INT, .min = 0, .max = 9007199254740991, .fallback = "1",
     .doc = "Seed of the weights and of what is random inside the network."},
    {TRAINING(data_seed), .type = FIELD_INT, .min = -1, .max = 9007199254740991, .fallback = "-1",
     .doc = "Seed of order and augmentation; -1: the same as seed."},
    {ROW(threads), .type = FIELD_INT, .min = 1, .max = 256, .fallback = "2",
     .doc = "Threads of the CPU backend; part of the result, as sums depend on it."},
    {ROW(precision), .type = FIELD_ENUM, .choices = precision_names, .fallback = "f32",
     .doc =
         "Numbers to compute with; weights, statistics and loss are always f32. tf32 is f32 whose "
         "products round their operands to 10 bits, and is for device cuda alone."},
    {ROW(device), .type = FIELD_ENUM, .choices = device_names, .fallback = "auto",
     .flags = FIELD_UNHASHED, .doc = "Backend to run on."},
    {TRAINING(report_every), .type = FIELD_INT, .min = 0, .max = 1e9, .fallback = "0",
     .flags = FIELD_UNHASHED, .doc = "Steps between train points; 0: a tenth of an epoch."},
    {TRAINING(checkpoint_every), .type = FIELD_INT, .min = 0, .max = 1e9, .fallback = "0",
     .flags = FIELD_UNHASHED, .doc = "Steps between checkpoints; 0: every epoch."},
    {ROW(name), .type = FIELD_TEXT, .max = 120, .flags = FIELD_UNHASHED | FIELD_JOB,
     .doc = "Name of the job and its model, for people."},
    {ROW(tags), .type = FIELD_TEXTS, .min = 1, .max = 63, .flags = FIELD_UNHASHED | FIELD_JOB,
     .doc = "Words to find the job by."},
    {ROW(priority), .type = FIELD_INT, .min = 0, .max = 9, .fallback = "0",
     .flags = FIELD_UNHASHED | FIELD_JOB, .doc = "Jobs of a higher priority run first."},
    {TRAINING(keep_checkpoints), .type = FIELD_INT, .min = 0, .max = 100, .fallback = "0",
     .flags = FIELD_UNHASHED | FIELD_JOB,
     .doc = "Keep the weights of the last so many checkpoints as files of their own."},
    {ROW(depends_on), .type = FIELD_TEXTS, .min = 1, .max = 63, .flags = FIELD_UNHASHED | FIELD_JOB,
     .doc = "Ids of jobs that must have succeeded before it starts."},
    {ROW(max_runtime_s), .type = FIELD_INT, .min = 0, .max = 1e9, .fallback = "0",
     .flags = FIELD_UNHASHED | FIELD_JOB,
     .doc = "Seconds it may run, in all attempts together; 0: no limit."},
    {ROW(deadline), .type = FIELD_TEXT, .max = 63, .flags = FIELD_UNHASHED | FIELD_JOB,
     .doc = "Time by which it must have ended, RFC 3339."},
    {ROW(out), .type = FIELD_TEXT, .max = 500, .flags = FIELD_UNHASHED | FIELD_CLI,
     .doc = "Folder that receives checkpoint and model."},
    {ROW(resume), .type = FIELD_BOOL, .fallback = "false", .flags = FIELD_UNHASHED | FIELD_CLI,
     .doc = "Whether to go on from the checkpoint in out, if there is one."},
    {ROW(graph), .type = FIELD_ENUM, .choices = graph_names, .fallback = "on",
     .flags = FIELD_UNHASHED | FIELD_CLI,
     .doc = "Whether a GPU replays recorded steps; the result is the same."},
    {ROW(recipe), .type = FIELD_TEXT, .max = 500, .flags = FIELD_UNHASHED | FIELD_CLI,
     .doc = "File of key=value lines to start from; the command line wins."},
};

const struct field_table train_spec_table = FIELD_TABLE("job", rows);

/* What a method fills in where nothing was given; NaN: the user must say. */
static const struct {
    double temperature, beta, ce_weight;
} method_defaults[METHOD_LOSSES] = {
    [METHOD_CE] = {NAN, NAN, 1},
    [METHOD_KD] = {4, 0.9, 0.1},
    [METHOD_TTM] = {NAN, NAN, 1},
    [METHOD_WTTM] = {NAN, NAN, 1},
};

/* Numbers that belong to one optimiser, which fills in what was not given. */
static const struct optimizer_field {
    size_t offset;
    const char *name;
    int optimizer;
    double normal;
} optimizer_fields[] = {
    {offsetof(struct train_spec, momentum), "momentum", OPTIMIZER_SGD, 0.9},
    {offsetof(struct train_spec, beta1), "beta1", OPTIMIZER_ADAMW, 0.9},
    {offsetof(struct train_spec, beta2), "beta2", OPTIMIZER_ADAMW, 0.999},
    {offsetof(struct train_spec, epsilon), "epsilon", OPTIMIZER_ADAMW, 1e-8},
};

/* ---- finishing ---- */

static enum status refuse(const struct train_spec *spec, const char *field, bool given,
                          struct error *err) {
    return given ? error_set_field(err, STATUS_INVALID, field, "%s is not for method %s", field,
                                   method_names[spec->method])
                 : STATUS_OK;
}

static enum status finish_plain(const struct train_spec *spec, struct error *err) {
    const struct {
        const char *field;
        bool given;
    } distillation[] = {
        {"teacher", spec->teacher[0]},
        {"temperature", !isnan(spec->temperature)},
        {"gamma", !isnan(spec->gamma)},
        {"beta", !isnan(spec->beta)},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < sizeof distillation / sizeof distillation[0]; i++)
        status = refuse(spec, distillation[i].field, distillation[i].given, err);
    return status;
}

/* Both may stand here only because an earlier call filled one from the other. */
static enum status finish_temperature(struct train_spec *spec, struct error *err) {
    bool has_temperature = !isnan(spec->temperature), has_gamma = !isnan(spec->gamma);
    if (!has_temperature && !has_gamma)
        return error_set_field(err, STATUS_INVALID, "temperature",
                               "temperature (or gamma) is required for method %s",
                               method_names[spec->method]);
    if (has_temperature && has_gamma && spec->gamma != 1 / spec->temperature &&
        spec->temperature != 1 / spec->gamma)
        return error_set_field(err, STATUS_INVALID, "gamma",
                               "gamma %g contradicts temperature %g: give only one", spec->gamma,
                               spec->temperature);
    if (!has_temperature)
        spec->temperature = 1 / spec->gamma;
    if (!has_gamma)
        spec->gamma = 1 / spec->temperature;
    return STATUS_OK;
}

static enum status require(const struct train_spec *spec, const char *field, bool given,
                           struct error *err) {
    return given ? STATUS_OK
                 : error_set_field(err, STATUS_INVALID, field, "%s is required for method %s",
                                   field, method_names[spec->method]);
}

static enum status finish_distillation(struct train_spec *spec, struct error *err) {
    enum status status = require(spec, "teacher", spec->teacher[0], err);
    if (!status && isnan(spec->temperature) && isnan(spec->gamma))
        spec->temperature = method_defaults[spec->method].temperature;
    if (!status)
        status = finish_temperature(spec, err);
    if (!status && isnan(spec->beta))
        spec->beta = method_defaults[spec->method].beta;
    return status ? status : require(spec, "beta", !isnan(spec->beta), err);
}

static enum status finish_loss(struct train_spec *spec, struct error *err) {
    enum status status =
        spec->method == METHOD_CE ? finish_plain(spec, err) : finish_distillation(spec, err);
    if (status)
        return status;
    if (isnan(spec->ce_weight))
        spec->ce_weight = method_defaults[spec->method].ce_weight;
    if (spec->ce_weight == 0 && !(spec->beta > 0))
        return error_set_field(err, STATUS_INVALID, "ce_weight",
                               "ce_weight 0 without distillation leaves nothing to learn from");
    return STATUS_OK;
}

static enum status refuse_optimizer(const char *field, int optimizer, struct error *err) {
    return error_set_field(err, STATUS_INVALID, field, "%s is not for optimizer %s", field,
                           optimizer_names[optimizer]);
}

static enum status finish_optimizer(struct train_spec *spec, struct error *err) {
    for (size_t i = 0; i < sizeof optimizer_fields / sizeof optimizer_fields[0]; i++) {
        const struct optimizer_field *field = &optimizer_fields[i];
        double *value = (double *)(void *)((char *)spec + field->offset);
        if (!isnan(*value) && field->optimizer != spec->optimizer)
            return refuse_optimizer(field->name, spec->optimizer, err);
        if (isnan(*value) && field->optimizer == spec->optimizer)
            *value = field->normal;
    }
    if (spec->nesterov && spec->optimizer != OPTIMIZER_SGD)
        return refuse_optimizer("nesterov", spec->optimizer, err);
    if (spec->nesterov && spec->momentum == 0)
        return error_set_field(err, STATUS_INVALID, "nesterov",
                               "nesterov needs a momentum above 0, not 0");
    return STATUS_OK;
}

static enum status check_milestones(const struct int_list *milestones, struct error *err) {
    for (int i = 1; i < milestones->count; i++)
        if (milestones->item[i] <= milestones->item[i - 1])
            return error_set_field(
                err, STATUS_INVALID, "milestones", "milestones must rise, but %lld follows %lld",
                (long long)milestones->item[i], (long long)milestones->item[i - 1]);
    return STATUS_OK;
}

static enum status check_sizes(const struct train_spec *spec, struct error *err) {
    if (spec->image_size && spec->image_size < IMAGE_SIZE_MIN)
        return error_set_field(err, STATUS_INVALID, "image_size",
                               "image_size must be 0 or %d to %d, not %lld", IMAGE_SIZE_MIN,
                               IMAGE_SIZE_MAX, (long long)spec->image_size);
    if (spec->resize_size && spec->resize_size < spec->image_size)
        return error_set_field(err, STATUS_INVALID, "resize_size",
                               "resize_size must be at least image_size, %lld, not %lld",
                               (long long)spec->image_size, (long long)spec->resize_size);
    return STATUS_OK;
}

static enum status check_schedule(const struct train_spec *spec, struct error *err) {
    if (spec->warmup_epochs > (double)spec->epochs)
        return error_set_field(err, STATUS_INVALID, "warmup_epochs",
                               "warmup_epochs must be at most epochs, %lld, not %g",
                               (long long)spec->epochs, spec->warmup_epochs);
    if (spec->schedule == SCHEDULE_COSINE && spec->min_learning_rate > spec->learning_rate)
        return error_set_field(err, STATUS_INVALID, "min_learning_rate",
                               "min_learning_rate must be at most learning_rate, %g, not %g",
                               spec->learning_rate, spec->min_learning_rate);
    return check_milestones(&spec->milestones, err);
}

enum status train_spec_check_precision(int precision, int device, struct error *err) {
    if (precision != PRECISION_TF32 || device == DEVICE_CUDA)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "precision",
                           "precision tf32 is for device cuda alone; give device=cuda, or f32");
}

static enum status finish_training(struct train_spec *spec, struct error *err) {
    enum status status = finish_loss(spec, err);
    if (!status)
        status = finish_optimizer(spec, err);
    if (!status)
        status = check_schedule(spec, err);
    if (!status)
        status = check_sizes(spec, err);
    if (status)
        return status;
    if (spec->data_seed < 0)
        spec->data_seed = spec->seed;
    if (spec->augment == AUGMENT_NONE) {
        spec->crop_padding = 0;
        spec->flip = false;
        spec->rand_augment = 0;
        spec->erase = 0;
    }
    return STATUS_OK;
}

enum status train_spec_finish(struct train_spec *spec, struct error *err) {
    enum status status = fields_check_required(&train_spec_table, spec, err);
    if (!status && spec->method == METHOD_PREDICT)
        spec->epochs = 1; /* every picture once */
    else if (!status)
        status = finish_training(spec, err);
    return status ? status : train_spec_check_precision(spec->precision, spec->device, err);
}

void train_spec_add_canonical(const struct train_spec *spec, struct str *out) {
    fields_add_json(&train_spec_table, spec, FIELD_UNHASHED, out);
}

void train_spec_add_json(const struct train_spec *spec, struct str *out) {
    fields_add_json(&train_spec_table, spec, FIELD_CLI, out);
}
