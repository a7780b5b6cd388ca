#include "service/http/framing.h"

#include "tests/support/t.h"

/* Headers from "Name: value" lines, as a server would have split them. */
struct sample {
    struct http_headers headers;
    char names[LIMIT_HEADERS][64];
};

static void add(struct sample *sample, const char *line) {
    const char *colon = strchr(line, ':');
    int i = sample->headers.count++;
    size_t len = (size_t)(colon - line);
    memcpy(sample->names[i], line, len);
    sample->names[i][len] = '\0';
    const char *value = colon + 1 + strspn(colon + 1, " ");
    sample->headers.item[i] = (struct http_header){
        .name = sample->names[i], .name_len = len, .value = value, .value_len = strlen(value)};
}

static enum status check(const char *version, const char *const *lines, struct framing *framing) {
    struct sample sample = {0};
    struct error err = {0};
    for (; *lines; lines++)
        add(&sample, *lines);
    return framing_check(&sample.headers, version, framing, &err);
}

#define HTTP_1_1(framing, ...)                                                                     \
    check("HTTP/1.1", (const char *const[]){"Host: x", __VA_ARGS__, NULL}, framing)

static void accepts_what_is_clear(void) {
    struct framing framing;
    T_INT(HTTP_1_1(&framing, "Accept: */*"), STATUS_OK);
    T_INT(framing.length, 0);
    T_CHECK(!framing.chunked);
    T_INT(HTTP_1_1(&framing, "content-length: 17"), STATUS_OK);
    T_INT(framing.length, 17);
    T_INT(HTTP_1_1(&framing, "Transfer-Encoding: Chunked"), STATUS_OK);
    T_CHECK(framing.chunked);
    T_INT(HTTP_1_1(&framing, "Expect: 100-Continue", "Content-Length: 1"), STATUS_OK);
    T_CHECK(framing.expects_continue);
    T_INT(check("HTTP/1.0", (const char *const[]){"Content-Length: 3", NULL}, &framing), STATUS_OK);
    T_INT(framing.length, 3);
}

static void refuses_two_lengths(void) {
    struct framing framing;
    T_INT(HTTP_1_1(&framing, "Content-Length: 5", "Content-Length: 6"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "Content-Length: 5", "CONTENT-LENGTH: 5"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "Content-Length: 5", "Transfer-Encoding: chunked"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
          STATUS_INVALID);
}

static void refuses_lengths_that_are_no_numbers(void) {
    static const char *const bad[] = {"Content-Length: +5",
                                      "Content-Length: -1",
                                      "Content-Length: 5, 5",
                                      "Content-Length: 0x10",
                                      "Content-Length: ",
                                      "Content-Length: 5 ",
                                      "Content-Length: 9223372036854775808",
                                      "Content-Length: 99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct framing framing;
        if (HTTP_1_1(&framing, bad[i]) != STATUS_INVALID)
            T_FAIL("%s is accepted", bad[i]);
    }
}

static void refuses_other_codings(void) {
    struct framing framing;
    T_INT(HTTP_1_1(&framing, "Transfer-Encoding: gzip"), STATUS_UNSUPPORTED);
    T_INT(HTTP_1_1(&framing, "Transfer-Encoding: gzip, chunked"), STATUS_UNSUPPORTED);
    T_INT(HTTP_1_1(&framing, "Transfer-Encoding: chunked, chunked"), STATUS_UNSUPPORTED);
    T_INT(HTTP_1_1(&framing, "Transfer-Encoding: "), STATUS_UNSUPPORTED);
    T_INT(check("HTTP/1.0", (const char *const[]){"Transfer-Encoding: chunked", NULL}, &framing),
          STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "Expect: 200-ok"), STATUS_INVALID);
}

static void refuses_wrong_hosts(void) {
    struct framing framing;
    T_INT(check("HTTP/1.1", (const char *const[]){"Accept: x", NULL}, &framing), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "Host: y"), STATUS_INVALID);
    T_INT(check("HTTP/1.1", (const char *const[]){"Host: a b", NULL}, &framing), STATUS_INVALID);
    T_INT(check("HTTP/1.1", (const char *const[]){"Host: user@x", NULL}, &framing), STATUS_INVALID);
    T_INT(check("HTTP/1.1", (const char *const[]){"Host: [::1]:80", NULL}, &framing), STATUS_OK);
    T_INT(check("HTTP/1.0", (const char *const[]){"Accept: x", NULL}, &framing), STATUS_OK);
}

static void refuses_wrong_lines(void) {
    struct framing framing;
    T_INT(HTTP_1_1(&framing, "Content-Length : 5"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, " X: 5"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "X\t: 5"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, ": 5"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "X(y): 5"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "X: a\x01z"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "X: a\rz"), STATUS_INVALID);
    T_INT(HTTP_1_1(&framing, "X: a\tz"), STATUS_OK);
    T_INT(HTTP_1_1(&framing, "X!#$%&'*+-.^_`|~9: \xC3\xBC"), STATUS_OK);
}

static void refuses_irregular_and_too_many(void) {
    struct sample sample = {0};
    struct framing framing;
    add(&sample, "Host: x");
    T_INT(framing_check(&sample.headers, "HTTP/1.1", &framing, NULL), STATUS_OK);
    sample.headers.item[0].irregular = true;
    T_INT(framing_check(&sample.headers, "HTTP/1.1", &framing, NULL), STATUS_INVALID);
    sample.headers.item[0].irregular = false;
    sample.headers.overflow = true;
    T_INT(framing_check(&sample.headers, "HTTP/1.1", &framing, NULL), STATUS_TOO_LARGE);
}

int main(void) {
    T_RUN(accepts_what_is_clear);
    T_RUN(refuses_two_lengths);
    T_RUN(refuses_lengths_that_are_no_numbers);
    T_RUN(refuses_other_codings);
    T_RUN(refuses_wrong_hosts);
    T_RUN(refuses_wrong_lines);
    T_RUN(refuses_irregular_and_too_many);
    return t_done();
}
