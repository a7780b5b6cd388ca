#include "api/base64.h"

#include <string.h>

/* 0 to 63, or -1. */
static int base64_digit(char c) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

bool base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len) {
    if (len == 0 || len % 4)
        return false;
    size_t padding = (text[len - 1] == '=') + (text[len - 1] == '=' && text[len - 2] == '=');
    size_t n = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = i < len - padding ? base64_digit(text[i]) : 0;
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 3)
            continue;
        out[n++] = (uint8_t)(bits >> 16);
        out[n++] = (uint8_t)(bits >> 8);
        out[n++] = (uint8_t)bits;
    }
    bool stray = padding && (bits & ((1u << 8 * padding) - 1));
    *out_len = n - padding;
    return !stray;
}
