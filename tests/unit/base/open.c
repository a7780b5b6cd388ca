/* Opening to read: strict paths lead where they say, whoever moves files about. */
#include "engine/base/open.h"

#include "engine/base/file.h"
#include "engine/base/str.h"
#include "tests/support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int open_fn(const char *path, int flags);
static open_fn *const ways[] = {open_to_read, open_part_by_part};

static char root[256];

static const char *path_of(const char *before, const char *name) {
    static char paths[4][FILE_PATH_BYTES];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s%s/%s", before, root, name);
    return paths[next];
}

static const char *plain(const char *name) {
    return path_of("", name);
}

static const char *strict(const char *name) {
    return path_of(OPEN_STRICT, name);
}

/* The file's first byte, or minus the errno. */
static int first_byte(open_fn *way, const char *path) {
    char byte = 0;
    int fd = way(path, 0);
    if (fd < 0)
        return -errno;
    T_INT(read(fd, &byte, 1), 1);
    close(fd);
    return byte;
}

static void put(const char *name, const char *text) {
    T_INT(file_write(plain(name), text, strlen(text), NULL), STATUS_OK);
}

static void set_up(void) {
    T_INT(file_make_dirs(plain("in/deep"), NULL), STATUS_OK);
    T_INT(file_make_dirs(plain("out"), NULL), STATUS_OK);
    put("in/deep/file", "inside");
    put("out/file", "secret");
    T_INT(symlink("../out/file", plain("in/link")), 0);
    T_INT(symlink("../out", plain("in/folder")), 0);
    T_INT(symlink("deep/file", plain("in/near")), 0);
    T_INT(mkfifo(plain("in/pipe"), 0600), 0);
}

static void test_links_are_followed_where_nothing_is_said(void) {
    T_INT(first_byte(open_to_read, plain("in/link")), 's');
    T_INT(first_byte(open_to_read, plain("in/folder/file")), 's');
}

static void test_strict_paths(void) {
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        T_INT(first_byte(ways[i], strict("in/deep/file")), 'i');
        T_INT(first_byte(ways[i], strict("in//deep///file")), 'i');
        T_INT(first_byte(ways[i], strict("in/link")), -ELOOP);
        T_INT(first_byte(ways[i], strict("in/near")), -ELOOP);
        T_INT(first_byte(ways[i], strict("in/none")), -ENOENT);
        int reason = first_byte(ways[i], strict("in/folder/file"));
        T_CHECK(reason == -ELOOP || reason == -ENOTDIR);
        int folder = ways[i](strict("in/deep"), O_DIRECTORY);
        T_CHECK(folder >= 0);
        close(folder);
        reason = ways[i](strict("in/folder"), O_DIRECTORY);
        T_INT(reason, -1);
    }
    T_INT(first_byte(open_to_read, strict("in/pipe")), -EINVAL); /* and does not wait */
    T_INT(first_byte(open_to_read, OPEN_STRICT "/dev/null"), -EINVAL);
}

static void test_what_failures_mean(void) {
    struct error err = {0};
    char *data;
    size_t len;
    T_INT(file_read(strict("in/link"), 100, &data, &len, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "is a link or lies behind one");
    T_INT(file_read(strict("in/pipe"), 100, &data, &len, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "is neither a file nor a folder");
    T_INT(file_read(strict("in/none"), 100, &data, &len, &err), STATUS_NOT_FOUND);
    T_INT(file_read(plain("in/deep/file/none"), 100, &data, &len, &err), STATUS_IO);
    T_CONTAINS(err.message, "in/deep/file/none: Not a directory");
}

static atomic_bool stopping;

/* Somebody changes a folder for a link to another one, and back, all the time. */
static void *swap(void *ctx) {
    (void)ctx;
    char folder[FILE_PATH_BYTES], aside[FILE_PATH_BYTES], link[FILE_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s/in/deep", root);
    snprintf(aside, sizeof aside, "%s/in/aside", root);
    snprintf(link, sizeof link, "%s/in/other", root);
    while (!atomic_load(&stopping)) {
        T_INT(symlink("../out", link), 0);
        T_INT(rename(folder, aside), 0);
        T_INT(rename(link, folder), 0);
        T_INT(unlink(folder), 0);
        T_INT(rename(aside, folder), 0);
    }
    return NULL;
}

static void test_nobody_can_change_what_is_meant(void) {
    pthread_t thread;
    int seen[256] = {0};
    T_INT(pthread_create(&thread, NULL, swap, NULL), 0);
    for (int i = 0; i < 20000; i++) {
        int plainly = first_byte(open_to_read, plain("in/deep/file"));
        seen[plainly > 0 ? plainly : 0]++;
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++)
            T_CHECK(first_byte(ways[way], strict("in/deep/file")) != 's');
    }
    atomic_store(&stopping, true);
    pthread_join(thread, NULL);
    T_CHECK(seen['s'] > 0); /* so it was worth it */
    T_INT(first_byte(open_to_read, strict("in/deep/file")), 'i');
}

int main(void) {
    char *real = realpath(t_temp_dir(), NULL);
    T_CHECK(real && str_copy(root, sizeof root, real));
    free(real);
    set_up();
    T_RUN(test_links_are_followed_where_nothing_is_said);
    T_RUN(test_strict_paths);
    T_RUN(test_what_failures_mean);
    T_RUN(test_nobody_can_change_what_is_meant);
    return t_done();
}
