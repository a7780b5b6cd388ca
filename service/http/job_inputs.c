#include "service/http/job_inputs.h"

#include "api/limits.h"
#include "engine/model/model_file.h"
#include "engine/model/network.h"
#include "engine/session/evaluator.h"
#include "engine/spec/train_input.h"
#include "service/store/checkpoints.h"
#include "service/store/space.h"
#include "service/store/suggest.h"

/* What is not there, or damaged, is a wrong value of the field that named it. */
static enum status blame(enum status status, const char *field, struct error *err) {
    if (status == STATUS_NOT_FOUND || status == STATUS_CORRUPT || status == STATUS_INVALID) {
        struct error cause = *err;
        return error_set_field(err, STATUS_INVALID, field, "%s", cause.message);
    }
    return status;
}

/* The pictures that the job of this spec trains on, and how they are resized. */
static enum status plan_input(struct dataset_entry *entry, struct train_input *input,
                              const char *data, const struct train_spec *made_by,
                              struct error *err) {
    enum status status = datasets_find(entry, data, made_by->dataset, err);
    return status ? status
                  : train_input_of(input, made_by, (int)entry->card.height, (int)entry->card.width,
                                   err);
}

/* What a model will be like once the job of this spec has made it. */
static enum status plan_model(struct model *model, const char *data, const char *id,
                              const struct train_spec *made_by, struct error *err) {
    struct dataset_entry entry = {0};
    struct train_input input = {.shorter = 0};
    enum status status = plan_input(&entry, &input, data, made_by, err);
    if (!status) {
        *model = (struct model){.card = {.height = input.height,
                                         .width = input.width,
                                         .channels = entry.card.channels,
                                         .classes = entry.card.classes}};
        str_copy(model->card.id, sizeof model->card.id, id);
        str_copy(model->card.architecture, sizeof model->card.architecture, made_by->student);
    }
    dataset_entry_release(&entry);
    return status;
}

/* Weights that a job kept on its way, as far as a model's card is needed to compare them. */
static enum status find_checkpoint(struct model *model, const char *data, const char *id,
                                   struct error *err) {
    struct safetensors file = {0};
    struct model_info info = {0};
    *model = (struct model){0};
    enum status status = checkpoint_find(model->folder, data, id, err);
    if (!status)
        status = safetensors_open(&file, model->folder, err);
    if (!status)
        status = model_info_read(&info, &file, err);
    if (!status) {
        str_copy(model->card.id, sizeof model->card.id, id);
        model->card.height = info.height;
        model->card.width = info.width;
        model->card.channels = info.channels;
        model->card.classes = info.classes;
    }
    model_info_release(&info);
    safetensors_close(&file);
    return status;
}

static enum status find_model(struct model *model, const char *data, const char *field,
                              const char *id, const struct train_spec *made_by, struct error *err) {
    char job_id[ID_BYTES];
    int64_t step;
    if (!id[0])
        return STATUS_OK;
    if (made_by)
        return blame(plan_model(model, data, id, made_by, err), field, err);
    if (str_equal(field, "init") && checkpoint_id_parse(id, job_id, &step))
        return blame(find_checkpoint(model, data, id, err), field, err);
    return blame(models_find(model, data, id, err), field, err);
}

/* The model takes the data set's pictures and tells apart as many classes. */
static enum status check_fit(const struct model *model, const struct dataset_card *dataset,
                             const struct train_input *input, const char *field,
                             struct error *err) {
    const struct model_card *card = &model->card;
    if (!card->id[0] || (card->height == input->height && card->width == input->width &&
                         card->channels == dataset->channels && card->classes == dataset->classes))
        return STATUS_OK;
    return error_set_field(
        err, STATUS_INVALID, field,
        "%s takes %lldx%lldx%lld and has %lld classes; data set %s gives %dx%dx%lld with %lld",
        card->id, (long long)card->height, (long long)card->width, (long long)card->channels,
        (long long)card->classes, dataset->name, input->height, input->width,
        (long long)dataset->channels, (long long)dataset->classes);
}

