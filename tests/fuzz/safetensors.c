/*
 * safetensors_parse: any bytes; every tensor it hands out lies within them. Their header alone and
 * a file of them are judged the same way, and what is accepted reads back as it is written.
 */
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

#include "engine/base/json.h"
#include "engine/base/safetensors.h"

#include <stdlib.h>
#include <string.h>

static void check_tensor(const struct safetensors *file, const struct tensor *tensor,
                         const uint8_t *bytes, size_t len) {
    const uint8_t *data = tensor->data;
    int64_t elements = tensor_elements(tensor);
    CHECK(data >= bytes && tensor->bytes <= len && data + tensor->bytes <= bytes + len);
    CHECK((size_t)elements * tensor_type_bytes(tensor->type) == tensor->bytes);
    CHECK(safetensors_find(file, tensor->name) == tensor);
    float *values = xmalloc((size_t)elements * sizeof *values);
    enum status status = tensor_to_f32(tensor, values, NULL);
    CHECK(status == STATUS_OK || status == STATUS_UNSUPPORTED);
    free(values);
}

static void check_same_shape(const struct tensor *a, const struct tensor *b) {
    CHECK(strcmp(a->name, b->name) == 0 && a->type == b->type && a->bytes == b->bytes);
    CHECK(a->rank == b->rank);
    for (int i = 0; i < a->rank; i++)
        CHECK(a->dim[i] == b->dim[i]);
}

/* Without the data it accepts the same, with the same places; whole is NULL for what is refused. */
static void check_header(const struct safetensors *whole, const uint8_t *bytes, size_t len) {
    const uint8_t *text = bytes + SAFETENSORS_LENGTH_BYTES;
    struct safetensors file;
    uint64_t data_bytes;
    size_t text_len;
    if (len < SAFETENSORS_LENGTH_BYTES || safetensors_header_bytes(bytes, len, &text_len, NULL)) {
        CHECK(!whole);
        return;
    }
    enum status status =
        safetensors_parse_header(&file, (const char *)text, text_len, &data_bytes, NULL);
    bool fits = !status && data_bytes == len - SAFETENSORS_LENGTH_BYTES - text_len;
    CHECK(fits == (whole != NULL) && (!whole || file.count == whole->count));
    for (size_t i = 0; whole && i < whole->count; i++) {
        check_same_shape(&file.tensors[i], &whole->tensors[i]);
        CHECK((uintptr_t)file.tensors[i].data + text_len == (uintptr_t)whole->tensors[i].data);
    }
    safetensors_close(&file);
}

static void check_same(const struct safetensors *a, const struct safetensors *b) {
    size_t notes = a->metadata ? a->metadata->count : 0;
    CHECK(a->count == b->count && notes == (b->metadata ? b->metadata->count : 0));
    for (size_t i = 0; i < a->count; i++) {
        check_same_shape(&a->tensors[i], &b->tensors[i]);
        CHECK(memcmp(a->tensors[i].data, b->tensors[i].data, a->tensors[i].bytes) == 0);
    }
    for (const struct json *note = notes ? a->metadata->child : NULL; note; note = note->next) {
        const char *value = safetensors_metadata(b, note->key);
        CHECK(value && strcmp(value, note->string) == 0);
    }
}

static void check_file(const struct safetensors *whole, const uint8_t *bytes, size_t len) {
    char path[FILE_PATH_BYTES];
    struct safetensors file;
    struct error err = {0};
    folder_put("given", bytes, len);
    folder_path(path, "given");
    enum status status = safetensors_open(&file, path, &err);
    CHECK(whole ? !status : status == STATUS_CORRUPT || status == STATUS_TOO_LARGE);
    if (whole)
        check_same(whole, &file);
    else
        CHECK(strstr(err.message, path) == err.message);
    safetensors_close(&file);
}

static void check_written(const struct safetensors *whole) {
    size_t count = whole->metadata ? whole->metadata->count : 0, n = 0;
    struct safetensors_note *notes = xcalloc(count, sizeof *notes);
    char path[FILE_PATH_BYTES];
    struct safetensors file;
    for (const struct json *note = count ? whole->metadata->child : NULL; note; note = note->next)
        notes[n++] = (struct safetensors_note){note->key, note->string};
    folder_path(path, "written");
    CHECK(!safetensors_write(path, whole->tensors, whole->count, notes, n, NULL));
    CHECK(!safetensors_open(&file, path, NULL));
    check_same(whole, &file);
    safetensors_close(&file);
    free(notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct safetensors file;
    struct error err = {0};
    enum status status = safetensors_parse(&file, bytes, len, &err);
    const struct safetensors *whole = status ? NULL : &file;
    CHECK(whole || err.message[0]);
    folder_empty();
    check_header(whole, bytes, len);
    check_file(whole, bytes, len);
    if (!whole)
        return 0;
    for (size_t i = 0; i < file.count; i++)
        check_tensor(&file, &file.tensors[i], bytes, len);
    CHECK(!safetensors_metadata(&file, "") || file.metadata);
    check_written(&file);
    safetensors_close(&file);
    return 0;
}
