#include "engine/base/safetensors.h"

#include "engine/base/json.h"
#include "engine/base/str.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = SAFETENSORS_LENGTH_BYTES };

static const int64_t MAX_DATA_BYTES = (int64_t)1 << 46; /* as places, they are addresses yet */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are used as they are stored");

/* Where the tensors' bytes are. */
struct data_range {
    const uint8_t *bytes;
    size_t len;
};

static enum status find_type(const struct json *dtype, enum tensor_type *type, struct error *err) {
    const char *name = json_text_or(dtype, NULL);
    for (int i = 0; i < TENSOR_TYPE_COUNT; i++)
        if (str_equal(name, tensor_type_name((enum tensor_type)i))) {
            *type = (enum tensor_type)i;
            return STATUS_OK;
        }
    return error_set(err, STATUS_CORRUPT, "dtype %s is not known", name ? name : "is missing and");
}

/* Fills rank, dimensions and bytes; the product is checked before anybody can use it. */
static enum status read_shape(const struct json *shape, struct tensor *tensor, struct error *err) {
    if (!shape || shape->type != JSON_ARRAY)
        return error_set(err, STATUS_CORRUPT, "shape is not an array");
    if (shape->count > TENSOR_MAX_RANK)
        return error_set(err, STATUS_CORRUPT, "shape has %zu dimensions, at most %d are known",
                         shape->count, TENSOR_MAX_RANK);
    for (const struct json *dim = shape->child; dim; dim = dim->next) {
        int64_t size = json_integer_or(dim, -1);
        if (size < 0)
            return error_set(err, STATUS_CORRUPT, "dimension %d is not a whole number",
                             tensor->rank);
        tensor->dim[tensor->rank++] = size;
    }
    if (!tensor_shape_bytes(tensor, &tensor->bytes))
        return error_set(err, STATUS_CORRUPT, "shape is too large");
    return STATUS_OK;
}

static enum status read_offsets(const struct json *offsets, struct data_range data,
                                struct tensor *tensor, struct error *err) {
    if (!offsets || offsets->type != JSON_ARRAY || offsets->count != 2)
        return error_set(err, STATUS_CORRUPT, "data_offsets is not an array of two");
    int64_t begin = json_integer_or(offsets->child, -1);
    int64_t end = json_integer_or(offsets->child->next, -1);
    if (begin < 0 || end < begin || (uint64_t)end > data.len)
        return error_set(err, STATUS_CORRUPT, "data_offsets are not within the %zu bytes of data",
                         data.len);
    if ((uint64_t)(end - begin) != tensor->bytes)
        return error_set(err, STATUS_CORRUPT, "%lld bytes of data, but its shape needs %zu",
                         (long long)(end - begin), tensor->bytes);
    tensor->data = data.bytes + begin;
    return STATUS_OK;
}

static enum status read_tensor(const struct json *member, struct data_range data,
                               struct tensor *tensor, struct error *err) {
    tensor->name = member->key;
    if (member->type != JSON_OBJECT)
        return error_set(err, STATUS_CORRUPT, "not an object");
    enum status status = find_type(json_member(member, "dtype"), &tensor->type, err);
    if (!status)
        status = read_shape(json_member(member, "shape"), tensor, err);
    if (!status)
        status = read_offsets(json_member(member, "data_offsets"), data, tensor, err);
    return status;
}

static enum status check_metadata(const struct json *metadata, struct error *err) {
    if (metadata->type != JSON_OBJECT)
        return error_set(err, STATUS_CORRUPT, "__metadata__ is not an object");
    for (const struct json *note = metadata->child; note; note = note->next)
        if (note->type != JSON_STRING)
            return error_set(err, STATUS_CORRUPT, "__metadata__: %s is not a string", note->key);
    return STATUS_OK;
}

