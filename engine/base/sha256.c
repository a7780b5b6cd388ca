#include "engine/base/sha256.h"

#include "engine/base/mem.h"
#include "engine/base/sha256_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From this many blocks on it pays to ask for the instructions, each time: no state to keep. */
enum { BLOCK_BYTES = 64, ASK_FROM_BLOCKS = 128, FILE_CHUNK_BYTES = 1 << 18 };

const uint32_t sha256_round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static uint32_t load_big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_big_endian(uint8_t *p, uint32_t x) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(x >> (24 - 8 * i));
}

static void expand(uint32_t w[64], const uint8_t *block) {
    for (int i = 0; i < 16; i++)
        w[i] = load_big_endian(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
}

/* Names and steps are the standard's. */
static void digest_block(uint32_t state[8], const uint8_t *block) {
    uint32_t w[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    expand(w, block);
    for (int i = 0; i < 64; i++) {
        uint32_t sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + sha256_round_constants[i] + w[i];
        uint32_t sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    uint32_t end[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++)
        state[i] += end[i];
}

void sha256_blocks_generic(uint32_t state[8], const uint8_t *blocks, size_t n_blocks) {
    for (size_t i = 0; i < n_blocks; i++)
        digest_block(state, blocks + i * BLOCK_BYTES);
}

static void digest_blocks(uint32_t state[8], const uint8_t *blocks, size_t n_blocks) {
    if (n_blocks >= ASK_FROM_BLOCKS && sha256_has_instructions())
        sha256_blocks_instructions(state, blocks, n_blocks);
    else
        sha256_blocks_generic(state, blocks, n_blocks);
}

void sha256_init(struct sha256 *sha) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(sha, 0, sizeof *sha);
    memcpy(sha->state, start, sizeof start);
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t len) {
    if (len == 0)
        return;
    const uint8_t *p = bytes;
    size_t filled = sha->total_bytes % BLOCK_BYTES;
    sha->total_bytes += len;
    if (filled) {
        size_t take = BLOCK_BYTES - filled < len ? BLOCK_BYTES - filled : len;
        memcpy(sha->block + filled, p, take);
        p += take;
        len -= take;
        if (filled + take < BLOCK_BYTES)
            return;
        digest_blocks(sha->state, sha->block, 1);
    }
    digest_blocks(sha->state, p, len / BLOCK_BYTES);
    memcpy(sha->block, p + len / BLOCK_BYTES * BLOCK_BYTES, len % BLOCK_BYTES);
}

void sha256_finish(struct sha256 *sha, uint8_t out[SHA256_BYTES]) {
    static const uint8_t padding[BLOCK_BYTES] = {0x80};
    uint64_t bits = sha->total_bytes * 8;
    uint8_t tail[8];
    store_big_endian(tail, (uint32_t)(bits >> 32));
    store_big_endian(tail + 4, (uint32_t)bits);
    size_t filled = sha->total_bytes % BLOCK_BYTES;
    sha256_add(sha, padding, filled < 56 ? 56 - filled : 120 - filled);
    sha256_add(sha, tail, sizeof tail);
    for (int i = 0; i < 8; i++)
        store_big_endian(out + 4 * i, sha->state[i]);
}

void sha256_finish_hex(struct sha256 *sha, char out[SHA256_HEX_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_BYTES];
    sha256_finish(sha, digest);
    for (int i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * SHA256_BYTES] = '\0';
}

void sha256_of(const void *bytes, size_t len, uint8_t out[SHA256_BYTES]) {
    struct sha256 sha;
    sha256_init(&sha);
    sha256_add(&sha, bytes, len);
    sha256_finish(&sha, out);
}

void sha256_hex(const void *bytes, size_t len, char out[SHA256_HEX_BYTES]) {
    struct sha256 sha;
    sha256_init(&sha);
    sha256_add(&sha, bytes, len);
    sha256_finish_hex(&sha, out);
}

/* Read and not mapped: a file cut short meanwhile must be an error and not a signal. */
enum status sha256_file(const char *path, char out[SHA256_HEX_BYTES], struct error *err) {
    enum status status = STATUS_OK;
    struct sha256 sha;
    void *chunk = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "open %s", path);
    chunk = xmalloc(FILE_CHUNK_BYTES);
    sha256_init(&sha);
    for (;;) {
        ssize_t n = read(fd, chunk, FILE_CHUNK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = error_set_errno(err, errno, "read %s", path);
            goto out;
        }
        if (n == 0)
            break;
        sha256_add(&sha, chunk, (size_t)n);
    }
    sha256_finish_hex(&sha, out);
out:
    free(chunk);
    close(fd);
    return status;
}
