#include "engine/base/safetensors.h"

#include "engine/base/rng.h"
#include "engine/base/str.h"
#include "tests/support/t.h"

/* A file made of a header and n_data bytes 0, 1, 2 ...; free() it. The allocation ends with the
 * last byte, so that a sanitizer sees every read beyond it. */
static uint8_t *make_file(const char *header, size_t n_data, size_t *len) {
    uint64_t header_len = strlen(header);
    *len = 8 + header_len + n_data;
    uint8_t *bytes = xmalloc(*len);
    memcpy(bytes, &header_len, 8);
    memcpy(bytes + 8, header, header_len);
    for (size_t i = 0; i < n_data; i++)
        bytes[8 + header_len + i] = (uint8_t)i;
    return bytes;
}

static const char two[] = "{\"__metadata__\":{\"format\":\"pt\",\"x\":\"y\"},"
                          "\"late\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[6,14]},"
                          "\"early\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,6]},"
                          "\"none\":{\"dtype\":\"F64\",\"shape\":[0,3],\"data_offsets\":[6,6]}}";

static void test_reading(void) {
    size_t len;
    uint8_t *bytes = make_file(two, 14, &len);
    struct safetensors file;
    T_INT(safetensors_parse(&file, bytes, len, NULL), STATUS_OK);
    T_INT(file.count, 3);
    T_STR(file.tensors[0].name, "early");
    T_STR(file.tensors[1].name, "none");
    T_STR(file.tensors[2].name, "late");
    const struct tensor *late = safetensors_find(&file, "late");
    T_CHECK(late == &file.tensors[2]);
    T_INT(late->type, TENSOR_F32);
    T_INT(late->rank, 2);
    T_INT(late->dim[0] * 10 + late->dim[1], 21);
    T_INT(late->bytes, 8);
    T_INT(tensor_elements(late), 2);
    T_CHECK((const uint8_t *)late->data == bytes + len - 8);
    T_INT(tensor_elements(safetensors_find(&file, "none")), 0);
    T_CHECK(!safetensors_find(&file, "missing") && !safetensors_find(&file, "__metadata__"));
    T_STR(safetensors_metadata(&file, "format"), "pt");
    T_CHECK(!safetensors_metadata(&file, "missing"));
    safetensors_close(&file);
    safetensors_close(&file);
    free(bytes);
}

static void test_empty_file_without_metadata(void) {
    static const char *const headers[] = {"{}", "{}      ", "{\"__metadata__\":{}}"};
    for (int i = 0; i < 3; i++) {
        size_t len;
        uint8_t *bytes = make_file(headers[i], 0, &len);
        struct safetensors file;
        T_INT(safetensors_parse(&file, bytes, len, NULL), STATUS_OK);
        T_INT(file.count, 0);
        T_CHECK(!safetensors_find(&file, "x") && !safetensors_metadata(&file, "x"));
        safetensors_close(&file);
        free(bytes);
    }
}

