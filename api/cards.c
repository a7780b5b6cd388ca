#include "api/cards.h"

#include "api/codec.h"
#include "api/json_internal.h"

#include <math.h>
#include <string.h>

#define TEXT(member, sentence)                                                                     \
    { ROW(member), .type = FIELD_TEXT, .max = CARD_TEXT_BYTES - 1, .doc = sentence }
#define ALWAYS(member, sentence)                                                                   \
    {                                                                                              \
        ROW(member), .type = FIELD_TEXT, .min = 1, .max = CARD_TEXT_BYTES - 1,                     \
                     .flags = FIELD_REQUIRED, .doc = sentence                                      \
    }
#define INT(member, least, sentence)                                                               \
    { ROW(member), .type = FIELD_INT, .min = least, .max = 1e15, .doc = sentence }
#define FLOAT(member, least, most, sentence)                                                       \
    { ROW(member), .type = FIELD_FLOAT, .min = least, .max = most, .doc = sentence }

#define ROW(member) FIELD_MEMBER(struct model_card, member)
static const struct field model_rows[] = {
    ALWAYS(id, "Id of the model."),
    TEXT(name, "Name of the job that trained it, or as uploaded; null without one."),
    TEXT(job, "Id of the job that trained it, null if none did."),
    ALWAYS(created, "When it was finished or uploaded."),
    ALWAYS(architecture, "Architecture, as in a job's student."),
    TEXT(dataset, "Data set it was trained on."),
    TEXT(method, "Method it was trained with."),
    TEXT(teacher, "Model it learnt from, null for ce."),
    TEXT(precision, "Precision it was trained with."),
    INT(height, 1, "Height of the input in pixels."),
    INT(width, 1, "Width of the input in pixels."),
    INT(channels, 1, "Channels of the input: 1 grey, 3 colour."),
    INT(classes, 1, "Number of classes."),
    INT(parameters, 0, "Trained parameters."),
    INT(weights_bytes, 0, "Size of the weights file."),
    ALWAYS(weights_sha256, "SHA-256 of the weights file."),
    INT(epoch, 0, "Epoch whose weights these are: the last; 0: uploaded."),
    FLOAT(loss, -INFINITY, INFINITY, "Loss on the test split."),
    FLOAT(top1, 0, 1, "Share of test pictures classified rightly."),
    FLOAT(top5, 0, 1, "Share of test pictures with the right class among the best five."),
    INT(best_epoch, 0, "Epoch with the best top1."),
    FLOAT(best_top1, 0, 1, "Its top1."),
    {ROW(reproducible), .type = FIELD_BOOL, .fallback = "true",
     .doc = "False if the run went on from another kind of machine's checkpoint."},
    {ROW(engine), .type = FIELD_TEXT, .max = CARD_ENGINE_BYTES - 1,
     .doc = "Version, backend, processor and libraries that trained it."},
    {ROW(dataset_sha256), .type = FIELD_TEXT, .max = CARD_SHA256_BYTES - 1,
     .doc = "SHA-256 of the data set it was trained on."},
};
#undef ROW
const struct field_table model_card_table = FIELD_TABLE("model", model_rows);

#define ROW(member) FIELD_MEMBER(struct dataset_card, member)
static const struct field dataset_rows[] = {
    ALWAYS(name, "Name it was registered under."),
    ALWAYS(format, "What it was imported from."),
    ALWAYS(created, "When it was imported."),
    INT(height, 0, "Height of the pictures in pixels; 0: sizes differ."),
    INT(width, 0, "Width of the pictures in pixels; 0: sizes differ."),
    INT(channels, 1, "Channels: 1 grey, 3 colour."),
    INT(classes, 1, "Number of classes."),
    INT(train_count, 0, "Pictures in the training split."),
    INT(test_count, 0, "Pictures in the test split."),
    ALWAYS(sha256, "SHA-256 of shape, pictures and labels."),
};
#undef ROW
const struct field_table dataset_card_table = FIELD_TABLE("data set", dataset_rows);

#define ROW(member) FIELD_MEMBER(struct job_estimate, member)
static const struct field estimate_rows[] = {
    INT(student_parameters, 0, "Parameters of the student."),
    INT(teacher_parameters, 0, "Parameters of the teacher, 0 for ce."),
    FLOAT(flops_per_step, 0, INFINITY, "Floating-point operations of a training step."),
    INT(steps, 0, "Steps of the whole job."),
    INT(memory_bytes, 0, "Memory that the worker will need."),
    FLOAT(seconds, 0, INFINITY, "Estimated duration, null if it is not known."),
};
#undef ROW
const struct field_table job_estimate_table = FIELD_TABLE("estimate", estimate_rows);

/* ---- class names ---- */

void class_names_release(struct class_names *names) {
    for (int i = 0; i < names->count; i++)
        free(names->item[i]);
    free(names->item);
    *names = (struct class_names){0};
}

void class_names_add(struct class_names *names, const char *name) {
    bool full = (names->count & (names->count - 1)) == 0; /* the capacity is a power of two */
    if (full)
        names->item =
            xrealloc(names->item, names->count ? 2 * (size_t)names->count : 1, sizeof(char *));
    names->item[names->count++] = xstrdup(name);
}

