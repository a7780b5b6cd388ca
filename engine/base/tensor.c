/* What safetensors.h says about a tensor of its own: types and conversion to floats. */
#include "engine/base/safetensors.h"

#include <string.h>

int64_t tensor_elements(const struct tensor *tensor) {
    int64_t product = 1;
    for (int i = 0; i < tensor->rank; i++)
        product *= tensor->dim[i];
    return product;
}

bool tensor_shape_bytes(const struct tensor *tensor, size_t *bytes) {
    *bytes = tensor_type_bytes(tensor->type);
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dim[i] < 0 || !mem_mul(*bytes, (size_t)tensor->dim[i], bytes) ||
            *bytes > INT64_MAX)
            return false;
    return true;
}

size_t tensor_type_bytes(enum tensor_type type) {
    static const size_t bytes[TENSOR_TYPE_COUNT] = {
#define TENSOR_BYTES(name, n_bytes) n_bytes,
        TENSOR_TYPE_MAP(TENSOR_BYTES)
#undef TENSOR_BYTES
    };
    return bytes[type];
}

const char *tensor_type_name(enum tensor_type type) {
    static const char *const names[TENSOR_TYPE_COUNT] = {
#define TENSOR_NAME(name, n_bytes) #name,
        TENSOR_TYPE_MAP(TENSOR_NAME)
#undef TENSOR_NAME
    };
    return names[type];
}

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* With integers only: a multiplication would lose subnormals where the processor flushes them. */
static float float_of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3FF;
    if (exponent == 31) /* infinity, or NaN with its payload */
        return float_of_bits(sign | 0x7F800000 | fraction << 13);
    if (exponent == 0 && fraction == 0)
        return float_of_bits(sign);
    if (exponent == 0) { /* subnormal: shift the leading one to where it is implied */
        int shift = __builtin_clz(fraction) - 21;
        fraction = fraction << shift & 0x3FF;
        return float_of_bits(sign | (uint32_t)(113 - shift) << 23 | fraction << 13);
    }
    return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static void convert_f16(const uint8_t *from, float *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, from + i * sizeof half, sizeof half);
        to[i] = float_of_half(half);
    }
}

static void convert_bf16(const uint8_t *from, float *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t high;
        memcpy(&high, from + i * sizeof high, sizeof high);
        to[i] = float_of_bits((uint32_t)high << 16);
    }
}

static void convert_f64(const uint8_t *from, float *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double value;
        memcpy(&value, from + i * sizeof value, sizeof value);
        to[i] = (float)value;
    }
}

enum status tensor_to_f32(const struct tensor *tensor, float *out, struct error *err) {
    size_t n = (size_t)tensor_elements(tensor);
    switch (tensor->type) {
    case TENSOR_F32:
        if (n)
            memcpy(out, tensor->data, n * sizeof *out);
        return STATUS_OK;
    case TENSOR_F16:
        convert_f16(tensor->data, out, n);
        return STATUS_OK;
    case TENSOR_BF16:
        convert_bf16(tensor->data, out, n);
        return STATUS_OK;
    case TENSOR_F64:
        convert_f64(tensor->data, out, n);
        return STATUS_OK;
    default:
        return error_set(err, STATUS_UNSUPPORTED, "tensor %s: %s cannot become F32", tensor->name,
                         tensor_type_name(tensor->type));
    }
}

int64_t tensor_integer(enum tensor_type type, const void *at) {
    int64_t wide;
    int32_t narrow;
    if (type == TENSOR_I64) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}
