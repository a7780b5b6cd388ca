/* The bodies of POST /datasets and POST /predict. */
#include "api/cards.h"

#include "api/base64.h"
#include "api/codec.h"
#include "api/json_internal.h"
#include "api/limits.h"

#include <string.h>

/* ---- data sets ---- */

#define ROW(member) FIELD_MEMBER(struct dataset_request, member)
static const struct field dataset_rows[] = {
    {ROW(name), .type = FIELD_TEXT, .min = 1, .max = FIELD_TEXT_BYTES - 1, .flags = FIELD_REQUIRED,
     .doc = "Name to register it under: lower-case letters, digits, _, . and -."},
    {ROW(path), .type = FIELD_TEXT, .min = 1, .max = 1000, .flags = FIELD_REQUIRED,
     .doc = "Folder on the server, under one of its import roots."},
};
#undef ROW
const struct field_table dataset_request_table = FIELD_TABLE("data set", dataset_rows);

bool dataset_name_is_valid(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len < FIELD_TEXT_BYTES && *name != '.' && *name != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == len;
}

static void refuse_shape(struct field_errors *errors, const char *field, const char *value,
                         const char *range) {
    char detail[ERROR_MESSAGE_BYTES];
    struct str shown = STR_INIT;
    json_show_text(value, &shown);
    snprintf(detail, sizeof detail, "%s must be %s, not %s", field, range, str_text(&shown));
    field_errors_add(errors, field, str_text(&shown), detail, range);
    str_release(&shown);
}

void dataset_name_refuse(const char *name, struct field_errors *errors) {
    refuse_shape(errors, "name", name, "lower-case letters, digits, _, . and -, not first . or -");
}

enum status dataset_request_decode(struct dataset_request *request, const char *text, size_t len,
                                   struct field_errors *errors, struct error *err) {
    enum status status = fields_decode(&dataset_request_table, request, text, len, errors, err);
    if (status)
        return status;
    if (!dataset_name_is_valid(request->name))
        dataset_name_refuse(request->name, errors);
    if (request->path[0] != '/')
        refuse_shape(errors, "path", request->path, "an absolute path");
    return field_errors_status(errors, err);
}

/* ---- predictions ---- */

#define ROW(member) FIELD_MEMBER(struct predict_request, member)
static const struct field predict_rows[] = {
    {ROW(model), .type = FIELD_TEXT, .min = 1, .max = CARD_TEXT_BYTES - 1, .flags = FIELD_REQUIRED,
     .doc = "Model to ask."},
    {ROW(top_k), .type = FIELD_INT, .min = 1, .max = 1000, .fallback = "5",
     .doc = "How many classes to answer for a picture, best first."},
    {ROW(output), .type = FIELD_ENUM, .choices = FIELD_WORDS("probabilities", "logits"),
     .fallback = "probabilities",
     .doc = "With logits, answer also those of all classes, before the softmax."},
};
#undef ROW
const struct field_table predict_request_table = FIELD_TABLE("prediction", predict_rows);

void predict_request_release(struct predict_request *request) {
    for (int i = 0; i < request->image_count; i++)
        free(request->images[i].bytes);
    request->image_count = 0;
}

static void read_image(struct predict_request *request, const json_t *value,
                       struct field_errors *errors) {
    struct predict_image *image = &request->images[request->image_count];
    size_t len = json_string_length(value);
    image->bytes = xmalloc(len / 4 * 3 + 3);
    if (json_is_string(value) &&
        base64_decode(json_string_value(value), len, image->bytes, &image->len)) {
        request->image_count++;
        return;
    }
    free(image->bytes);
    char field[ERROR_FIELD_BYTES];
    struct str shown = STR_INIT;
    snprintf(field, sizeof field, "images[%d]", request->image_count);
    json_show(value, &shown);
    field_errors_add(errors, field, str_text(&shown), "a picture must be a JPEG or PNG in base64",
                     "base64 (RFC 4648, with padding)");
    str_release(&shown);
}

static void read_images(struct predict_request *request, const json_t *list,
                        struct field_errors *errors) {
    size_t count = json_array_size(list); /* 0 for what is not an array */
    if (count < 1 || count > LIMIT_PICTURES) {
        char range[64];
        snprintf(range, sizeof range, "a list of 1 to %d pictures", LIMIT_PICTURES);
        struct str shown = STR_INIT;
        json_show(list, &shown);
        field_errors_add(errors, "images", list ? str_text(&shown) : NULL,
                         "images must be a list of pictures", range);
        str_release(&shown);
        return;
    }
    for (size_t i = 0; i < count && !errors->count; i++)
        read_image(request, json_array_get(list, i), errors);
}

enum status predict_request_decode(struct predict_request *request, const char *text, size_t len,
                                   struct field_errors *errors, struct error *err) {
    json_t *root = NULL;
    request->image_count = 0;
    enum status status = json_read(&root, text, len, err);
    if (status)
        return status;
    json_t *images = json_incref(json_object_get(root, "images"));
    json_object_del(root, "images");
    json_read_fields(&predict_request_table, request, 0, true, root, errors);
    if (!errors->count)
        read_images(request, images, errors);
    json_decref(images);
    json_decref(root);
    if (errors->count)
        predict_request_release(request);
    return field_errors_status(errors, err);
}
