/* Downloads from a folder as mirror: resumed, checked, unpacked, and visible only when whole. */
#include "engine/data/dataset.h"
#include "engine/data/download_internal.h"
#include "tests/unit/data/fixture.h"

static const char *root;

/* A mirror folder whose name must be encoded, a folder to download to, and a table of one set. */
struct place {
    char mirror[FILE_PATH_BYTES], folder[FILE_PATH_BYTES], md5[33];
    struct download_file file;
    double fraction;
    int reports;
};

/* The MD5 sum of a file, as the system's md5sum says it. */
static void md5_of(const char *folder, const char *name, char md5[33]) {
    char path[FILE_PATH_BYTES], *text;
    size_t len;
    shell("cd '%s' && md5sum < '%s' > ../sum", folder, name);
    CHECK(file_join(path, folder, "../sum", NULL) == STATUS_OK);
    CHECK(file_read(path, 100, &text, &len, NULL) == STATUS_OK);
    text[32] = '\0';
    CHECK(str_copy(md5, 33, text));
    free(text);
}

static void place_init(struct place *place) {
    *place = (struct place){.file = {.dataset = "small", .name = "small.bin", .bytes = 4096}};
    CHECK(file_join(place->mirror, fresh(root), "a mirror #1%", NULL) == STATUS_OK);
    CHECK(file_join(place->folder, fresh(root), "to/here", NULL) == STATUS_OK);
    CHECK(file_make_dirs(place->mirror, NULL) == STATUS_OK);
    place->file.address = "http://127.0.0.1:1/nothing/";
    place->file.md5[0] = place->md5;
}

static void fill(char bytes[4096], int step) {
    for (int i = 0; i < 4096; i++)
        bytes[i] = (char)(i * step >> 3);
}

static void place_with_file(struct place *place) {
    char bytes[4096];
    place_init(place);
    fill(bytes, 7);
    put(place->mirror, "small.bin", bytes, sizeof bytes);
    md5_of(place->mirror, "small.bin", place->md5);
}

static void on_progress(void *ctx, const char *file, double fraction) {
    struct place *place = ctx;
    T_STR(file, "small.bin");
    T_CHECK(fraction >= place->fraction && fraction <= 1);
    place->fraction = fraction;
    place->reports++;
}

static enum status get(struct place *place, const char *mirror, struct error *err) {
    struct download_table table = {&place->file, 1};
    struct download_watch watch = {on_progress, place};
    return download_from(&table, "small", mirror, place->folder, &watch, err);
}

/* Bytes of a file in the folder, or -1. */
static int64_t size_in(const struct place *place, const char *name) {
    char path[FILE_PATH_BYTES];
    CHECK(file_join(path, place->folder, name, NULL) == STATUS_OK);
    return file_size(path);
}

static void test_whole(void) {
    struct place place;
    struct error err = {0};
    place_with_file(&place);
    T_INT(get(&place, place.mirror, &err), STATUS_OK);
    T_STR(err.message, "");
    T_INT(size_in(&place, "small.bin"), 4096);
    T_INT(size_in(&place, "small.bin.part"), -1);
    T_NEAR(place.fraction, 1, 0);
    T_CHECK(place.reports > 0);
    T_INT(get(&place, NULL, &err), STATUS_OK); /* it is there: nobody is asked */
}

/* The checksum is that of another first half and the mirror's second half: only a download that
 * goes on behind the first half can give it. */
static void test_resumed(void) {
    struct place place;
    char bytes[4096], whole[4096];
    place_with_file(&place);
    fill(bytes, 11);
    fill(whole, 7);
    put(place.folder, "small.bin.part", bytes, 2048);
    memcpy(whole, bytes, 2048);
    put(place.folder, "expected", whole, sizeof whole);
    md5_of(place.folder, "expected", place.md5);
    T_INT(get(&place, place.mirror, NULL), STATUS_OK);
    T_INT(size_in(&place, "small.bin"), 4096);
}

static void test_resumed_when_whole(void) {
    struct place place;
    place_with_file(&place);
    shell("mkdir -p '%s' && mv '%s/small.bin' '%s/small.bin.part'", place.folder, place.mirror,
          place.folder);
    T_INT(get(&place, place.mirror, NULL), STATUS_OK);
    T_INT(size_in(&place, "small.bin"), 4096);
}

