/* Signatures of Standard Webhooks. */
#include "service/webhook/signature.h"
#include "tests/support/t.h"

/* What the reference libraries of the specification test themselves with. */
static void test_known_signature(void) {
    struct str body = STR_INIT;
    char signature[SIGNATURE_BYTES];
    str_add(&body, "{\"test\": 2432232314}");
    T_INT(signature_make("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                         1614265330, &body, signature, NULL),
          STATUS_OK);
    T_STR(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    str_release(&body);
}

static void test_secrets(void) {
    struct str body = STR_INIT;
    char one[WEBHOOK_SECRET_BYTES], other[WEBHOOK_SECRET_BYTES];
    char first[SIGNATURE_BYTES], second[SIGNATURE_BYTES];
    webhook_secret_make(one);
    webhook_secret_make(other);
    T_CHECK(str_has_prefix(one, "whsec_"));
    T_INT(strlen(one), 38);
    T_CHECK(strcmp(one, other) != 0);
    T_INT(signature_make(one, "event_1", 1, &body, first, NULL), STATUS_OK);
    T_INT(signature_make(other, "event_1", 1, &body, second, NULL), STATUS_OK);
    T_CHECK(strcmp(first, second) != 0);
}

static void test_broken_secrets(void) {
    static const char *const broken[] = {"", "whsec_", "whsec_???",
                                         "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
    struct str body = STR_INIT;
    char signature[SIGNATURE_BYTES];
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        T_INT(signature_make(broken[i], "event_1", 1, &body, signature, NULL), STATUS_CORRUPT);
}

int main(void) {
    T_RUN(test_known_signature);
    T_RUN(test_secrets);
    T_RUN(test_broken_secrets);
    return t_done();
}
