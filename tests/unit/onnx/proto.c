/* Protobuf's wire format, by the examples of its description. */
#include "engine/onnx/proto.h"

#include "tests/support/t.h"

static void check(struct str *out, const char *bytes, size_t len) {
    T_INT(out->len, len);
    T_INT(memcmp(str_text(out), bytes, len), 0);
    str_release(out);
}

static void test_integers(void) {
    struct str out = STR_INIT;
    proto_int(&out, 1, 150);
    check(&out, "\x08\x96\x01", 3);
    proto_int(&out, 1, 0);
    check(&out, "\x08\x00", 2);
    proto_int(&out, 20, 127); /* a tag of two bytes */
    check(&out, "\xa0\x01\x7f", 3);
    proto_int(&out, 1, -2); /* all 64 bits */
    check(&out, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
}

static void test_bytes(void) {
    struct str out = STR_INIT, inner = STR_INIT;
    proto_text(&out, 2, "testing");
    check(&out, "\x12\x07testing", 9);
    proto_int(&inner, 1, 150);
    proto_message(&out, 3, &inner);
    check(&out, "\x1a\x03\x08\x96\x01", 5);
    str_release(&inner);
    proto_message(&out, 3, &inner); /* an empty one */
    check(&out, "\x1a\x00", 2);
    proto_head(&out, 5, 300);
    check(&out, "\x2a\xac\x02", 3);
}

static void test_floats(void) {
    struct str out = STR_INIT;
    proto_float(&out, 2, 1.0f);
    check(&out, "\x15\x00\x00\x80\x3f", 5);
}

int main(void) {
    T_RUN(test_integers);
    T_RUN(test_bytes);
    T_RUN(test_floats);
    return t_done();
}