static enum status check_student(const struct train_spec *spec, const struct dataset_card *dataset,
                                 const struct train_input *input, struct error *err) {
    struct network network = {0};
    struct network_size size = {input->height, input->width, (int)dataset->channels,
                                (int)dataset->classes};
    enum status status = network_init(&network, spec->student, size, spec->decay_all, err);
    bool fits = status == STATUS_OK;
    if (fits)
        status = network_check_drop_path(&network, spec->drop_path, err);
    network_release(&network);
    return fits ? status : blame(status, "student", err);
}

/* ---- jobs that train ---- */

/* The curve is kept in Redis, and a client chooses how dense it is. */
static enum status check_points(const struct train_spec *spec, const struct dataset_card *dataset,
                                struct error *err) {
    bool limited = spec->train_limit && spec->train_limit < dataset->train_count;
    int64_t pictures = limited ? spec->train_limit : dataset->train_count;
    int64_t steps = (pictures + spec->batch_size - 1) / spec->batch_size;
    int64_t every = spec->report_every ? spec->report_every : (steps + 9) / 10;
    int64_t points = every ? (steps + every - 1) / every + 1 : 0; /* and one of the evaluation */
    if (points <= LIMIT_JOB_POINTS / spec->epochs)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "report_every",
                           "report_every: %lld epochs of %lld points would be more than %d points",
                           (long long)spec->epochs, (long long)points, LIMIT_JOB_POINTS);
}

static enum status find_for_training(struct job_inputs *inputs, const char *data,
                                     const struct train_spec *spec, const struct job_needs *needs,
                                     struct error *err) {
    const struct dataset_card *dataset = &inputs->dataset.card;
    struct train_input input = {.shorter = 0};
    enum status status =
        find_model(&inputs->teacher, data, "teacher", spec->teacher, needs->teacher, err);
    if (!status)
        status = find_model(&inputs->init, data, "init", spec->init, needs->init, err);
    if (!status)
        status = train_input_of(&input, spec, (int)dataset->height, (int)dataset->width, err);
    if (!status)
        status = train_input_check_channels(spec, (int)dataset->channels, err);
    if (!status)
        status = check_student(spec, dataset, &input, err);
    if (!status)
        status = check_fit(&inputs->teacher, dataset, &input, "teacher", err);
    if (!status)
        status = check_fit(&inputs->init, dataset, &input, "init", err);
    return status ? status : check_points(spec, dataset, err);
}

/* ---- jobs that predict ---- */

/* The input of a model that is there. */
static enum status read_info(struct model_info *info, const struct model *model,
                             struct error *err) {
    struct safetensors file = {0};
    enum status status = safetensors_open(&file, model->weights, err);
    if (!status)
        status = model_info_read(info, &file, err);
    safetensors_close(&file);
    return status;
}

/* That of one that a job has yet to make. */
static enum status plan_info(struct model_info *info, const struct model *model, const char *data,
                             const struct train_spec *made_by, struct error *err) {
    struct dataset_entry entry = {0};
    struct train_input input = {.shorter = 0};
    enum status status = plan_input(&entry, &input, data, made_by, err);
    *info = (struct model_info){.height = input.height,
                                .width = input.width,
                                .channels = (int)model->card.channels,
                                .classes = (int)model->card.classes,
                                .resize_size = input.shorter};
    dataset_entry_release(&entry);
    return status;
}

static enum status check_prediction(const struct model_info *info,
                                    const struct dataset_card *dataset, struct error *err) {
    const struct network_size pictures = {(int)dataset->height, (int)dataset->width,
                                          (int)dataset->channels, (int)dataset->classes};
    return evaluator_check(info, pictures, err);
}

/* What is written grows with both, and a client chooses both. */
static enum status check_split(const struct dataset_card *dataset, const struct train_spec *spec,
                               struct error *err) {
    int64_t count = spec->split == SPLIT_TEST ? dataset->test_count : dataset->train_count;
    int64_t most = LIMIT_PREDICTIONS_BYTES / (int64_t)sizeof(float) / dataset->classes;
    if (count == 0)
        return error_set_field(err, STATUS_INVALID, "split", "the data set has no such pictures");
    if (count > most)
        return error_set_field(err, STATUS_INVALID, "split",
                               "at most %lld pictures of %lld classes are predicted at a time",
                               (long long)most, (long long)dataset->classes);
    return STATUS_OK;
}

