#include "service/store/secret.h"

#include "engine/base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void secret_make(char out[SECRET_BYTES]) {
    uint8_t random[SECRET_RANDOM_BYTES];
    CHECK(getrandom(random, sizeof random, 0) == sizeof random);
    char *at = out + snprintf(out, SECRET_BYTES, SECRET_PREFIX);
    for (int i = 0; i < SECRET_RANDOM_BYTES; i++, at += 2)
        snprintf(at, 3, "%02x", random[i]);
    explicit_bzero(random, sizeof random);
}

void secret_digest(const char *secret, char out[SHA256_HEX_BYTES]) {
    sha256_hex(secret, strlen(secret), out);
}

/* No branch and no index depends on what is compared. */
bool secret_digests_equal(const char a[SHA256_HEX_BYTES], const char b[SHA256_HEX_BYTES]) {
    volatile unsigned char difference = 0;
    for (int i = 0; i < SHA256_HEX_BYTES; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}
