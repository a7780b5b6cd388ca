#include "engine/base/file.h"

#include "tests/support/t.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char root[256];

/* root/name, valid until the fourth call from now. */
static const char *in_root(const char *name) {
    static char paths[4][FILE_PATH_BYTES];
    static int next;
    next = (next + 1) % 4;
    T_INT(file_join(paths[next], root, name, NULL), STATUS_OK);
    return paths[next];
}

static int count_entries(const char *path) {
    int n = 0;
    DIR *entries = opendir(path);
    while (entries && readdir(entries))
        n++;
    if (entries)
        closedir(entries);
    return n - 2;
}

static void check_content(const char *path, const char *expected) {
    char *data = NULL;
    size_t len = 0;
    T_INT(file_read(path, 1 << 20, &data, &len, NULL), STATUS_OK);
    T_STR(data, expected);
    T_INT(len, strlen(expected));
    free(data);
}

static void test_write_and_read(void) {
    const char *path = in_root("file");
    T_INT(file_write(path, "hello", 5, NULL), STATUS_OK);
    check_content(path, "hello");
    T_INT(file_write(path, "hi", 2, NULL), STATUS_OK);
    check_content(path, "hi");
    T_INT(file_write(path, NULL, 0, NULL), STATUS_OK);
    check_content(path, "");
    T_INT(file_size(path), 0);
    T_INT(count_entries(root), 1);
    struct stat info;
    T_INT(stat(path, &info), 0);
    T_INT(info.st_mode & 0444, 0444 & ~(unsigned)umask(022));
    unlink(path);
}

static void test_write_in_the_working_directory(void) {
    char before[FILE_PATH_BYTES];
    T_CHECK(getcwd(before, sizeof before) && chdir(root) == 0);
    T_INT(file_write("plain", "x", 1, NULL), STATUS_OK);
    check_content("plain", "x");
    T_CHECK(unlink("plain") == 0 && chdir(before) == 0);
}

static void test_read_limits(void) {
    const char *path = in_root("file");
    char *data = NULL;
    size_t len = 0;
    struct error err = {0};
    T_INT(file_write(path, "0123456789", 10, NULL), STATUS_OK);
    T_INT(file_read(path, 9, &data, &len, &err), STATUS_TOO_LARGE);
    T_CONTAINS(err.message, "more than 9 bytes");
    T_CHECK(data == NULL);
    T_INT(file_read(path, 10, &data, &len, &err), STATUS_OK);
    T_INT(len, 10);
    free(data);
    T_INT(file_read(path, SIZE_MAX, &data, &len, &err), STATUS_OK);
    T_STR(data, "0123456789");
    free(data);
    unlink(path);
}

/* Files that say they have 0 bytes, and endless ones. */
static void test_read_of_special_files(void) {
    char *data = NULL;
    size_t len = 0;
    T_INT(file_read("/proc/self/status", 1 << 20, &data, &len, NULL), STATUS_OK);
    T_CHECK(len > 100 && strlen(data) == len);
    free(data);
    T_INT(file_read("/dev/zero", 100000, &data, &len, NULL), STATUS_TOO_LARGE);
    T_INT(file_read("/dev/null", 0, &data, &len, NULL), STATUS_OK);
    T_INT(len, 0);
    free(data);
}

static void test_missing_files(void) {
    struct error err = {0};
    struct file_map map = {0};
    char *data = NULL;
    size_t len = 0;
    const char *path = in_root("missing");
    T_INT(file_read(path, 10, &data, &len, &err), STATUS_NOT_FOUND);
    T_CONTAINS(err.message, path);
    T_INT(file_map(&map, path, &err), STATUS_NOT_FOUND);
    T_INT(file_read(root, 10, &data, &len, &err), STATUS_IO);
    T_INT(file_map(&map, root, &err), STATUS_IO);
    T_INT(file_write(in_root("missing/file"), "x", 1, &err), STATUS_NOT_FOUND);
    T_CONTAINS(err.message, "missing/file");
    T_INT(file_size(path), -1);
    T_INT(file_size(root), -1);
}

static void test_map(void) {
    struct file_map map = {0};
    const char *path = in_root("file");
    T_INT(file_write(path, "hello", 5, NULL), STATUS_OK);
    T_INT(file_map(&map, path, NULL), STATUS_OK);
    T_INT(map.len, 5);
    T_INT(memcmp(map.data, "hello", 5), 0);
    file_unmap(&map);
    T_INT(map.len, 0);
    file_unmap(&map);
    T_INT(file_write(path, "", 0, NULL), STATUS_OK);
    T_INT(file_map(&map, path, NULL), STATUS_OK);
    T_CHECK(map.len == 0 && map.data);
    file_unmap(&map);
    unlink(path);
}

