#include "api/inference.h"

#include "api/base64.h"
#include "engine/base/json.h"
#include "engine/base/str.h"

#include <string.h>

enum { PREFIX_BYTES = 4 }; /* of an element of BYTES: its length, little-endian */

static const char *const output_names[] = {
    [INFERENCE_LOGITS] = "logits", [INFERENCE_PROBABILITIES] = "probabilities", NULL};

const char *inference_output_name(enum inference_output_kind kind) {
    return output_names[kind];
}

void inference_request_release(struct inference_request *request) {
    arena_release(&request->arena);
    *request = (struct inference_request){0};
}

/* ---- members ---- */

/* A member of this type or none. */
static enum status find(const struct json *object, const char *what, const char *key,
                        enum json_type type, const struct json **out, struct error *err) {
    static const char *const types[] = {
        [JSON_NULL] = "null",       [JSON_BOOL] = "true or false", [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string", [JSON_ARRAY] = "a list",       [JSON_OBJECT] = "an object"};
    *out = json_member(object, key);
    if (*out && (*out)->type != type)
        return error_set(err, STATUS_INVALID, "%s of %s must be %s", key, what, types[type]);
    return STATUS_OK;
}

/* Refuses members that are not among the names, which end with NULL. */
static enum status know(const struct json *object, const char *what, const char *const *names,
                        struct error *err) {
    if (object->type != JSON_OBJECT)
        return error_set(err, STATUS_INVALID, "%s must be an object", what);
    for (const struct json *member = object->child; member; member = member->next)
        if (str_index(names, member->key) < 0)
            return error_set(err, STATUS_INVALID, "%s has an unknown member \"%.60s\"", what,
                             member->key);
    return STATUS_OK;
}

/* A parameter that is true or false; left alone when it is not given. */
static enum status read_flag(const struct json *parameters, const char *key, bool *out,
                             struct error *err) {
    const struct json *value;
    enum status status = find(parameters, "parameters", key, JSON_BOOL, &value, err);
    if (!status && value)
        *out = value->boolean;
    return status;
}

/* A parameter that is a whole number of at least min. */
static enum status read_count(const struct json *parameters, const char *key, int64_t min,
                              int64_t *out, struct error *err) {
    const struct json *value = json_member(parameters, key);
    *out = json_integer_or(value, 0);
    if (value && *out < min)
        return error_set(err, STATUS_INVALID, "parameter %s must be an integer of at least %lld",
                         key, (long long)min);
    return STATUS_OK;
}

/* ---- shape ---- */

static enum status read_sizes(struct inference_request *request, const struct json *shape,
                              struct error *err) {
    int i = 0;
    for (const struct json *size = shape->child; size; size = size->next, i++) {
        request->shape[i] = json_integer_or(size, 0);
        if (request->shape[i] < 1 || request->shape[i] > INT32_MAX)
            return error_set(err, STATUS_INVALID,
                             "shape[%d] of input %s must be an integer of at least 1", i,
                             INFERENCE_INPUT);
    }
    return STATUS_OK;
}

static enum status read_shape(struct inference_request *request, const struct json *input,
                              struct error *err) {
    const struct json *shape;
    enum status status = find(input, "input " INFERENCE_INPUT, "shape", JSON_ARRAY, &shape, err);
    if (status)
        return status;
    if (!shape || shape->count != (size_t)request->rank)
        return error_set(err, STATUS_INVALID, "shape of input %s must be %s", INFERENCE_INPUT,
                         request->rank == 1 ? "[n] for BYTES" : "[n,h,w,c] for UINT8");
    status = read_sizes(request, shape, err);
    int64_t most = request->rank == 1 ? INFERENCE_MAX_ENCODED : INFERENCE_MAX_PIXELS;
    if (!status && request->shape[0] > most)
        return error_set(err, STATUS_TOO_LARGE, "%lld pictures, at most %lld are taken",
                         (long long)request->shape[0], (long long)most);
    return status;
}

/* How many elements the shape has; the most that fits when that is more. */
static size_t element_count(const struct inference_request *request) {
    size_t count = 1;
    for (int i = 0; i < request->rank; i++)
        if (!mem_mul(count, (size_t)request->shape[i], &count))
            return SIZE_MAX;
    return count;
}

static enum status refuse_count(size_t given, size_t expected, struct error *err) {
    return error_set(err, STATUS_INVALID, "input %s has %zu elements, its shape says %zu",
                     INFERENCE_INPUT, given, expected);
}

/* ---- data in JSON, nested or flat ---- */

struct reading {
    struct inference_request *request;
    size_t count, expected;
    uint8_t *pixels; /* [expected], or NULL: encoded pictures */
};

static enum status read_pixel(struct reading *reading, const struct json *value,
                              struct error *err) {
    int64_t pixel = json_integer_or(value, -1);
    if (pixel < 0 || pixel > UINT8_MAX)
        return error_set(err, STATUS_INVALID,
                         "element %zu of input %s must be an integer, 0 to 255", reading->count,
                         INFERENCE_INPUT);
    reading->pixels[reading->count] = (uint8_t)pixel;
    return STATUS_OK;
}

static enum status read_base64(struct reading *reading, const struct json *value,
                               struct error *err) {
    const char *text = json_text_or(value, "");
    size_t len = strlen(text), bytes_len = 0;
    uint8_t *bytes = arena_alloc(&reading->request->arena, len / 4 * 3 + 3);
    if (!base64_decode(text, len, bytes, &bytes_len))
        return error_set(err, STATUS_INVALID,
                         "element %zu of input %s must be a JPEG or PNG in base64 (RFC 4648, with "
                         "padding)",
                         reading->count, INFERENCE_INPUT);
    reading->request->encoded[reading->count] = (struct inference_bytes){bytes, bytes_len};
    return STATUS_OK;
}

/* Counts on when there are more than expected, to say how many. */
static enum status read_element(struct reading *reading, const struct json *value,
                                struct error *err) {
    enum status status = STATUS_OK;
    if (value->type == JSON_ARRAY) {
        for (const struct json *part = value->child; part && !status; part = part->next)
            status = read_element(reading, part, err);
        return status;
    }
    if (reading->count < reading->expected)
        status =
            reading->pixels ? read_pixel(reading, value, err) : read_base64(reading, value, err);
    reading->count++;
    return status;
}

static enum status read_json_data(struct inference_request *request, const struct json *data,
                                  struct error *err) {
    struct reading reading = {.request = request, .expected = element_count(request)};
    if (reading.expected > JSON_MAX_VALUES)
        return error_set(err, STATUS_TOO_LARGE,
                         "input %s has more than %d elements, send them as binary data",
                         INFERENCE_INPUT, JSON_MAX_VALUES);
    if (!request->encoded) {
        reading.pixels = arena_alloc(&request->arena, reading.expected);
        request->pixels = (struct inference_bytes){reading.pixels, reading.expected};
    }
    enum status status = read_element(&reading, data, err);
    if (!status && reading.count != reading.expected)
        status = refuse_count(reading.count, reading.expected, err);
    return status;
}

/* ---- data behind the JSON ---- */

static uint32_t read_prefix(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static enum status split_bytes(struct inference_request *request, struct inference_bytes data,
                               struct error *err) {
    size_t at = 0, count = (size_t)request->shape[0];
    for (size_t i = 0; i < count; i++) {
        size_t left = data.len - at;
        size_t len = left < PREFIX_BYTES ? SIZE_MAX : read_prefix(data.bytes + at);
        if (left < PREFIX_BYTES || len > left - PREFIX_BYTES)
            return error_set(err, STATUS_INVALID,
                             "element %zu of input %s goes beyond the %zu bytes of its data", i,
                             INFERENCE_INPUT, data.len);
        request->encoded[i] = (struct inference_bytes){data.bytes + at + PREFIX_BYTES, len};
        at += PREFIX_BYTES + len;
    }
    if (at != data.len)
        return error_set(err, STATUS_INVALID, "input %s has %zu bytes behind its last element",
                         INFERENCE_INPUT, data.len - at);
    return STATUS_OK;
}

static enum status read_binary_data(struct inference_request *request, struct inference_bytes data,
                                    int64_t said, struct error *err) {
    if ((uint64_t)said != data.len)
        return error_set(err, STATUS_INVALID,
                         "binary_data_size of input %s is %lld, but %zu bytes follow the JSON",
                         INFERENCE_INPUT, (long long)said, data.len);
    if (request->encoded)
        return split_bytes(request, data, err);
    request->pixels = data;
    size_t expected = element_count(request);
    return data.len == expected ? STATUS_OK : refuse_count(data.len, expected, err);
}

/* ---- input ---- */

static enum status read_datatype(struct inference_request *request, const struct json *input,
                                 struct error *err) {
    const char *type = json_text_or(json_member(input, "datatype"), "");
    if (!str_equal(type, "UINT8") && !str_equal(type, "BYTES"))
        return error_set(err, STATUS_INVALID,
                         "datatype of input %s must be UINT8 (pixels) or BYTES (JPEG or PNG files)",
                         INFERENCE_INPUT);
    request->rank = str_equal(type, "BYTES") ? 1 : INFERENCE_RANK;
    return STATUS_OK;
}

static enum status read_data(struct inference_request *request, const struct json *input,
                             struct inference_bytes behind, struct error *err) {
    const struct json *data, *parameters;
    int64_t said = 0;
    enum status status = find(input, "input " INFERENCE_INPUT, "data", JSON_ARRAY, &data, err);
    if (!status)
        status = find(input, "input " INFERENCE_INPUT, "parameters", JSON_OBJECT, &parameters, err);
    if (!status)
        status = read_count(parameters, "binary_data_size", 1, &said, err);
    if (status)
        return status;
    if (request->rank == 1)
        request->encoded =
            arena_alloc(&request->arena, (size_t)request->shape[0] * sizeof *request->encoded);
    if (!data == !said)
        return error_set(err, STATUS_INVALID,
                         "input %s must have data or a parameter binary_data_size, and not both",
                         INFERENCE_INPUT);
    if (data && behind.len)
        return error_set(err, STATUS_INVALID, "%zu bytes follow the JSON that belong to no input",
                         behind.len);
    return data ? read_json_data(request, data, err) : read_binary_data(request, behind, said, err);
}

static enum status read_input(struct inference_request *request, const struct json *root,
                              struct inference_bytes behind, struct error *err) {
    static const char *const names[] = {"name", "shape", "datatype", "parameters", "data", NULL};
    const struct json *inputs;
    enum status status = find(root, "the request", "inputs", JSON_ARRAY, &inputs, err);
    if (status)
        return status;
    if (!inputs || inputs->count != 1)
        return error_set(err, STATUS_INVALID, "inputs must be a list of one input, %s",
                         INFERENCE_INPUT);
    status = know(inputs->child, "an input", names, err);
    if (status)
        return status;
    const char *name = json_text_or(json_member(inputs->child, "name"), "");
    if (!str_equal(name, INFERENCE_INPUT))
        return error_set(err, STATUS_INVALID, "unknown input \"%.60s\", there is only %s", name,
                         INFERENCE_INPUT);
    status = read_datatype(request, inputs->child, err);
    if (!status)
        status = read_shape(request, inputs->child, err);
    return status ? status : read_data(request, inputs->child, behind, err);
}

/* ---- outputs ---- */

static enum status find_kind(const struct inference_request *request, const struct json *output,
                             enum inference_output_kind *kind, struct error *err) {
    const char *name = json_text_or(json_member(output, "name"), "");
    int found = str_index(output_names, name);
    if (found < 0)
        return error_set(err, STATUS_INVALID,
                         "unknown output \"%.60s\", there are logits and probabilities", name);
    *kind = (enum inference_output_kind)found;
    for (int i = 0; i < request->output_count; i++)
        if (request->output[i].kind == *kind)
            return error_set(err, STATUS_INVALID, "output %s is asked for twice", name);
    return STATUS_OK;
}

static enum status read_output(struct inference_request *request, const struct json *value,
                               bool is_binary, struct error *err) {
    static const char *const names[] = {"name", "parameters", NULL};
    const struct json *parameters;
    struct inference_output output = {.is_binary = is_binary};
    enum status status = know(value, "an output", names, err);
    if (!status)
        status = find_kind(request, value, &output.kind, err);
    if (!status)
        status = find(value, "an output", "parameters", JSON_OBJECT, &parameters, err);
    if (!status)
        status = read_flag(parameters, "binary_data", &output.is_binary, err);
    if (!status)
        status = read_count(parameters, "classification", 1, &output.best, err);
    if (!status)
        request->output[request->output_count++] = output;
    return status;
}

/* All of them when none is named. */
static enum status read_outputs(struct inference_request *request, const struct json *root,
                                struct error *err) {
    const struct json *outputs, *parameters;
    bool is_binary = false;
    enum status status = find(root, "the request", "parameters", JSON_OBJECT, &parameters, err);
    if (!status)
        status = read_flag(parameters, "binary_data_output", &is_binary, err);
    if (!status)
        status = find(root, "the request", "outputs", JSON_ARRAY, &outputs, err);
    if (status)
        return status;
    if (outputs && outputs->count) {
        for (const struct json *value = outputs->child; value && !status; value = value->next)
            status = read_output(request, value, is_binary, err);
        return status;
    }
    for (int kind = 0; kind < INFERENCE_OUTPUTS; kind++)
        request->output[request->output_count++] =
            (struct inference_output){(enum inference_output_kind)kind, is_binary, 0};
    return STATUS_OK;
}

/* ---- the whole ---- */

static enum status parse(struct inference_request *request, const char *text, size_t len,
                         const struct json **root, struct error *err) {
    struct error cause;
    enum status status = json_parse(&request->arena, text, len, root, &cause);
    if (status == STATUS_CORRUPT)
        return error_set(err, STATUS_INVALID, "not valid JSON: %s", cause.message);
    return status ? error_set(err, status, "%s", cause.message) : STATUS_OK;
}

enum status inference_request_decode(struct inference_request *request, const char *body,
                                     size_t len, size_t json_len, struct error *err) {
    static const char *const names[] = {"id", "parameters", "inputs", "outputs", NULL};
    const struct json *root, *id;
    *request = (struct inference_request){0};
    if (json_len > len)
        return error_set(err, STATUS_INVALID,
                         "Inference-Header-Content-Length is %zu, but the body has %zu bytes",
                         json_len, len);
    struct inference_bytes behind = {(const uint8_t *)body + json_len, len - json_len};
    enum status status = parse(request, body, json_len, &root, err);
    if (!status)
        status = know(root, "the request", names, err);
    if (!status)
        status = find(root, "the request", "id", JSON_STRING, &id, err);
    if (!status)
        status = read_outputs(request, root, err);
    if (!status)
        status = read_input(request, root, behind, err);
    if (status)
        inference_request_release(request);
    else
        request->id = json_text_or(id, NULL);
    return status;
}
