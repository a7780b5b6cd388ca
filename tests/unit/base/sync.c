/* A file that was written outlasts a power cut: it is synced before it gets its name, and its
 * folder after that. This program's own fsync takes the place of libc's, and looks. */
#include "engine/base/file.h"
#include "tests/support/t.h"

#include <sys/stat.h>
#include <sys/syscall.h>

static char root[256], target[300]; /* a folder, a file in it */
static ino_t folder;                /* of root */
static int files_before, folders_after, others;

int fsync(int fd) {
    struct stat info;
    CHECK(fstat(fd, &info) == 0);
    if (S_ISREG(info.st_mode) && !file_exists(target))
        files_before++;
    else if (S_ISDIR(info.st_mode) && info.st_ino == folder && file_exists(target))
        folders_after++;
    else
        others++;
    return (int)syscall(SYS_fsync, fd);
}

static void check_write(const char *path) {
    files_before = folders_after = others = 0;
    T_INT(file_write(path, "hello", 5, NULL), STATUS_OK);
    T_INT(files_before, 1);
    T_INT(folders_after, 1);
    T_INT(others, 0);
    T_INT(unlink(target), 0);
}

static void the_file_and_then_its_folder(void) {
    check_write(target);
}

static void without_a_folder_in_the_path(void) {
    char before[FILE_PATH_BYTES];
    CHECK(getcwd(before, sizeof before) && chdir(root) == 0);
    check_write("file");
    CHECK(chdir(before) == 0);
}

int main(void) {
    struct stat info;
    snprintf(root, sizeof root, "%s", t_temp_dir());
    snprintf(target, sizeof target, "%s/file", root);
    CHECK(stat(root, &info) == 0);
    folder = info.st_ino;
    T_RUN(the_file_and_then_its_folder);
    T_RUN(without_a_folder_in_the_path);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
