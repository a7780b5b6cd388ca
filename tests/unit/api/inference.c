/* Requests of the Open Inference Protocol: both places where data may be, and lies about them. */
#include "api/inference.h"

#include "api/base64.h"
#include "engine/base/str.h"
#include "tests/support/t.h"

#define HEAD "{\"inputs\":[{\"name\":\"images\",\"datatype\":"
#define PIXELS HEAD "\"UINT8\",\"shape\":[1,1,2,3],"

static struct inference_request request;
static struct error err;

/* The bytes stand behind the JSON in a copy of exactly that size, so that sanitizers see more. */
static enum status decode(const char *json, const void *behind, size_t behind_len) {
    size_t json_len = strlen(json), len = json_len + behind_len;
    static char *body;
    free(body);
    body = xmalloc(len ? len : 1);
    memcpy(body, json, json_len);
    if (behind_len)
        memcpy(body + json_len, behind, behind_len);
    memset(&err, 0, sizeof err);
    return inference_request_decode(&request, body, len, json_len, &err);
}

static void refuses(const char *json, const char *behind, size_t len, const char *words) {
    T_INT(decode(json, behind, len), STATUS_INVALID);
    T_STR(err.field, "");
    T_CONTAINS(err.message, words);
}

static void test_pixels(void) {
    static const uint8_t expected[] = {0, 1, 2, 253, 254, 255};
    static const struct {
        const char *json, *behind;
        size_t len;
    } cases[] = {
        {PIXELS "\"data\":[0,1,2,253,254,255]}]}", "", 0},
        {PIXELS "\"data\":[[[[0,1,2],[253,254,255]]]]}]}", "", 0},
        {PIXELS "\"parameters\":{\"binary_data_size\":6}}]}", "\0\1\2\xfd\xfe\xff", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        T_INT(decode(cases[i].json, cases[i].behind, cases[i].len), STATUS_OK);
        T_INT(request.pixels.len, 6);
        T_CHECK(memcmp(request.pixels.bytes, expected, 6) == 0);
        T_CHECK(!request.encoded && !request.id);
        T_INT(request.output_count, 2);
        T_CHECK(!request.output[0].is_binary && !request.output[0].best);
        inference_request_release(&request);
    }
}

static void test_files(void) {
    static const char json[] = HEAD "\"BYTES\",\"shape\":[2],\"data\":[\"YQ==\",\"YmM=\"]}]}";
    static const char binary[] =
        HEAD "\"BYTES\",\"shape\":[2],\"parameters\":{\"binary_data_size\":11}}]}";
    for (int way = 0; way < 2; way++) {
        T_INT(decode(way ? binary : json, "\1\0\0\0a\2\0\0\0bc", way ? 11 : 0), STATUS_OK);
        T_INT(request.encoded[0].len, 1);
        T_INT(request.encoded[1].len, 2);
        T_CHECK(memcmp(request.encoded[0].bytes, "a", 1) == 0);
        T_CHECK(memcmp(request.encoded[1].bytes, "bc", 2) == 0);
        inference_request_release(&request);
    }
}

static void test_outputs(void) {
    T_INT(decode("{\"id\":\"x\",\"parameters\":{\"binary_data_output\":true,\"priority\":1},"
                 "\"outputs\":[{\"name\":\"probabilities\",\"parameters\":{\"classification\":3}},"
                 "{\"name\":\"logits\",\"parameters\":{\"binary_data\":false}}],"
                 "\"inputs\":[{\"name\":\"images\",\"datatype\":\"UINT8\",\"shape\":[1,1,1,1],"
                 "\"data\":[7]}]}",
                 "", 0),
          STATUS_OK);
    T_STR(request.id, "x");
    T_INT(request.output_count, 2);
    T_INT(request.output[0].kind, INFERENCE_PROBABILITIES);
    T_INT(request.output[0].best, 3);
    T_CHECK(request.output[0].is_binary);
    T_INT(request.output[1].kind, INFERENCE_LOGITS);
    T_CHECK(!request.output[1].is_binary);
    inference_request_release(&request);
}

static void test_lies(void) {
    static const char six[] = PIXELS "\"parameters\":{\"binary_data_size\":6}}]}";
    static const char nine[] =
        HEAD "\"BYTES\",\"shape\":[2],\"parameters\":{\"binary_data_size\":9}}]}";
    refuses(six, "12345", 5, "is 6, but 5 bytes follow");
    refuses(six, "1234567", 7, "is 6, but 7 bytes follow");
    refuses(PIXELS "\"parameters\":{\"binary_data_size\":5}}]}", "12345", 5,
            "5 elements, its shape says 6");
    refuses(PIXELS "\"data\":[1,2,3]}]}", "", 0, "3 elements, its shape says 6");
    refuses(PIXELS "\"data\":[1,2,3,4,5,6,7,8]}]}", "", 0, "8 elements, its shape says 6");
    refuses(PIXELS "\"data\":[1,2,3,4,5,6]}]}", "1", 1, "belong to no input");
    refuses(PIXELS "\"data\":[1],\"parameters\":{\"binary_data_size\":6}}]}", "123456", 6,
            "and not both");
    refuses(nine, "\1\0\0\0a\xff\xff\xff\xff", 9, "element 1");
    refuses(nine, "\1\0\0\0a\1\0\0\0", 9, "element 1");
    refuses(nine, "\6\0\0\0aaaaa", 9, "element 0");
    refuses(nine, "\3\0\0\0aaaaa", 9, "element 1");
    T_INT(inference_request_decode(&request, "{}", 2, 3, &err), STATUS_INVALID);
    T_CONTAINS(err.message, "is 3, but the body has 2 bytes");
}

static void test_limits(void) {
    T_INT(decode(HEAD "\"UINT8\",\"shape\":[1025,1,1,1],\"data\":[1]}]}", "", 0), STATUS_TOO_LARGE);
    T_INT(decode(HEAD "\"BYTES\",\"shape\":[65],\"data\":[\"YQ==\"]}]}", "", 0), STATUS_TOO_LARGE);
    T_INT(decode(HEAD "\"UINT8\",\"shape\":[1024,2147483647,2147483647,2147483647],\"data\":[1]}]}",
                 "", 0),
          STATUS_TOO_LARGE);
}

static void test_base64(void) {
    uint8_t out[8];
    size_t len;
    T_CHECK(base64_decode("AAEC", 4, out, &len) && len == 3 && out[2] == 2);
    static const char *const bad[] = {"", "A", "AB=C", "AB==", "A===", "====", "AA\nA", "AAA-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        T_CHECK(!base64_decode(bad[i], strlen(bad[i]), out, &len));
}

int main(void) {
    T_RUN(test_pixels);
    T_RUN(test_files);
    T_RUN(test_outputs);
    T_RUN(test_lies);
    T_RUN(test_limits);
    T_RUN(test_base64);
    return t_done();
}
