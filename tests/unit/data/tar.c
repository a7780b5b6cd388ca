/* Archives as GNU tar writes them are read; what does not belong into a data set is refused. */
#include "engine/data/tar.h"

#include "tests/unit/data/fixture.h"

static const char *root;

/* root/a.tar, packed by the system's tar from root/in with these arguments. */
static struct file_map pack(const char *arguments) {
    char path[FILE_PATH_BYTES];
    struct file_map map;
    shell("cd %s/in && tar -cf ../a.tar --sort=name %s", root, arguments);
    CHECK(file_join(path, root, "a.tar", NULL) == STATUS_OK);
    CHECK(file_map(&map, path, NULL) == STATUS_OK);
    return map;
}

static void fresh_in(void) {
    shell("rm -rf %s/in && mkdir %s/in", root, root);
}

static void check_next(struct tar *tar, const char *name, const char *content) {
    struct tar_entry entry;
    struct error err;
    bool more;
    if (tar_next(tar, &entry, &more, &err) != STATUS_OK) {
        T_FAIL("%s", err.message);
    } else if (!more) {
        T_FAIL("there is no %s", name);
    } else {
        T_STR(entry.name, name);
        T_INT(entry.len, strlen(content));
        T_CHECK(memcmp(entry.data, content, strlen(content)) == 0);
    }
}

static void check_end(struct tar *tar) {
    struct tar_entry entry;
    bool more = true;
    T_INT(tar_next(tar, &entry, &more, NULL), STATUS_OK);
    T_CHECK(!more);
}

static void test_formats(void) {
    static const char *const formats[] = {"ustar", "gnu", "pax", "v7", "oldgnu"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char arguments[64];
        struct tar tar;
        fresh_in();
        shell("cd %s/in && mkdir -p b/c && printf one > b/c/1.jpg && printf %%600s '' > b/d && "
              "touch b/e",
              root);
        snprintf(arguments, sizeof arguments, "--format=%s ./b", formats[i]);
        struct file_map map = pack(arguments);
        tar_init(&tar, map.data, map.len);
        check_next(&tar, "b/c/1.jpg", "one");
        struct tar_entry entry;
        bool more;
        T_INT(tar_next(&tar, &entry, &more, NULL), STATUS_OK);
        T_INT(entry.len, 600);
        check_next(&tar, "b/e", "");
        check_end(&tar);
        check_end(&tar);
        file_unmap(&map);
    }
}

static void test_long_names(void) {
    static const char *const formats[] = {"gnu", "pax"};
    char name[230], path[256];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(path, sizeof path, "b/%s", name);
    for (int i = 0; i < 2; i++) {
        char arguments[64];
        struct tar tar;
        fresh_in();
        shell("cd %s/in && mkdir b && printf long > b/%s && printf short > b/z", root, name);
        snprintf(arguments, sizeof arguments, "--format=%s b", formats[i]);
        struct file_map map = pack(arguments);
        tar_init(&tar, map.data, map.len);
        check_next(&tar, path, "long");
        check_next(&tar, "b/z", "short");
        check_end(&tar);
        file_unmap(&map);
    }
}

static void test_hidden_names(void) {
    static const char *const hidden[] = {".a", ".a/b", "a/.b", "a/.b/c"};
    static const char *const others[] = {"a", "a/b.c", "a./b"};
    for (int i = 0; i < 4; i++)
        T_CHECK(tar_is_hidden(&(struct tar_entry){.name = hidden[i]}));
    for (int i = 0; i < 3; i++)
        T_CHECK(!tar_is_hidden(&(struct tar_entry){.name = others[i]}));
}

static void check_refused(const struct file_map *map, size_t len, const char *reason) {
    struct tar tar;
    struct tar_entry entry;
    struct error err = {0};
    enum status status = STATUS_OK;
    bool more = true;
    tar_init(&tar, map->data, len);
    while (!status && more)
        status = tar_next(&tar, &entry, &more, &err);
    T_INT(status, STATUS_CORRUPT);
    T_CONTAINS(err.message, reason);
}

static void test_refused(void) {
    static const struct {
        const char *make, *arguments, *reason;
    } cases[] = {
        {"ln -s elsewhere l", "l", "l is a link; pack with --dereference"},
        {"touch a && ln a b", "a b", "b is a hard link; pack with --hard-dereference"},
        {"mkfifo f", "f", "f is neither a file nor a folder"},
        {"touch a", "--transform=s,a,../a, -P a", "\"../a\" leads out of its folder"},
        {"touch a", "--transform=s,a,x/../../a, -P a", "leads out of its folder"},
        {"touch a", "--transform=s,a,/tmp/a, -P a", "\"/tmp/a\" is absolute"},
        {"truncate -s 1M s", "--sparse --format=gnu s", "s is a sparse file"},
        {"truncate -s 1M s", "--sparse --format=pax s", "a sparse file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fresh_in();
        shell("cd %s/in && %s", root, cases[i].make);
        struct file_map map = pack(cases[i].arguments);
        check_refused(&map, map.len, cases[i].reason);
        file_unmap(&map);
    }
}

static void test_damaged(void) {
    fresh_in();
    shell("cd %s/in && printf %%700s '' > a", root);
    struct file_map map = pack("--format=ustar a");
    uint8_t *copy = xmalloc(map.len);
    memcpy(copy, map.data, map.len);
    struct file_map damaged = {copy, map.len};
    check_refused(&map, 0, "it is cut off");
    check_refused(&map, 511, "it is cut off");
    check_refused(&map, 512, "the entry at byte 0 is cut off");
    check_refused(&map, 512 + 699, "the entry at byte 0 is cut off");
    check_refused(&map, 512 + 1024, "ends after 1536 bytes without an end marker");
    copy[3] ^= 1; /* of the name */
    check_refused(&damaged, map.len, "damaged: the header at byte 0");
    free(copy);
    file_unmap(&map);
}

int main(void) {
    root = t_temp_dir();
    T_RUN(test_formats);
    T_RUN(test_long_names);
    T_RUN(test_hidden_names);
    T_RUN(test_refused);
    T_RUN(test_damaged);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
