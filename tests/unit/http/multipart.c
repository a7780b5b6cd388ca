/* Bodies of forms: what curl and httpx send, and what breaks the rules. */
#include "service/http/multipart.h"

#include "engine/base/mem.h"
#include "tests/support/t.h"

#define TYPE "multipart/form-data; boundary=b-1"

static struct error err;
static char found[256]; /* the parts, each in brackets */

/* Reads all parts of a copy of exactly that size, so that sanitizers see what is read beyond. */
static enum status read_form(const char *type, const char *text, size_t len) {
    struct multipart form;
    struct multipart_part part;
    size_t used = 0;
    char *body = xmalloc(len ? len : 1);
    memcpy(body, text, len);
    memset(&err, 0, sizeof err);
    found[0] = '\0';
    enum status status = multipart_begin(&form, type, body, len, &err);
    while (!status && !form.is_done) {
        status = multipart_next(&form, &part, &err);
        if (!status)
            used += (size_t)snprintf(found + used, sizeof found - used, "[%.*s]", (int)part.len,
                                     part.bytes);
    }
    free(body);
    return status;
}

static void expect(const char *type, const char *text, const char *parts) {
    T_INT(read_form(type, text, strlen(text)), STATUS_OK);
    T_STR(found, parts);
}

static void refuse(const char *type, const char *text, const char *words) {
    T_INT(read_form(type, text, strlen(text)), STATUS_INVALID);
    T_STR(err.field, "");
    T_CONTAINS(err.message, words);
}

static void reads_parts(void) {
    expect(TYPE,
           "--b-1\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x.png\"\r\n"
           "Content-Type: image/png\r\n\r\none\r\n--b-1\r\nX: "
           "y\r\n\r\n\r\n--\r\ntwo\r\n\r\n--b-1--\r\n",
           "[one][\r\n--\r\ntwo\r\n]");
    expect(TYPE, "before\r\n--b-1 \t\r\n\r\nbare\r\n--b-1--after", "[bare]");
    expect(TYPE, "--b-1\r\nA: b\r\n\r\n\r\n--b-1--", "[]");
    expect(TYPE, "--b-1--", "");
    expect("multipart/form-data; charset=x; BOUNDARY=\"a b\"", "--a b\r\n\r\n1\r\n--a b--", "[1]");
    expect("multipart/form-data;boundary=b; x=y", "--b\r\n\r\n1\r\n--b--", "[1]");
}

static void refuses_boundaries(void) {
    static const char *const types[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"b",
        "multipart/form-data; boundary=\"b \"",
        "multipart/form-data; boundary=a{b",
        ("multipart/form-data; boundary="
         "12345678901234567890123456789012345678901234567890123456789012345678901"),
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        refuse(types[i], "--b\r\n\r\n1\r\n--b--", "no boundary of 1 to 70");
    expect("multipart/form-data; boundary="
           "1234567890123456789012345678901234567890123456789012345678901234567890",
           "--1234567890123456789012345678901234567890123456789012345678901234567890--", "");
}

static void refuses_bodies(void) {
    refuse(TYPE, "", "closing boundary");
    refuse(TYPE, "--b-2--", "closing boundary");
    refuse(TYPE, "--b-1\r\nA: b\r\n", "part 0 has no end of its headers");
    refuse(TYPE, "--b-1\r\n\r\none", "closing boundary");
    refuse(TYPE, "--b-1\r\n\r\none\r\n--b-1", "before part 1 is not a line");
    refuse(TYPE, "--b-1\r\n\r\none\r\n--b-1x\r\n\r\n\r\n--b-1--", "before part 1 is not a line");
    refuse(TYPE, "--b-1\n\none\n--b-1--", "before part 0 is not a line");
    refuse(TYPE, "--b-1\r\n\r\none\r\n--b-1\r\n\r\ntwo\r\n", "closing boundary");
}

/* Every beginning of a right body is refused, never read beyond. */
static void refuses_what_is_cut(void) {
    static const char body[] = "--b-1\r\nA: b\r\n\r\none\r\n--b-1\r\n\r\ntwo\r\n--b-1--";
    for (size_t len = 0; len < sizeof body - 1; len++)
        T_INT(read_form(TYPE, body, len), STATUS_INVALID);
    T_INT(read_form(TYPE, body, sizeof body - 1), STATUS_OK);
}

int main(void) {
    T_RUN(reads_parts);
    T_RUN(refuses_boundaries);
    T_RUN(refuses_bodies);
    T_RUN(refuses_what_is_cut);
    return t_done();
}