static void check_corrupt(const uint8_t *bytes, size_t len, const char *message) {
    struct safetensors file;
    struct error err = {0};
    T_INT(safetensors_parse(&file, bytes, len, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, message);
    T_CHECK(file.tensors == NULL && file.arena.head == NULL);
}

/* One tensor "a" with these attributes, over 8 bytes of data. */
#define ONE(attributes) "{\"a\":{" attributes "}}"
#define BYTES8 "\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]"

static const struct {
    const char *header, *message;
} lies[] = {
    /* the JSON */
    {"", "does not begin with '{'"},
    {"[]", "does not begin with '{'"},
    {" {}", "does not begin with '{'"},
    {"7", "does not begin with '{'"},
    {"{\"a\":", "json: missing value"},
    {"{} x", "json: something after the value"},
    {"{\"a\":{" BYTES8 "},\"a\":{" BYTES8 "}}", "duplicate key \"a\""},
    {"{\"a\":7}", "tensor a: not an object"},
    {"{\"a\":null}", "tensor a: not an object"},
    /* metadata */
    {"{\"__metadata__\":[]}", "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"x\":1}}", "__metadata__: x is not a string"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", "duplicate key"},
    /* dtype */
    {ONE("\"shape\":[8],\"data_offsets\":[0,8]"), "dtype"},
    {ONE("\"dtype\":8,\"shape\":[8],\"data_offsets\":[0,8]"), "dtype"},
    {ONE("\"dtype\":\"U9\",\"shape\":[8],\"data_offsets\":[0,8]"), "dtype U9 is not known"},
    {ONE("\"dtype\":\"u8\",\"shape\":[8],\"data_offsets\":[0,8]"), "dtype u8 is not known"},
    {ONE("\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[0,8]"), "its shape needs 32"},
    /* shape */
    {ONE("\"dtype\":\"U8\",\"data_offsets\":[0,8]"), "shape is not an array"},
    {ONE("\"dtype\":\"U8\",\"shape\":8,\"data_offsets\":[0,8]"), "shape is not an array"},
    {ONE("\"dtype\":\"U8\",\"shape\":[-8],\"data_offsets\":[0,8]"), "not a whole number"},
    {ONE("\"dtype\":\"U8\",\"shape\":[8.0],\"data_offsets\":[0,8]"), "not a whole number"},
    {ONE("\"dtype\":\"U8\",\"shape\":[\"8\"],\"data_offsets\":[0,8]"), "not a whole number"},
    {ONE("\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,8]"),
     "not a whole number"},
    {ONE("\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,8],\"data_offsets\":[0,8]"), "9 dimensions"},
    {ONE("\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]"), "too large"},
    {ONE("\"dtype\":\"U8\",\"shape\":[4611686018427387904,2,0],\"data_offsets\":[0,0]"),
     "too large"},
    {ONE("\"dtype\":\"U64\",\"shape\":[2305843009213693953],\"data_offsets\":[0,8]"), "too large"},
    {ONE("\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[0,8]"), "its shape needs 7"},
    /* offsets */
    {ONE("\"dtype\":\"U8\",\"shape\":[8]"), "data_offsets is not an array of two"},
    {ONE("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8]"), "not an array of two"},
    {ONE("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8,8]"), "not an array of two"},
    {ONE("\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]"), "not within the 8 bytes"},
    {ONE("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[-8,0]"), "not within"},
    {ONE("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8,0]"), "not within"},
    {ONE("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[9223372036854775800,"
         "9223372036854775807]"),
     "not within"},
    {ONE("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0.0,8]"), "not within"},
    {ONE("\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[\"0\",\"8\"]"), "not within"},
    /* tiling */
    {"{}", "8 bytes after the last tensor"},
    {ONE("\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[0,7]"), "1 bytes after the last"},
    {ONE("\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[1,8]"), "hole of 1 bytes before"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[5,8]}}",
     "hole of 2 bytes before tensor b"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
     "tensor b overlaps another"},
    {"{\"a\":{" BYTES8 "},\"b\":{" BYTES8 "}}", "tensor b overlaps another"},
    {"{\"a\":{" BYTES8 "},\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}}",
     "tensor b overlaps another"},
};

static void test_lying_headers(void) {
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        size_t len;
        uint8_t *bytes = make_file(lies[i].header, 8, &len);
        check_corrupt(bytes, len, lies[i].message);
        free(bytes);
    }
}

static void test_lying_header_lengths(void) {
    static const uint64_t lengths[] = {400, 1 << 20, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    size_t len;
    uint8_t *bytes = make_file(two, 14, &len);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(bytes, &lengths[i], 8);
        check_corrupt(bytes, len, "does not fit into");
    }
    check_corrupt(bytes, 7, "too few");
    check_corrupt(bytes, 0, "too few");
    uint64_t zero = 0;
    memcpy(bytes, &zero, 8);
    check_corrupt(bytes, 8, "does not begin");
    free(bytes);
}

