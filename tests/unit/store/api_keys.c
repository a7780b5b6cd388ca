/* API keys as files and in memory: what is kept, compared, and seen again. */
#include "service/store/key_ring.h"

#include "tests/support/t.h"

static char data[256];
static struct error why;

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

static void make(const char *name, const char *role, char secret[SECRET_BYTES]) {
    struct key_request request = {.roles = {.count = 1}};
    struct key_card card;
    str_copy(request.name, sizeof request.name, name);
    str_copy(request.roles.item[0], FIELD_TEXT_BYTES, role);
    must(api_keys_create(data, &request, &card, secret, &why), name);
}

static void secrets_are_long_and_differ(void) {
    char a[SECRET_BYTES], b[SECRET_BYTES];
    secret_make(a);
    secret_make(b);
    T_INT(strlen(a), SECRET_BYTES - 1);
    T_CHECK(str_has_prefix(a, SECRET_PREFIX));
    T_INT(strspn(a + strlen(SECRET_PREFIX), "0123456789abcdef"), 2 * SECRET_RANDOM_BYTES);
    T_CHECK(strcmp(a, b) != 0);
}

/* A difference at any place, and in any bit, is one. */
static void digests_are_compared_whole(void) {
    char a[SHA256_HEX_BYTES], b[SHA256_HEX_BYTES];
    secret_digest("abc", a);
    T_STR(a, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    memcpy(b, a, sizeof b);
    T_CHECK(secret_digests_equal(a, b));
    for (int i = 0; i < SHA256_HEX_BYTES; i++)
        for (int bit = 0; bit < 8; bit++) {
            b[i] = (char)(b[i] ^ 1 << bit);
            if (secret_digests_equal(a, b))
                T_FAIL("bit %d of character %d does not count", bit, i);
            b[i] = a[i];
        }
}

static void the_file_has_only_the_digest(void) {
    char secret[SECRET_BYTES], path[FILE_PATH_BYTES], *text = NULL;
    size_t len = 0;
    make("first", "read", secret);
    must(folder_path(path, data, "keys", "first", &why), "path");
    must(file_read(path, 10000, &text, &len, &why), "read");
    T_CHECK(!strstr(text, secret + strlen(SECRET_PREFIX)));
    char digest[SHA256_HEX_BYTES];
    secret_digest(secret, digest);
    T_CONTAINS(text, digest);
    free(text);
    must(api_keys_remove(data, "", "first", &why), "remove");
    T_INT(api_keys_remove(data, "", "first", NULL), STATUS_NOT_FOUND);
    T_INT(api_keys_remove(data, "", "../id", NULL), STATUS_NOT_FOUND);
}

/* Both requests were let in before either was carried out. */
static void two_admins_leave_one(void) {
    char secret[SECRET_BYTES];
    struct error err = {0};
    const struct key_edit edit = {.given = 0};
    struct key_card card;
    make("one", "admin", secret);
    make("other", "admin", secret);
    make("third", "read", secret);
    must(api_keys_remove(data, "one", "other", &why), "remove");
    T_INT(api_keys_remove(data, "other", "one", &err), STATUS_CONFLICT);
    T_CONTAINS(err.message, "key other");
    T_INT(api_keys_edit(data, "other", "one", &edit, &card, &err), STATUS_CONFLICT);
    T_INT(api_keys_edit(data, "third", "one", &edit, &card, &err), STATUS_CONFLICT);
    must(api_keys_remove(data, "one", "third", &why), "remove");
    must(api_keys_remove(data, "", "one", &why), "remove");
}

static void a_ring_follows_the_folder(void) {
    char a[SECRET_BYTES], b[SECRET_BYTES];
    struct key_holder holder = {0};
    make("a", "read", a);
    struct key_ring *ring = key_ring_create(data);
    T_CHECK(key_ring_asks(ring) && key_ring_find(ring, a, &holder));
    T_STR(holder.name, "a");
    T_INT(holder.roles, 1u << KEY_ROLE_READ);
    T_CHECK(!key_ring_find(ring, "", &holder) && !key_ring_find(ring, SECRET_PREFIX, &holder));
    make("b", "submit", b);
    clock_sleep_ms(KEY_RING_LOOK_MS + 50);
    T_CHECK(key_ring_find(ring, b, &holder) && key_ring_find(ring, a, &holder));
    must(api_keys_remove(data, "", "a", &why), "remove");
    key_ring_update(ring);
    T_CHECK(!key_ring_find(ring, a, &holder) && key_ring_find(ring, b, &holder));
    key_ring_free(ring);
}

/* A damaged file, or none left to open, shuts nobody out who was let in before. */
static void what_cannot_be_read_stays_as_it_was(void) {
    char a[SECRET_BYTES], b[SECRET_BYTES], path[FILE_PATH_BYTES];
    struct key_holder holder = {0};
    make("kept", "read", a);
    struct key_ring *ring = key_ring_create(data);
    must(folder_path(path, data, "keys", "kept", &why), "path");
    must(file_write(path, "{", 1, &why), "write");
    make("fresh", "read", b);
    key_ring_update(ring);
    T_CHECK(key_ring_find(ring, b, &holder) && key_ring_find(ring, a, &holder));
    T_STR(holder.name, "kept");
    must(api_keys_remove(data, "", "kept", &why), "remove");
    key_ring_update(ring);
    T_CHECK(!key_ring_find(ring, a, &holder) && key_ring_find(ring, b, &holder));
    key_ring_free(ring);
}

/* Both changes are within what the clock of the file system tells apart. */
static void no_change_is_missed(void) {
    char secret[SECRET_BYTES], name[32];
    struct key_holder holder;
    struct key_ring *ring = key_ring_create(data);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "quick%d", i);
        make(name, "read", secret);
        key_ring_asks(ring);
    }
    clock_sleep_ms(KEY_RING_LOOK_MS + 50);
    T_CHECK(key_ring_find(ring, secret, &holder));
    T_STR(holder.name, "quick19");
    key_ring_free(ring);
}

static void a_ring_never_opens_again(void) {
    char path[FILE_PATH_BYTES], secret[SECRET_BYTES];
    struct key_holder holder;
    make("last", "admin", secret);
    struct key_ring *ring = key_ring_create(data);
    must(folder_path(path, data, "keys", NULL, &why), "path");
    must(file_remove_all(path, &why), "remove");
    clock_sleep_ms(KEY_RING_LOOK_MS + 50);
    T_CHECK(key_ring_asks(ring) && !key_ring_find(ring, secret, &holder));
    key_ring_free(ring);
    ring = key_ring_create(data);
    T_CHECK(!key_ring_asks(ring));
    key_ring_free(ring);
}

int main(void) {
    snprintf(data, sizeof data, "%s", "/tmp/distill-keys-XXXXXX");
    if (!mkdtemp(data))
        return 1;
    T_RUN(secrets_are_long_and_differ);
    T_RUN(digests_are_compared_whole);
    T_RUN(the_file_has_only_the_digest);
    T_RUN(two_admins_leave_one);
    T_RUN(a_ring_follows_the_folder);
    T_RUN(what_cannot_be_read_stays_as_it_was);
    T_RUN(no_change_is_missed);
    T_RUN(a_ring_never_opens_again);
    must(file_remove_all(data, &why), "remove");
    return t_done();
}