/* By place in the file; empty tensors come before the one that begins at the same place. */
static int compare_place(const void *a, const void *b) {
    const struct tensor *left = a, *right = b;
    if (left->data != right->data)
        return (const uint8_t *)left->data < (const uint8_t *)right->data ? -1 : 1;
    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int compare_name(const void *a, const void *b) {
    const struct tensor *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

/* The sorted tensors must cover the data exactly: no byte in two of them, none in no one. */
static enum status check_tiling(const struct safetensors *file, struct data_range data,
                                struct error *err) {
    const uint8_t *expected = data.bytes;
    for (size_t i = 0; i < file->count; i++) {
        const struct tensor *tensor = &file->tensors[i];
        const uint8_t *begin = tensor->data;
        if (begin < expected)
            return error_set(err, STATUS_CORRUPT, "tensor %s overlaps another", tensor->name);
        if (begin > expected)
            return error_set(err, STATUS_CORRUPT, "hole of %zu bytes before tensor %s",
                             (size_t)(begin - expected), tensor->name);
        expected = begin + tensor->bytes;
    }
    size_t rest = (size_t)(data.bytes + data.len - expected);
    if (rest)
        return error_set(err, STATUS_CORRUPT, "%zu bytes after the last tensor", rest);
    return STATUS_OK;
}

static void sort_tensors(struct safetensors *file) {
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_place);
    file->by_name = arena_alloc(&file->arena, file->count * sizeof *file->by_name);
    for (size_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_name);
}

/* Names are unique, because the JSON reader refuses duplicate keys. */
static enum status read_header(struct safetensors *file, const struct json *header,
                               struct data_range data, struct error *err) {
    file->metadata = json_member(header, "__metadata__");
    if (header->count - (file->metadata != NULL) > SAFETENSORS_MAX_TENSORS)
        return error_set(err, STATUS_TOO_LARGE, "more than %d tensors", SAFETENSORS_MAX_TENSORS);
    file->tensors = arena_alloc(&file->arena, header->count * sizeof *file->tensors);
    for (const struct json *member = header->child; member; member = member->next) {
        enum status status;
        if (member == file->metadata) {
            status = check_metadata(member, err);
        } else {
            status = read_tensor(member, data, &file->tensors[file->count++], err);
            if (status)
                error_wrap(err, status, "tensor %s", member->key);
        }
        if (status)
            return status;
    }
    sort_tensors(file);
    return check_tiling(file, data, err);
}

/* What torch.save writes: a zip archive, before version 1.6 a pickle of protocol 2. */
static bool is_checkpoint(const uint8_t *bytes, size_t len) {
    static const uint8_t archive[] = {'P', 'K', 3, 4}, pickle[] = {0x80, 2, 0x8a, 10};
    return len >= sizeof archive && (memcmp(bytes, archive, sizeof archive) == 0 ||
                                     memcmp(bytes, pickle, sizeof pickle) == 0);
}

enum status safetensors_header_bytes(const uint8_t *bytes, size_t file_bytes, size_t *len,
                                     struct error *err) {
    uint64_t declared;
    if (is_checkpoint(bytes, LENGTH_BYTES))
        return error_set(err, STATUS_CORRUPT,
                         "a checkpoint of PyTorch, no safetensors file; the Python client makes "
                         "one of it: python3 -m distilld convert");
    memcpy(&declared, bytes, sizeof declared);
    if (declared > file_bytes - LENGTH_BYTES)
        return error_set(err, STATUS_CORRUPT,
                         "no safetensors file, or a cut one: a header of %llu bytes does not fit "
                         "into %zu bytes",
                         (unsigned long long)declared, file_bytes);
    if (declared > SAFETENSORS_MAX_HEADER_BYTES)
        return error_set(err, STATUS_CORRUPT, "a header of %llu bytes, at most %d are allowed",
                         (unsigned long long)declared, SAFETENSORS_MAX_HEADER_BYTES);
    *len = (size_t)declared;
    return STATUS_OK;
}

/* The format allows no space before it. */
static enum status check_begin(const char *text, size_t len, struct error *err) {
    if (len == 0 || text[0] != '{')
        return error_set(err, STATUS_CORRUPT, "the header does not begin with '{'");
    return STATUS_OK;
}

/* Finds the header's text and the data behind it. */
static enum status split(const uint8_t *bytes, size_t len, size_t *header_len,
                         struct data_range *data, struct error *err) {
    if (len < LENGTH_BYTES)
        return error_set(err, STATUS_CORRUPT, "%zu bytes are too few for a safetensors file", len);
    enum status status = safetensors_header_bytes(bytes, len, header_len, err);
    if (status)
        return status;
    *data = (struct data_range){.bytes = bytes + LENGTH_BYTES + *header_len,
                                .len = len - LENGTH_BYTES - *header_len};
    return check_begin((const char *)bytes + LENGTH_BYTES, *header_len, err);
}

/* Where the last tensor ends; what is wrong with the offsets is found out later. */
static int64_t largest_end(const struct json *header) {
    int64_t largest = 0;
    for (const struct json *member = header->child; member; member = member->next) {
        const struct json *offsets = json_member(member, "data_offsets");
        bool pair = offsets && offsets->type == JSON_ARRAY && offsets->count == 2;
        int64_t end = pair ? json_integer_or(offsets->child->next, 0) : 0;
        largest = end > largest ? end : largest;
    }
    return largest;
}

enum status safetensors_parse_header(struct safetensors *file, const char *text, size_t len,
                                     uint64_t *data_bytes, struct error *err) {
    const struct json *header;
    *file = (struct safetensors){0};
    enum status status = check_begin(text, len, err);
    if (!status)
        status = json_parse(&file->arena, text, len, &header, err);
    int64_t end = status ? 0 : largest_end(header);
    if (!status && end > MAX_DATA_BYTES)
        status = error_set(err, STATUS_CORRUPT, "%lld bytes of data are too many", (long long)end);
    struct data_range data = {.bytes = (const uint8_t *)text, .len = (size_t)end};
    if (!status)
        status = read_header(file, header, data, err);
    if (status)
        safetensors_close(file);
    *data_bytes = (uint64_t)end;
    return status;
}

enum status safetensors_parse(struct safetensors *file, const void *bytes, size_t len,
                              struct error *err) {
    size_t header_len = 0;
    struct data_range data = {0};
    const struct json *header;
    *file = (struct safetensors){0};
    enum status status = split(bytes, len, &header_len, &data, err);
    if (status)
        return status;
    const char *text = (const char *)bytes + LENGTH_BYTES;
    status = json_parse(&file->arena, text, header_len, &header, err);
    if (!status)
        status = read_header(file, header, data, err);
    if (status)
        safetensors_close(file);
    return status;
}

enum status safetensors_open(struct safetensors *file, const char *path, struct error *err) {
    struct file_map map;
    *file = (struct safetensors){0};
    enum status status = file_map(&map, path, err);
    if (status)
        return status;
    status = safetensors_parse(file, map.data, map.len, err);
    if (status) {
        error_wrap(err, status, "%s", path);
        file_unmap(&map);
        return status;
    }
    file->map = map;
    return STATUS_OK;
}

void safetensors_close(struct safetensors *file) {
    file_unmap(&file->map);
    arena_release(&file->arena);
    *file = (struct safetensors){0};
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name) {
    struct tensor wanted = {.name = name};
    const struct tensor *key = &wanted;
    if (file->count == 0)
        return NULL;
    const struct tensor **found =
        bsearch(&key, file->by_name, file->count, sizeof *file->by_name, compare_name);
    return found ? *found : NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key) {
    return json_text_or(json_member(file->metadata, key), NULL);
}