/* A part that is wrong, or longer than the file, is thrown away. */
static void test_wrong_part(void) {
    static const size_t lengths[] = {1, 2048, 4096, 5000};
    for (int i = 0; i < 4; i++) {
        struct place place;
        struct error err = {0};
        char bytes[5000] = {1, 2, 3};
        place_with_file(&place);
        put(place.folder, "small.bin.part", bytes, lengths[i]);
        T_INT(get(&place, place.mirror, &err), STATUS_OK);
        T_STR(err.message, "");
        T_INT(size_in(&place, "small.bin"), 4096);
    }
}

/* Half of the file is there, and curl always fails so. Returns the bytes left of that half. */
static int64_t left_after_curl(int exit_code, const char *message, enum status expected) {
    struct place place;
    struct error err = {0};
    char half[2048] = {1}, script[256], path[2 * FILE_PATH_BYTES],
         *before = xstrdup(getenv("PATH"));
    int len = snprintf(script, sizeof script, "#!/bin/sh\necho 'curl: (%d) %s' >&2\nexit %d\n",
                       exit_code, message, exit_code);
    place_with_file(&place);
    put(place.folder, "small.bin.part", half, sizeof half);
    put(place.mirror, "curl", script, (size_t)len);
    shell("chmod +x '%s/curl'", place.mirror);
    snprintf(path, sizeof path, "%s:%s", place.mirror, before);
    setenv("PATH", path, 1);
    T_INT(get(&place, NULL, &err), expected);
    T_CONTAINS(err.message, message);
    setenv("PATH", before, 1);
    free(before);
    return size_in(&place, "small.bin.part");
}

/* Only the server's answer 416 says that nothing follows what is there. */
static void test_part_outlives_failures(void) {
    T_INT(left_after_curl(18, "transfer closed with 41600000 bytes remaining to read",
                          STATUS_UNAVAILABLE),
          2048);
    T_INT(left_after_curl(22, "The requested URL returned error: 404", STATUS_UNAVAILABLE), 2048);
    T_INT(left_after_curl(22, "The requested URL returned error: 416", STATUS_CORRUPT), -1);
}

