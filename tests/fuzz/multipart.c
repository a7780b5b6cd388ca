/*
 * multipart_next: any body with the boundary "b", and any body behind a line that is the content
 * type; parts lie within the body, one behind the other.
 */
#include "tests/fuzz/fuzz.h"

#include "service/http/multipart.h"

#include <stdlib.h>
#include <string.h>

static void check_body(const char *header, const char *body, size_t len) {
    const char *last = body;
    struct multipart form;
    struct multipart_part part;
    struct error err = {0};
    enum status status = multipart_begin(&form, header, body, len, &err);
    while (!status && !form.is_done) {
        status = multipart_next(&form, &part, &err);
        if (status)
            break;
        CHECK(part.bytes > last && part.len <= len && part.bytes + part.len < body + len);
        last = part.bytes + part.len;
    }
    CHECK(!status || err.message[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    const char *text = (const char *)bytes;
    const char *end = memchr(text, '\n', len);
    check_body("multipart/form-data; boundary=b", text, len);
    if (end) {
        char *header = xmalloc((size_t)(end - text) + 1);
        memcpy(header, text, (size_t)(end - text));
        header[end - text] = '\0';
        check_body(header, end + 1, len - (size_t)(end + 1 - text));
        free(header);
    }
    return 0;
}