static void test_writer_in_pieces(void) {
    struct file_writer writer;
    const char *path = in_root("file");
    T_INT(file_writer_open(&writer, path, NULL), STATUS_OK);
    T_CONTAINS(writer.tmp_path, "/" FILE_TMP_PREFIX);
    T_CHECK(!file_exists(path) && file_exists(writer.tmp_path));
    for (int i = 0; i < 3; i++)
        T_INT(file_writer_add(&writer, "abc", 3, NULL), STATUS_OK);
    T_INT(file_writer_commit(&writer, NULL), STATUS_OK);
    check_content(path, "abcabcabc");
    file_writer_abandon(&writer); /* harmless after a commit */
    check_content(path, "abcabcabc");
    T_INT(count_entries(root), 1);
    unlink(path);
}

static void test_abandoned_writer_leaves_the_old_file(void) {
    struct file_writer writer;
    struct error err = {0};
    const char *path = in_root("file");
    T_INT(file_write(path, "old", 3, NULL), STATUS_OK);
    T_INT(file_writer_open(&writer, path, NULL), STATUS_OK);
    T_INT(file_writer_add(&writer, "new", 3, NULL), STATUS_OK);
    file_writer_abandon(&writer);
    file_writer_abandon(&writer);
    T_INT(file_writer_add(&writer, "new", 3, &err), STATUS_IO);
    T_INT(file_writer_commit(&writer, &err), STATUS_IO);
    check_content(path, "old");
    T_INT(count_entries(root), 1);
    unlink(path);
}

/* Its descriptor is 0, which is standard input and nobody else's to close. */
static void test_zeroed_writer(void) {
    struct file_writer writer = {0};
    int before = fcntl(0, F_GETFD);
    file_writer_abandon(&writer);
    T_INT(fcntl(0, F_GETFD), before);
}

/* The writer's file becomes /dev/full: the system's own ENOSPC. */
static void test_full_disk(void) {
    struct file_writer writer;
    struct error err = {0};
    const char *path = in_root("file");
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0)
        return;
    T_INT(file_write(path, "old", 3, NULL), STATUS_OK);
    T_INT(file_writer_open(&writer, path, NULL), STATUS_OK);
    T_CHECK(dup2(full, writer.fd) == writer.fd);
    T_INT(file_writer_add(&writer, "new", 3, &err), STATUS_NO_SPACE);
    T_CONTAINS(err.message, path);
    T_INT(file_writer_commit(&writer, &err), STATUS_IO);
    check_content(path, "old");
    T_INT(count_entries(root), 1);
    unlink(path);
    close(full);
}

/* /dev/null cannot be synced: the content may not take the old one's place. */
static void test_sync_that_fails_leaves_nothing(void) {
    struct file_writer writer;
    struct error err = {0};
    const char *path = in_root("file");
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    T_INT(file_write(path, "old", 3, NULL), STATUS_OK);
    T_INT(file_writer_open(&writer, path, NULL), STATUS_OK);
    T_CHECK(dup2(null, writer.fd) == writer.fd);
    T_INT(file_writer_commit(&writer, &err), STATUS_IO);
    T_CONTAINS(err.message, path);
    check_content(path, "old");
    T_INT(count_entries(root), 1);
    unlink(path);
    close(null);
}

static void test_write_that_fails_leaves_nothing(void) {
    struct error err = {0};
    struct rlimit before, small;
    char bytes[1000] = {0};
    const char *path = in_root("file");
    T_INT(file_write(path, "old", 3, NULL), STATUS_OK);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    enum status status = file_write(path, bytes, sizeof bytes, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    T_INT(status, STATUS_IO);
    T_CONTAINS(err.message, path);
    check_content(path, "old");
    T_INT(count_entries(root), 1);
    unlink(path);
}

static void test_rename_that_fails_leaves_nothing(void) {
    struct error err = {0};
    T_INT(file_make_dirs(in_root("taken/below"), NULL), STATUS_OK);
    T_INT(file_write(in_root("taken"), "x", 1, &err), STATUS_IO);
    T_CONTAINS(err.message, "taken");
    T_INT(count_entries(root), 1);
    T_INT(file_remove_all(in_root("taken"), NULL), STATUS_OK);
}

static void test_make_dirs(void) {
    struct error err = {0};
    T_INT(file_make_dirs(in_root("a/b//c/"), NULL), STATUS_OK);
    T_CHECK(file_is_dir(in_root("a/b/c")));
    T_INT(file_make_dirs(in_root("a/b/c"), NULL), STATUS_OK);
    T_INT(file_make_dirs("/", NULL), STATUS_OK);
    T_INT(file_make_dirs("", &err), STATUS_NOT_FOUND);
    T_INT(file_write(in_root("a/file"), "x", 1, NULL), STATUS_OK);
    T_INT(file_make_dirs(in_root("a/file"), &err), STATUS_IO);
    T_INT(file_make_dirs(in_root("a/file/below"), &err), STATUS_IO);
    T_CONTAINS(err.message, "a/file/below");
    T_INT(file_remove_all(in_root("a"), NULL), STATUS_OK);
}

static void test_remove_all(void) {
    T_INT(file_make_dirs(in_root("a/b/c"), NULL), STATUS_OK);
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/b/file%d", i);
        T_INT(close(open(in_root(name), O_WRONLY | O_CREAT, 0644)), 0);
    }
    T_INT(file_remove_all(in_root("a"), NULL), STATUS_OK);
    T_CHECK(!file_exists(in_root("a")));
    T_INT(file_remove_all(in_root("a"), NULL), STATUS_OK);
    T_INT(file_write(in_root("file"), "x", 1, NULL), STATUS_OK);
    T_INT(file_remove_all(in_root("file"), NULL), STATUS_OK);
    T_INT(count_entries(root), 0);
}

