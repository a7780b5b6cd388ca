#include "engine/base/utf8.h"

#include <string.h>

/* Bytes of the character that begins with this byte, and the range of its second byte, which
 * is where overlong forms, surrogates and code points over U+10FFFF show. */
static size_t lead_bytes(uint8_t lead, uint8_t *low, uint8_t *high) {
    *low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

size_t utf8_char_bytes(const char *text, size_t len) {
    if (len == 0)
        return 0;
    const uint8_t *bytes = (const uint8_t *)text;
    uint8_t low, high;
    size_t n = lead_bytes(bytes[0], &low, &high);
    if (n > len || n == 0)
        return 0;
    if (n > 1 && (bytes[1] < low || bytes[1] > high))
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

bool utf8_is_valid(const char *text, size_t len) {
    for (size_t at = 0; at < len;) {
        size_t n = utf8_char_bytes(text + at, len - at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

void utf8_copy(char *out, size_t out_bytes, const char *text) {
    size_t len = strlen(text), at = 0;
    while (len > 0) {
        size_t valid = utf8_char_bytes(text, len), n = valid ? valid : 1;
        if (at + n >= out_bytes)
            break;
        memcpy(out + at, valid ? text : "?", n);
        at += n;
        text += n;
        len -= n;
    }
    out[at] = '\0';
}

size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX_BYTES]) {
    static const uint8_t marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t n = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)(marks[n] | code_point);
    return n;
}