static void test_wrong_checksum(void) {
    struct place place;
    struct error err = {0};
    place_with_file(&place);
    place.md5[0] = place.md5[0] == '0' ? '1' : '0';
    T_INT(get(&place, place.mirror, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "small.bin: the MD5 checksum is ");
    T_CONTAINS(err.message, place.md5);
    T_INT(size_in(&place, "small.bin"), -1);
    T_INT(size_in(&place, "small.bin.part"), -1);
}

static void test_second_checksum(void) {
    struct place place;
    place_with_file(&place);
    place.file.md5[1] = place.md5;
    place.file.md5[0] = "00000000000000000000000000000000";
    T_INT(get(&place, place.mirror, NULL), STATUS_OK);
}

static void test_unreachable(void) {
    struct place place;
    struct error err = {0};
    place_with_file(&place);
    T_INT(get(&place, NULL, &err), STATUS_UNAVAILABLE);
    T_CONTAINS(err.message, "http://127.0.0.1:1/nothing/small.bin: ");
    T_INT(get(&place, "http://127.0.0.1:1", &err), STATUS_UNAVAILABLE);
    T_CONTAINS(err.message, "http://127.0.0.1:1/small/small.bin: ");
    T_INT(get(&place, "/nowhere/at/all", &err), STATUS_UNAVAILABLE);
    T_CONTAINS(err.message, "there is no mirror folder /nowhere/at/all");
    T_INT(get(&place, place.folder, &err), STATUS_UNAVAILABLE); /* is there, but empty */
    T_CONTAINS(err.message, "small.bin");
    T_INT(size_in(&place, "small.bin"), -1);
}

/* What a mirror keeps in a folder of the set's name comes first. */
static void test_mirror_by_set(void) {
    struct place place;
    place_with_file(&place);
    shell("cd '%s' && mkdir small && mv small.bin small/ && echo other > small.bin", place.mirror);
    T_INT(get(&place, place.mirror, NULL), STATUS_OK);
    T_INT(size_in(&place, "small.bin"), 4096);
}

static void place_with_archive(struct place *place, const char *command) {
    char archive[FILE_PATH_BYTES];
    place_init(place);
    put_cifar10(place->mirror, "cifar-10-batches-bin");
    shell("cd '%s' && %s", place->mirror, command);
    place->file.unpacks_to = "cifar-10-batches-bin";
    CHECK(file_join(archive, place->mirror, "small.bin", NULL) == STATUS_OK);
    if (file_exists(archive))
        md5_of(place->mirror, "small.bin", place->md5);
}

static void check_opens(const struct place *place) {
    struct dataset dataset;
    struct error err = {0};
    T_INT(dataset_open(&dataset, place->folder, "cifar10", &err), STATUS_OK);
    T_STR(err.message, "");
    T_INT(dataset.train.count, 10);
    dataset_close(&dataset);
    T_INT(size_in(place, FILE_TMP_PREFIX "small.bin"), -1);
    T_INT(size_in(place, "small.bin.part"), -1);
}

static void test_archive(void) {
    struct place place;
    struct error err = {0};
    place_with_archive(&place, "tar czf small.bin cifar-10-batches-bin && rm -r cifar*");
    T_INT(get(&place, place.mirror, &err), STATUS_OK);
    T_STR(err.message, "");
    check_opens(&place);
    T_INT(get(&place, NULL, &err), STATUS_OK);
}

static void test_unpacked_mirror(void) {
    struct place place;
    struct error err = {0};
    place_with_archive(&place, "true");
    T_INT(get(&place, place.mirror, &err), STATUS_OK);
    T_STR(err.message, "");
    check_opens(&place);
}

/* The right checksum of a wrong archive: nothing of it becomes visible. */
static void test_useless_archive(void) {
    static const char *const commands[] = {
        "tar czf small.bin cifar-10-batches-bin/test_batch.bin && rm -r cifar*",
        "tar czf small.bin --transform s/cifar/other/ cifar-10-batches-bin && rm -r cifar*",
        "mv cifar-10-batches-bin/test_batch.bin small.bin && rm -r cifar*"};
    static const char *const messages[] = {"there is no data set in it", "there is no such folder",
                                           "tar failed: "};
    for (int i = 0; i < 3; i++) {
        struct place place;
        struct error err = {0};
        place_with_archive(&place, commands[i]);
        T_CHECK(get(&place, place.mirror, &err) != STATUS_OK);
        T_CONTAINS(err.message, messages[i]);
        T_INT(size_in(&place, "cifar-10-batches-bin"), -1);
        T_INT(size_in(&place, FILE_TMP_PREFIX "small.bin"), -1);
    }
}

static void test_unknown_name(void) {
    struct error err = {0};
    T_INT(download_dataset("cifar1000", root, NULL, NULL, &err), STATUS_INVALID);
    T_STR(err.message, "\"cifar1000\" is not known; known are cifar10, cifar100, mnist, "
                       "fashion_mnist");
}

/* Debian's package as mirror of the real table, where it is installed. */
static void test_fashion_mnist(void) {
    struct dataset dataset;
    struct error err = {0};
    const char *mirror = "/usr/share/datasets/fashion-mnist", *folder = fresh(root);
    if (!file_is_dir(mirror) || !has_gzip())
        return;
    setenv("DISTILL_MIRROR", mirror, 1);
    T_INT(download_dataset("fashion_mnist", folder, NULL, NULL, &err), STATUS_OK);
    T_STR(err.message, "");
    unsetenv("DISTILL_MIRROR");
    T_INT(dataset_open(&dataset, folder, "fashion_mnist", &err), STATUS_OK);
    T_INT(dataset.train.count, 60000);
    dataset_close(&dataset);
}

int main(void) {
    root = t_temp_dir();
    T_RUN(test_whole);
    T_RUN(test_resumed);
    T_RUN(test_resumed_when_whole);
    T_RUN(test_wrong_part);
    T_RUN(test_part_outlives_failures);
    T_RUN(test_wrong_checksum);
    T_RUN(test_second_checksum);
    T_RUN(test_unreachable);
    T_RUN(test_mirror_by_set);
    T_RUN(test_archive);
    T_RUN(test_unpacked_mirror);
    T_RUN(test_useless_archive);
    T_RUN(test_unknown_name);
    T_RUN(test_fashion_mnist);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
