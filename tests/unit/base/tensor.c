#include "engine/base/safetensors.h"

#include "tests/support/t.h"

/* Converts n elements that lie at an odd address. */
static void convert(enum tensor_type type, const void *data, int64_t n, float *out) {
    size_t bytes = (size_t)n * tensor_type_bytes(type);
    char *copy = xmalloc(bytes + 1);
    memcpy(copy + 1, data, bytes);
    struct tensor tensor = {
        .name = "t", .type = type, .rank = 1, .dim = {n}, .data = copy + 1, .bytes = bytes};
    T_INT(tensor_to_f32(&tensor, out, NULL), STATUS_OK);
    free(copy);
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void test_types(void) {
    T_STR(tensor_type_name(TENSOR_F32), "F32");
    T_STR(tensor_type_name(TENSOR_BF16), "BF16");
    T_STR(tensor_type_name(TENSOR_BOOL), "BOOL");
    T_INT(tensor_type_bytes(TENSOR_BOOL), 1);
    T_INT(tensor_type_bytes(TENSOR_F16), 2);
    T_INT(tensor_type_bytes(TENSOR_F64), 8);
}

static void test_elements(void) {
    T_INT(tensor_elements(&(struct tensor){.rank = 0}), 1);
    T_INT(tensor_elements(&(struct tensor){.rank = 3, .dim = {2, 3, 4}}), 24);
    T_INT(tensor_elements(&(struct tensor){.rank = 2, .dim = {2, 0}}), 0);
}

static void test_f32(void) {
    const float in[3] = {1.5f, -0.0f, 1e-45f};
    float out[3];
    convert(TENSOR_F32, in, 3, out);
    T_INT(memcmp(in, out, sizeof in), 0);
}

/* All 65536 halves against the definition. */
static void test_f16(void) {
    uint16_t *in = xcalloc(65536, sizeof *in);
    float *out = xcalloc(65536, sizeof *out);
    for (int i = 0; i < 65536; i++)
        in[i] = (uint16_t)i;
    convert(TENSOR_F16, in, 65536, out);
    for (int i = 0; i < 65536; i++) {
        int exponent = i >> 10 & 31, fraction = i & 1023;
        double expected = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
        if (exponent == 31)
            expected = fraction ? (double)NAN : (double)INFINITY;
        bool same = isnan(expected) ? isnan(out[i]) : fabs((double)out[i]) == expected;
        if (!same || (bits_of(out[i]) >> 31) != (uint32_t)i >> 15)
            T_FAIL("half %04x became %a, expected %a", (unsigned)i, (double)out[i], expected);
    }
    free(in);
    free(out);
}

static void test_f16_examples(void) {
    const uint16_t in[] = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x03FF, 0x0400, 0x7C00, 0xFC00, 0x8000};
    const float expected[] = {1,        -2,       65504,     0x1p-24f, 0x1.ff8p-15f,
                              0x1p-14f, INFINITY, -INFINITY, -0.0f};
    float out[9];
    convert(TENSOR_F16, in, 9, out);
    for (int i = 0; i < 9; i++)
        T_INT(bits_of(out[i]), bits_of(expected[i]));
}

static void test_bf16(void) {
    const uint16_t in[] = {0x3F80, 0xC000, 0x7F80, 0xFF80, 0x7FC0, 0x0001, 0x8000};
    float out[7];
    convert(TENSOR_BF16, in, 7, out);
    for (int i = 0; i < 7; i++)
        T_INT(bits_of(out[i]), (uint32_t)in[i] << 16);
    T_NEAR(out[0], 1, 0);
    T_CHECK(isnan(out[4]));
}

static void test_f64(void) {
    const double in[] = {0.1, -1e300, 1e-300, (double)NAN, 16777217};
    float out[5];
    convert(TENSOR_F64, in, 5, out);
    T_CHECK(out[0] == 0.1f && isinf(out[1]) && out[1] < 0 && out[2] == 0);
    T_CHECK(isnan(out[3]) && out[4] == 16777216.0f);
}

static void test_other_types_are_refused(void) {
    struct error err = {0};
    int32_t data = 1;
    float out;
    struct tensor tensor = {.name = "t", .type = TENSOR_I32, .data = &data, .bytes = 4};
    T_INT(tensor_to_f32(&tensor, &out, &err), STATUS_UNSUPPORTED);
    T_STR(err.message, "tensor t: I32 cannot become F32");
}

static void test_integers(void) {
    const int32_t narrow = -3;
    const int64_t wide = -5000000000;
    uint8_t bytes[9];
    memcpy(bytes + 1, &narrow, sizeof narrow); /* unaligned, as in a file */
    T_INT(tensor_integer(TENSOR_I32, bytes + 1), -3);
    memcpy(bytes + 1, &wide, sizeof wide);
    T_INT(tensor_integer(TENSOR_I64, bytes + 1), wide);
}

static void test_empty_tensor(void) {
    struct tensor tensor = {.name = "t", .type = TENSOR_F32, .rank = 1, .dim = {0}};
    T_INT(tensor_to_f32(&tensor, NULL, NULL), STATUS_OK);
}

int main(void) {
    T_RUN(test_types);
    T_RUN(test_elements);
    T_RUN(test_f32);
    T_RUN(test_f16);
    T_RUN(test_f16_examples);
    T_RUN(test_bf16);
    T_RUN(test_f64);
    T_RUN(test_other_types_are_refused);
    T_RUN(test_integers);
    T_RUN(test_empty_tensor);
    return t_done();
}
