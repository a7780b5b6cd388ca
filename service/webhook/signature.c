#include "service/webhook/signature.h"

#include "api/base64.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <string.h>

enum { SECRET_RAW_BYTES = 24, SHA256_BYTES = 32 };

void webhook_secret_make(char out[WEBHOOK_SECRET_BYTES]) {
    unsigned char bytes[SECRET_RAW_BYTES];
    struct str text = STR_INIT;
    CHECK(gnutls_rnd(GNUTLS_RND_KEY, bytes, sizeof bytes) == 0);
    str_add(&text, WEBHOOK_SECRET_PREFIX);
    str_add_base64(&text, bytes, sizeof bytes);
    CHECK(str_copy(out, WEBHOOK_SECRET_BYTES, str_text(&text)));
    str_release(&text);
}

enum status signature_make(const char *secret, const char *id, int64_t timestamp_s,
                           const struct str *body, char out[SIGNATURE_BYTES], struct error *err) {
    uint8_t key[WEBHOOK_SECRET_BYTES], digest[SHA256_BYTES];
    size_t key_len, prefix = strlen(WEBHOOK_SECRET_PREFIX);
    struct str text = STR_INIT;
    if (!str_has_prefix(secret, WEBHOOK_SECRET_PREFIX) || strlen(secret) >= WEBHOOK_SECRET_BYTES ||
        !base64_decode(secret + prefix, strlen(secret + prefix), key, &key_len))
        return error_set(err, STATUS_CORRUPT, "the secret of a webhook is damaged");
    str_addf(&text, "%s.%lld.", id, (long long)timestamp_s);
    str_add_bytes(&text, str_text(body), body->len);
    CHECK(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key_len, str_text(&text), text.len, digest) ==
          0);
    str_clear(&text);
    str_add(&text, "v1,");
    str_add_base64(&text, digest, sizeof digest);
    CHECK(str_copy(out, SIGNATURE_BYTES, str_text(&text)));
    str_release(&text);
    return STATUS_OK;
}
