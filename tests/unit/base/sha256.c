#include "engine/base/sha256.h"

#include "engine/base/mem.h"
#include "engine/base/sha256_internal.h"
#include "tests/support/t.h"

/* FIPS 180-2, appendix B, and NIST's example of an empty message. */
static void test_standard_vectors(void) {
    static const struct {
        const char *text, *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char hex[SHA256_HEX_BYTES];
        sha256_hex(vectors[i].text, strlen(vectors[i].text), hex);
        T_STR(hex, vectors[i].digest);
    }
}

static void test_a_million_times_a(void) {
    char *text = xmalloc(1000000), hex[SHA256_HEX_BYTES];
    memset(text, 'a', 1000000);
    sha256_hex(text, 1000000, hex);
    T_STR(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(text);
}

static void fill(uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 131 + (i >> 8) * 7 + 1);
}

/* The message padded as the standard says, through one of the two implementations alone. */
static void digest_with(void (*blocks)(uint32_t *, const uint8_t *, size_t), const uint8_t *bytes,
                        size_t len, uint32_t state[8]) {
    struct sha256 sha;
    size_t n_blocks = (len + 9 + 63) / 64;
    uint8_t *padded = xcalloc(n_blocks, 64);
    if (len)
        memcpy(padded, bytes, len);
    padded[len] = 0x80;
    for (int i = 0; i < 8; i++)
        padded[n_blocks * 64 - 1 - (size_t)i] = (uint8_t)((uint64_t)len * 8 >> (8 * i));
    sha256_init(&sha);
    memcpy(state, sha.state, sizeof sha.state);
    blocks(state, padded, n_blocks);
    free(padded);
}

static void check_same(const uint8_t *bytes, size_t len) {
    uint32_t generic[8], instructions[8];
    uint8_t digest[SHA256_BYTES];
    sha256_of(bytes, len, digest);
    digest_with(sha256_blocks_generic, bytes, len, generic);
    for (int i = 0; i < 32; i++)
        T_INT(digest[i], generic[i / 4] >> (24 - 8 * (i % 4)) & 255);
    if (!sha256_has_instructions())
        return;
    digest_with(sha256_blocks_instructions, bytes, len, instructions);
    T_INT(memcmp(generic, instructions, sizeof generic), 0);
}

static void test_both_implementations_agree(void) {
    enum { MOST = 20000 };
    uint8_t *bytes = xmalloc(MOST);
    fill(bytes, MOST);
    for (size_t len = 0; len < 300; len++)
        check_same(bytes, len);
    for (size_t len = 4000; len < MOST; len += 1237)
        check_same(bytes + 1, len - 1);
    free(bytes);
}

static void test_pieces_give_the_same(void) {
    enum { LEN = 10000 };
    uint8_t *bytes = xmalloc(LEN);
    char whole[SHA256_HEX_BYTES], pieces[SHA256_HEX_BYTES];
    fill(bytes, LEN);
    sha256_hex(bytes, LEN, whole);
    for (size_t step = 1; step < 200; step += 9) {
        struct sha256 sha;
        sha256_init(&sha);
        for (size_t at = 0; at < LEN; at += step)
            sha256_add(&sha, bytes + at, LEN - at < step ? LEN - at : step);
        sha256_add(&sha, NULL, 0);
        sha256_finish_hex(&sha, pieces);
        T_STR(pieces, whole);
    }
    free(bytes);
}

static void test_files(void) {
    char path[300], hex[SHA256_HEX_BYTES];
    struct error err = {0};
    const char *folder = t_temp_dir();
    snprintf(path, sizeof path, "%s/file", folder);
    T_INT(sha256_file(path, hex, &err), STATUS_NOT_FOUND);
    T_CONTAINS(err.message, path);
    T_INT(sha256_file(folder, hex, &err), STATUS_IO);
    FILE *file = fopen(path, "w");
    fputs("abc", file);
    fclose(file);
    T_INT(sha256_file(path, hex, &err), STATUS_OK);
    T_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    unlink(path);
    rmdir(folder);
}

int main(void) {
    T_RUN(test_standard_vectors);
    T_RUN(test_a_million_times_a);
    T_RUN(test_both_implementations_agree);
    T_RUN(test_pieces_give_the_same);
    T_RUN(test_files);
    return t_done();
}