static enum status find_for_prediction(struct job_inputs *inputs, const char *data,
                                       const struct train_spec *spec, const struct job_needs *needs,
                                       struct error *err) {
    const struct dataset_card *dataset = &inputs->dataset.card;
    struct model_info info = {0};
    enum status status = find_model(&inputs->model, data, "model", spec->model, needs->model, err);
    if (!status)
        status = needs->model ? plan_info(&info, &inputs->model, data, needs->model, err)
                              : read_info(&info, &inputs->model, err);
    status = blame(status, "model", err);
    if (!status)
        status = blame(check_prediction(&info, dataset, err), "model", err);
    model_info_release(&info);
    return status ? status : check_split(dataset, spec, err);
}

/* ---- both ---- */

enum status job_inputs_find(struct job_inputs *inputs, const char *data,
                            const struct train_spec *spec, const struct job_needs *needs,
                            struct error *err) {
    struct error own; /* blame() reads it */
    bool predicts = spec->method == METHOD_PREDICT;
    *inputs = (struct job_inputs){0};
    enum status status = datasets_find(&inputs->dataset, data, spec->dataset, &own);
    if (status == STATUS_NOT_FOUND)
        suggest_dataset(data, spec->dataset, &own);
    status = blame(status, "dataset", &own);
    if (!status)
        status = predicts ? find_for_prediction(inputs, data, spec, needs, &own)
                          : find_for_training(inputs, data, spec, needs, &own);
    if (!status)
        return STATUS_OK;
    if (err)
        *err = own;
    job_inputs_release(inputs);
    return status;
}

void job_inputs_release(struct job_inputs *inputs) {
    dataset_entry_release(&inputs->dataset);
    model_release(&inputs->teacher);
    model_release(&inputs->init);
    model_release(&inputs->model);
}

void job_inputs_add_range(const char *field, struct str *out) {
    if (str_equal(field, "dataset")) {
        str_add(out, "the name of a registered data set");
    } else if (str_equal(field, "student")) {
        str_add(out, "one of ");
        zoo_add_names(out);
    } else if (str_equal(field, "teacher") || str_equal(field, "init") ||
               str_equal(field, "model")) {
        str_add(out, "the id or alias of a model for this data set's pictures and classes");
    }
}

static enum status estimate_prediction(const struct job_inputs *inputs,
                                       const struct train_spec *spec,
                                       struct train_estimate *estimate, struct error *err) {
    const struct dataset_card *dataset = &inputs->dataset.card;
    struct loaded_model model = {0};
    enum status status = model_load(&model, inputs->model.folder, err);
    if (status)
        return blame(status, "model", err);
    struct predictor_cost cost = predictor_cost(&model, (enum precision)spec->precision);
    *estimate = (struct train_estimate){
        .student_parameters = param_table_learnable(&model.network.table),
        .flops_per_step = cost.flops,
        .steps = evaluator_batches(spec->split == SPLIT_TEST ? dataset->test_count
                                                             : dataset->train_count),
        .memory_bytes = cost.bytes,
    };
    loaded_model_release(&model);
    return STATUS_OK;
}

enum status job_inputs_estimate(const struct job_inputs *inputs, const struct train_spec *spec,
                                struct train_estimate *estimate, struct error *err) {
    if (spec->method == METHOD_PREDICT)
        return estimate_prediction(inputs, spec, estimate, err);
    struct train_job job = {
        .spec = spec,
        .dataset_folder = inputs->dataset.folder,
        .teacher_path = inputs->teacher.card.id[0] ? inputs->teacher.folder : NULL,
        .init_path = inputs->init.card.id[0] ? inputs->init.folder : NULL,
    };
    enum status status = trainer_estimate(&job, estimate, err);
    if (status != STATUS_NOT_FOUND)
        return status;
    bool no_teacher = job.teacher_path && !file_exists(inputs->teacher.weights);
    return blame(status, no_teacher ? "teacher" : "dataset", err);
}

enum status job_inputs_check_room(const struct config *config, const struct train_spec *spec,
                                  struct error *err) {
    enum status status = space_check(config->data, config->min_free_bytes, err);
    if (!status && spec->method < METHOD_LOSSES) /* it will make one */
        status = space_check_count(config->data, "models", LIMIT_MODELS, err);
    return status;
}