static void test_remove_all_follows_no_link(void) {
    T_INT(file_make_dirs(in_root("kept/below"), NULL), STATUS_OK);
    T_INT(file_write(in_root("kept/file"), "x", 1, NULL), STATUS_OK);
    T_INT(file_make_dirs(in_root("gone"), NULL), STATUS_OK);
    T_INT(symlink(in_root("kept"), in_root("gone/link")), 0);
    T_INT(symlink(in_root("kept"), in_root("link")), 0);
    T_INT(symlink("nowhere", in_root("gone/dangling")), 0);
    T_CHECK(file_exists(in_root("gone/dangling")) && file_is_dir(in_root("link")));
    T_INT(file_remove_all(in_root("gone"), NULL), STATUS_OK);
    T_INT(file_remove_all(in_root("link/"), NULL), STATUS_OK);
    T_CHECK(!file_exists(in_root("link")) && !file_exists(in_root("gone")));
    T_CHECK(file_exists(in_root("kept/file")) && file_is_dir(in_root("kept/below")));
    T_INT(file_remove_all(in_root("kept"), NULL), STATUS_OK);
}

static void test_remove_all_refuses_strange_paths(void) {
    static const char *const paths[] = {"", "/", "///", ".", "..", "x/..", "x/./"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        T_INT(file_remove_all(paths[i], NULL), STATUS_INVALID);
}

static void test_join(void) {
    char out[FILE_PATH_BYTES], longest[FILE_PATH_BYTES];
    T_INT(file_join(out, "a", "b", NULL), STATUS_OK);
    T_STR(out, "a/b");
    T_INT(file_join(out, "/", "b", NULL), STATUS_OK);
    T_STR(out, "/b");
    T_INT(file_join(out, "", "b", NULL), STATUS_OK);
    T_STR(out, "b");
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    T_INT(file_join(out, longest, "b", NULL), STATUS_TOO_LARGE);
    T_INT(file_join(out, "", longest, NULL), STATUS_OK);
}

static void test_name_of_a_path(void) {
    static const char *const cases[][2] = {{"c", "c"},       {"a/b/c", "c"}, {"/c", "c"},
                                           {"a/b/c//", "c"}, {"c/", "c"},    {"a/..", ".."},
                                           {"/", ""},        {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[FILE_PATH_BYTES];
        path_name(out, cases[i][0]);
        T_STR(out, cases[i][1]);
    }
}

static void test_long_paths(void) {
    char path[2 * FILE_PATH_BYTES];
    struct error err = {0};
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    T_INT(file_write(path, "x", 1, &err), STATUS_TOO_LARGE);
    T_INT(file_make_dirs(path, &err), STATUS_TOO_LARGE);
    T_INT(file_remove_all(path, &err), STATUS_TOO_LARGE);
    char name[FILE_PATH_BYTES];
    path_name(name, path);
    T_INT(strlen(name), FILE_PATH_BYTES - 1);
    path[FILE_PATH_BYTES - 1] = '\0';
    path[FILE_PATH_BYTES - 8] = '/'; /* fits, but not with the temporary name */
    T_CHECK(file_write(path, "x", 1, &err) != STATUS_OK);
}

int main(void) {
    snprintf(root, sizeof root, "%s", t_temp_dir());
    T_RUN(test_write_and_read);
    T_RUN(test_write_in_the_working_directory);
    T_RUN(test_read_limits);
    T_RUN(test_read_of_special_files);
    T_RUN(test_missing_files);
    T_RUN(test_map);
    T_RUN(test_writer_in_pieces);
    T_RUN(test_abandoned_writer_leaves_the_old_file);
    T_RUN(test_zeroed_writer);
    T_RUN(test_full_disk);
    T_RUN(test_sync_that_fails_leaves_nothing);
    T_RUN(test_write_that_fails_leaves_nothing);
    T_RUN(test_rename_that_fails_leaves_nothing);
    T_RUN(test_make_dirs);
    T_RUN(test_remove_all);
    T_RUN(test_remove_all_follows_no_link);
    T_RUN(test_remove_all_refuses_strange_paths);
    T_RUN(test_join);
    T_RUN(test_name_of_a_path);
    T_RUN(test_long_paths);
    T_INT(file_remove_all(root, NULL), STATUS_OK);
    return t_done();
}