static void test_too_long_header(void) {
    char *header = xmalloc(SAFETENSORS_MAX_HEADER_BYTES + 2);
    struct safetensors file;
    size_t len;
    memset(header, ' ', SAFETENSORS_MAX_HEADER_BYTES + 1);
    memcpy(header, "{}", 2);
    header[SAFETENSORS_MAX_HEADER_BYTES + 1] = '\0';
    uint8_t *bytes = make_file(header, 0, &len);
    check_corrupt(bytes, len, "at most 16777216 are allowed");
    free(bytes);
    header[SAFETENSORS_MAX_HEADER_BYTES] = '\0';
    bytes = make_file(header, 0, &len);
    T_INT(safetensors_parse(&file, bytes, len, NULL), STATUS_OK);
    safetensors_close(&file);
    free(bytes);
    free(header);
}

/* Every cut and many changed bytes: an error or a file whose every tensor can be read. */
static void test_damaged_files(void) {
    static const char likely[] = "0123456789[]{},:\"";
    size_t len;
    uint8_t *bytes = make_file(two, 14, &len);
    for (size_t cut = 0; cut < len; cut++) {
        struct safetensors file;
        uint8_t *copy = xmalloc(cut);
        memcpy(copy, bytes, cut);
        T_INT(safetensors_parse(&file, copy, cut, NULL), STATUS_CORRUPT);
        free(copy);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        struct safetensors file;
        struct rng_block random = rng_philox(6, i, 0, RNG_TEST, 0);
        uint8_t *byte = &bytes[rng_below(random.word[0], (uint32_t)len)], kept = *byte, sum = 0;
        *byte =
            i % 2 ? (uint8_t)random.word[1] : (uint8_t)likely[random.word[1] % (sizeof likely - 1)];
        if (safetensors_parse(&file, bytes, len, NULL) == STATUS_OK) {
            for (size_t t = 0; t < file.count; t++)
                for (size_t k = 0; k < file.tensors[t].bytes; k++)
                    sum = (uint8_t)(sum + ((const uint8_t *)file.tensors[t].data)[k]);
            T_INT(sum, sum);
            safetensors_close(&file);
        }
        *byte = kept;
    }
    free(bytes);
}

static uint8_t *make_many(int count, size_t *len) {
    struct str header = STR_INIT;
    str_add(&header, "{");
    for (int i = 0; i < count; i++)
        str_addf(&header, "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                 i ? "," : "", i, i, i + 1);
    str_add(&header, "}");
    uint8_t *bytes = make_file(str_text(&header), (size_t)count, len);
    str_release(&header);
    return bytes;
}

static void test_many_tensors(void) {
    size_t len;
    struct safetensors file;
    uint8_t *bytes = make_many(SAFETENSORS_MAX_TENSORS, &len);
    T_INT(safetensors_parse(&file, bytes, len, NULL), STATUS_OK);
    T_INT(file.count, SAFETENSORS_MAX_TENSORS);
    for (int i = 0; i < SAFETENSORS_MAX_TENSORS; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        const struct tensor *tensor = safetensors_find(&file, name);
        if (!tensor || tensor != &file.tensors[i] || *(const uint8_t *)tensor->data != (uint8_t)i)
            T_FAIL("%s was not found in its place", name);
    }
    safetensors_close(&file);
    free(bytes);
    bytes = make_many(SAFETENSORS_MAX_TENSORS + 1, &len);
    T_INT(safetensors_parse(&file, bytes, len, NULL), STATUS_TOO_LARGE);
    free(bytes);
}

int main(void) {
    T_RUN(test_reading);
    T_RUN(test_empty_file_without_metadata);
    T_RUN(test_lying_headers);
    T_RUN(test_lying_header_lengths);
    T_RUN(test_too_long_header);
    T_RUN(test_damaged_files);
    T_RUN(test_many_tensors);
    return t_done();
}
