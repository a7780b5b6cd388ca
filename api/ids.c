#include "api/ids.h"

#include "engine/base/clock.h"
#include "engine/base/str.h"

#include <string.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum { TIME_CHARS = 10, RANDOM_BYTES = 10, BITS_PER_CHAR = 5, PREFIX_MAX = 12 };

void id_source_init(struct id_source *source) {
    memset(source, 0, sizeof *source);
    CHECK(pthread_mutex_init(&source->lock, NULL) == 0);
}

void id_source_release(struct id_source *source) {
    pthread_mutex_destroy(&source->lock);
}

/* Adds one to the big-endian number; false when it was the last one. */
static bool increment(uint8_t random[RANDOM_BYTES]) {
    for (int i = RANDOM_BYTES - 1; i >= 0; i--)
        if (++random[i])
            return true;
    return false;
}

static void draw(uint8_t random[RANDOM_BYTES]) {
    CHECK(getrandom(random, RANDOM_BYTES, 0) == RANDOM_BYTES);
}

/* Moves the source to its next value, which is greater than all before. */
static void advance(struct id_source *source) {
    uint64_t now = (uint64_t)clock_wall_ms();
    if (now > source->last_ms) {
        source->last_ms = now;
        draw(source->random);
    } else if (!increment(source->random)) {
        source->last_ms++;
        draw(source->random);
    }
}

static void encode(uint64_t time_ms, const uint8_t random[RANDOM_BYTES], char *out) {
    for (int i = TIME_CHARS - 1; i >= 0; i--, time_ms >>= BITS_PER_CHAR)
        out[i] = alphabet[time_ms & 31];
    for (int i = 0; i < ID_ULID_CHARS - TIME_CHARS; i++) {
        int bit = i * BITS_PER_CHAR, byte = bit / 8;
        unsigned pair = (unsigned)random[byte] << 8;
        pair |= byte + 1 < RANDOM_BYTES ? random[byte + 1] : 0;
        out[TIME_CHARS + i] = alphabet[pair >> (16 - BITS_PER_CHAR - bit % 8) & 31];
    }
    out[ID_ULID_CHARS] = '\0';
}

void id_make(struct id_source *source, const char *prefix, char out[ID_BYTES]) {
    size_t len = strlen(prefix);
    CHECK(len <= PREFIX_MAX);
    str_copy(out, ID_BYTES, prefix);
    pthread_mutex_lock(&source->lock);
    advance(source);
    encode(source->last_ms, source->random, out + len);
    pthread_mutex_unlock(&source->lock);
}

/* The first character holds three bits: 48 bits of time in ten characters. */
static bool is_ulid(const char *text) {
    return strlen(text) == ID_ULID_CHARS && strspn(text, alphabet) == ID_ULID_CHARS &&
           text[0] <= '7';
}

bool id_is_valid(const char *text, const char *prefix) {
    return str_has_prefix(text, prefix) && is_ulid(text + strlen(prefix));
}

int64_t id_time_ms(const char *id) {
    size_t len = strlen(id);
    if (len < ID_ULID_CHARS || !is_ulid(id + len - ID_ULID_CHARS))
        return -1;
    const char *ulid = id + len - ID_ULID_CHARS;
    int64_t time_ms = 0;
    for (int i = 0; i < TIME_CHARS; i++)
        time_ms = time_ms << BITS_PER_CHAR | (strchr(alphabet, ulid[i]) - alphabet);
    return time_ms;
}