static void add_class_names(const struct class_names *names, struct str *out) {
    str_add(str_json_key(out, "class_names"), "[");
    for (int i = 0; i < names->count; i++)
        str_add_json(str_json_item(out), names->item[i]);
    str_add(out, "]");
}

static enum status read_class_names(const json_t *list, struct class_names *names,
                                    struct error *err) {
    *names = (struct class_names){0};
    if (!json_is_array(list) || json_array_size(list) > CARD_MAX_CLASSES)
        return error_set(err, STATUS_INVALID, "class_names is not a list of at most %d names",
                         CARD_MAX_CLASSES);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name)
            return error_set(err, STATUS_INVALID, "class_names[%zu] is not a text", i);
        class_names_add(names, name);
    }
    return STATUS_OK;
}

/* ---- cards ---- */

/* Takes a member out of the tree, so that what remains is the table's; json_decref the result. */
static json_t *take(json_t *root, const char *key) {
    json_t *member = json_incref(json_object_get(root, key));
    json_object_del(root, key);
    return member;
}

static enum status read_card(const struct field_table *table, void *card, json_t *root,
                             struct error *err) {
    struct field_errors errors = {.count = 0};
    json_read_fields(table, card, 0, false, root, &errors);
    return field_errors_status(&errors, err);
}

void model_card_release(struct model_card *card) {
    class_names_release(&card->class_names);
    free(card->spec);
    card->spec = NULL;
}

static void add_spec(const struct train_spec *spec, struct str *out) {
    str_json_key(out, "spec");
    if (spec)
        train_spec_add_json(spec, out);
    else
        str_add(out, "null");
}

/* Models that no job trained have none. */
static enum status read_spec(const json_t *member, struct train_spec **spec, struct error *err) {
    if (!json_is_object(member))
        return STATUS_OK;
    char *text = json_dumps(member, JSON_COMPACT | JSON_REAL_PRECISION(17));
    *spec = xcalloc(1, sizeof **spec);
    enum status status = job_spec_decode_stored(*spec, text, strlen(text), err);
    free(text);
    return status;
}

void model_card_add_json(const struct model_card *card, struct str *out) {
    fields_add_open(&model_card_table, card, 0, out);
    add_class_names(&card->class_names, out);
    add_spec(card->spec, out);
    str_add(out, "}");
}

enum status model_card_decode(struct model_card *card, const char *text, size_t len,
                              struct error *err) {
    json_t *root = NULL, *names = NULL, *spec = NULL;
    memset(card, 0, sizeof *card);
    enum status status = json_read(&root, text, len, err);
    if (status)
        return json_corrupt("model", err);
    names = take(root, "class_names");
    spec = take(root, "spec");
    status = read_card(&model_card_table, card, root, err);
    if (!status)
        status = read_class_names(names, &card->class_names, err);
    if (!status)
        status = read_spec(spec, &card->spec, err);
    json_decref(spec);
    json_decref(names);
    json_decref(root);
    if (!status)
        return STATUS_OK;
    model_card_release(card);
    return json_corrupt("model", err);
}

void dataset_card_release(struct dataset_card *card) {
    class_names_release(&card->class_names);
}

static void add_numbers(const char *key, const double *numbers, int64_t count, struct str *out) {
    str_add(str_json_key(out, key), "[");
    for (int64_t i = 0; i < count && i < CARD_MAX_CHANNELS; i++)
        str_add_double(str_json_item(out), numbers[i]);
    str_add(out, "]");
}

static enum status read_numbers(const json_t *list, double *numbers, int64_t count,
                                struct error *err) {
    if (count > CARD_MAX_CHANNELS || json_array_size(list) != (size_t)count)
        return error_set(err, STATUS_INVALID, "mean and deviation are not of %lld channels",
                         (long long)count);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = json_number_value(json_array_get(list, (size_t)i));
    return STATUS_OK;
}

void dataset_card_add_json(const struct dataset_card *card, struct str *out) {
    fields_add_open(&dataset_card_table, card, 0, out);
    add_numbers("mean", card->mean, card->channels, out);
    add_numbers("deviation", card->deviation, card->channels, out);
    add_class_names(&card->class_names, out);
    str_add(out, "}");
}

enum status dataset_card_decode(struct dataset_card *card, const char *text, size_t len,
                                struct error *err) {
    json_t *root = NULL;
    memset(card, 0, sizeof *card);
    enum status status = json_read(&root, text, len, err);
    if (status)
        return json_corrupt("data set", err);
    json_t *names = take(root, "class_names");
    json_t *mean = take(root, "mean"), *deviation = take(root, "deviation");
    status = read_card(&dataset_card_table, card, root, err);
    if (!status)
        status = read_numbers(mean, card->mean, card->channels, err);
    if (!status)
        status = read_numbers(deviation, card->deviation, card->channels, err);
    if (!status)
        status = read_class_names(names, &card->class_names, err);
    json_decref(names);
    json_decref(mean);
    json_decref(deviation);
    json_decref(root);
    if (!status)
        return STATUS_OK;
    dataset_card_release(card);
    return json_corrupt("data set", err);
}
