/*
 * target_parse and framing_check: the head of any request. The first line is the target, each
 * other one a header up to its colon and what follows; what is accepted has one meaning.
 */
#include "tests/fuzz/fuzz.h"

#include "service/http/framing.h"
#include "service/http/target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_BYTES = 4096 };

static void check_target(const char *raw) {
    struct target target;
    struct error err = {0};
    enum status status = target_parse(&target, raw, &err);
    CHECK(!status || err.message[0]);
    for (int i = 0; i < target.segment_count; i++) {
        const char *segment = target.segment[i];
        CHECK(!strchr(segment, '/') && strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0);
    }
    for (int i = 0; i < target.param_count; i++)
        CHECK(target_param(&target, target.param[i].name) == target.param[i].value);
    target_release(&target);
}

/* Cuts the line at its colon, in place. */
static void add_header(struct http_headers *headers, char *line) {
    if (headers->count == LIMIT_HEADERS) {
        headers->overflow = true;
        return;
    }
    char *colon = strchr(line, ':');
    char *value = colon ? colon + 1 : line + strlen(line);
    if (colon)
        *colon = '\0';
    headers->item[headers->count++] = (struct http_header){
        .name = line, .value = value, .name_len = strlen(line), .value_len = strlen(value)};
}

static int count_of(const struct http_headers *headers, const char *name) {
    int count = 0;
    for (int i = 0; i < headers->count; i++)
        count += strcasecmp(headers->item[i].name, name) == 0;
    return count;
}

static void check_headers(const struct http_headers *headers, const char *version) {
    struct framing framing;
    struct error err = {0};
    if (framing_check(headers, version, &framing, &err)) {
        CHECK(err.message[0]);
        return;
    }
    int lengths = count_of(headers, "content-length");
    int codings = count_of(headers, "transfer-encoding");
    CHECK(lengths + codings <= 1 && framing.chunked == (codings == 1));
    CHECK(!framing.length || lengths == 1);
    CHECK(count_of(headers, "host") <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char text[TEXT_BYTES + 1];
    len = len < TEXT_BYTES ? len : TEXT_BYTES;
    memcpy(text, bytes, len);
    text[len] = '\0';
    struct http_headers headers = {0};
    char *rest = text, *line = strsep(&rest, "\n");
    check_target(line);
    while ((line = strsep(&rest, "\n")))
        add_header(&headers, line);
    check_headers(&headers, "HTTP/1.1");
    check_headers(&headers, "HTTP/1.0");
    return 0;
}
