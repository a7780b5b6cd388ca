#include "engine/base/safetensors.h"

#include "engine/base/str.h"
#include "tests/support/t.h"

static char folder[256], path[300];

static const float values[6] = {1, 2, 3, 4, 5, 6};
static const struct tensor tensors[] = {
    {.name = "b", .type = TENSOR_U8, .rank = 1, .dim = {3}, .data = "xyz", .bytes = 3},
    {.name = "a \"q\"", .type = TENSOR_F32, .rank = 2, .dim = {2, 3}, .data = values, .bytes = 24},
    {.name = "scalar", .type = TENSOR_F32, .rank = 0, .data = values, .bytes = 4},
    {.name = "none", .type = TENSOR_F32, .rank = 1, .dim = {0}, .data = NULL, .bytes = 0},
};
static const struct safetensors_note notes[] = {{"format", "distill"}, {"a", "line\n"}};

static void test_exact_bytes(void) {
    static const char expected[] =
        "{\"__metadata__\":{\"format\":\"distill\",\"a\":\"line\\n\"},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
        "\"a \\\"q\\\"\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[3,27]},"
        "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[27,31]},"
        "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[31,31]}}";
    char *data = NULL;
    size_t len = 0;
    uint64_t header_len;
    T_INT(safetensors_write(path, tensors, 4, notes, 2, NULL), STATUS_OK);
    T_INT(file_read(path, 10000, &data, &len, NULL), STATUS_OK);
    memcpy(&header_len, data, 8);
    T_INT(header_len % 8, 0);
    T_INT(len, 8 + header_len + 31);
    T_INT(strncmp(data + 8, expected, strlen(expected)), 0);
    for (size_t i = strlen(expected); i < header_len; i++)
        T_INT(data[8 + i], ' ');
    T_INT(memcmp(data + 8 + header_len, "xyz", 3), 0);
    T_INT(memcmp(data + 8 + header_len + 3, values, sizeof values), 0);
    free(data);
}

static void test_reading_back(void) {
    struct safetensors file;
    float out[6];
    T_INT(safetensors_write(path, tensors, 4, notes, 2, NULL), STATUS_OK);
    T_INT(safetensors_open(&file, path, NULL), STATUS_OK);
    T_INT(file.count, 4);
    T_STR(safetensors_metadata(&file, "a"), "line\n");
    const struct tensor *a = safetensors_find(&file, "a \"q\"");
    T_INT(tensor_to_f32(a, out, NULL), STATUS_OK); /* at offset 3: unaligned */
    T_INT(memcmp(out, values, sizeof values), 0);
    T_INT(tensor_elements(safetensors_find(&file, "scalar")), 1);
    safetensors_close(&file);
}

static void test_equal_input_gives_equal_bytes(void) {
    char *data[2] = {NULL, NULL};
    size_t len[2];
    for (int i = 0; i < 2; i++) {
        T_INT(safetensors_write(path, tensors, 4, notes, 2, NULL), STATUS_OK);
        T_INT(file_read(path, 10000, &data[i], &len[i], NULL), STATUS_OK);
    }
    T_INT(len[0], len[1]);
    T_INT(memcmp(data[0], data[1], len[0]), 0);
    free(data[0]);
    free(data[1]);
}

static void test_nothing_to_write(void) {
    struct safetensors file;
    T_INT(safetensors_write(path, NULL, 0, NULL, 0, NULL), STATUS_OK);
    T_INT(file_size(path), 16);
    T_INT(safetensors_open(&file, path, NULL), STATUS_OK);
    T_INT(file.count, 0);
    T_CHECK(file.metadata == NULL);
    safetensors_close(&file);
}

static void test_what_could_not_be_read_is_refused(void) {
    struct tensor bad[2] = {tensors[0], tensors[0]};
    struct error err = {0};
    unlink(path);
    T_INT(safetensors_write(path, bad, 2, NULL, 0, &err), STATUS_INVALID);
    T_STR(err.message, "name b is used twice");
    bad[0].name = "__metadata__";
    T_INT(safetensors_write(path, bad, 1, NULL, 0, &err), STATUS_INVALID);
    bad[0].name = "\xFF";
    T_INT(safetensors_write(path, bad, 1, NULL, 0, &err), STATUS_INVALID);
    bad[0] = tensors[0];
    bad[0].bytes = 4;
    T_INT(safetensors_write(path, bad, 1, NULL, 0, &err), STATUS_INVALID);
    bad[0].dim[0] = -4;
    T_INT(safetensors_write(path, bad, 1, NULL, 0, &err), STATUS_INVALID);
    bad[0].rank = 9;
    T_INT(safetensors_write(path, bad, 1, NULL, 0, &err), STATUS_INVALID);
    struct safetensors_note twice[] = {{"x", "1"}, {"x", "2"}}, broken[] = {{"x", "\xC3"}};
    T_INT(safetensors_write(path, tensors, 1, twice, 2, &err), STATUS_INVALID);
    T_INT(safetensors_write(path, tensors, 1, broken, 1, &err), STATUS_INVALID);
    T_CHECK(!file_exists(path));
}

static void test_too_long_header(void) {
    struct error err = {0};
    char *text = xmalloc(SAFETENSORS_MAX_HEADER_BYTES);
    memset(text, 'x', SAFETENSORS_MAX_HEADER_BYTES - 1);
    text[SAFETENSORS_MAX_HEADER_BYTES - 1] = '\0';
    struct safetensors_note note = {"x", text};
    T_INT(safetensors_write(path, tensors, 1, &note, 1, &err), STATUS_TOO_LARGE);
    T_CHECK(!file_exists(path));
    free(text);
}

static void test_file_errors(void) {
    struct safetensors file;
    struct error err = {0};
    char missing[350];
    snprintf(missing, sizeof missing, "%s/missing/file", folder);
    T_INT(safetensors_open(&file, missing, &err), STATUS_NOT_FOUND);
    T_INT(safetensors_write(missing, tensors, 1, NULL, 0, &err), STATUS_NOT_FOUND);
    T_INT(file_write(path, "not a model", 11, NULL), STATUS_OK);
    T_INT(safetensors_open(&file, path, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, path);
    safetensors_close(&file);
    T_INT(file_write(path, "", 0, NULL), STATUS_OK);
    T_INT(safetensors_open(&file, path, &err), STATUS_CORRUPT);
}

int main(void) {
    snprintf(folder, sizeof folder, "%s", t_temp_dir());
    snprintf(path, sizeof path, "%s/file", folder);
    T_RUN(test_exact_bytes);
    T_RUN(test_reading_back);
    T_RUN(test_equal_input_gives_equal_bytes);
    T_RUN(test_nothing_to_write);
    T_RUN(test_what_could_not_be_read_is_refused);
    T_RUN(test_too_long_header);
    T_RUN(test_file_errors);
    T_INT(file_remove_all(folder, NULL), STATUS_OK);
    return t_done();
}
