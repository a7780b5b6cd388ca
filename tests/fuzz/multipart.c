/* multipart_next: any body with the boundary "b"; parts lie within it, one behind the other. */
#include "tests/fuzz/fuzz.h"

#include "service/http/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    const char *body = (const char *)bytes, *last = body;
    struct multipart form;
    struct multipart_part part;
    struct error err = {0};
    enum status status = multipart_begin(&form, "multipart/form-data; boundary=b", body, len, &err);
    while (!status && !form.is_done) {
        status = multipart_next(&form, &part, &err);
        if (status)
            break;
        CHECK(part.bytes > last && part.len <= len && part.bytes + part.len < body + len);
        last = part.bytes + part.len;
    }
    CHECK(!status || err.message[0]);
    return 0;
}
