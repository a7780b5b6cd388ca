#include "engine/onnx/proto.h"

#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Seven bits a byte, the lowest first; the highest bit says that more follow. */
static void add_varint(struct str *out, uint64_t value) {
    uint8_t bytes[10];
    size_t len = 0;
    for (; value >= 128; value >>= 7)
        bytes[len++] = (uint8_t)(value | 128);
    bytes[len++] = (uint8_t)value;
    str_add_bytes(out, bytes, len);
}

static void add_tag(struct str *out, int field, enum wire_type type) {
    add_varint(out, (uint64_t)field << 3 | (uint64_t)type);
}

void proto_int(struct str *out, int field, int64_t value) {
    add_tag(out, field, WIRE_VARINT);
    add_varint(out, (uint64_t)value);
}

void proto_float(struct str *out, int field, float value) {
    add_tag(out, field, WIRE_FIXED32);
    str_add_bytes(out, &value, sizeof value);
}

void proto_head(struct str *out, int field, uint64_t len) {
    add_tag(out, field, WIRE_BYTES);
    add_varint(out, len);
}

void proto_text(struct str *out, int field, const char *value) {
    proto_head(out, field, strlen(value));
    str_add(out, value);
}

void proto_message(struct str *out, int field, const struct str *message) {
    proto_head(out, field, message->len);
    str_add_bytes(out, str_text(message), message->len);
}
