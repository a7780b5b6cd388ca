#include "tests/fuzz/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static void remove_folder(void) {
    CHECK(file_remove_all(folder, NULL) == STATUS_OK);
}

const char *folder_empty(void) {
    if (!folder[0]) {
        /* in memory, where a write that is synced waits for no disk */
        const char *parent = file_is_dir("/dev/shm") ? "/dev/shm" : "/tmp";
        snprintf(folder, sizeof folder, "%s/distill-fuzz-%ld", parent, (long)getpid());
        atexit(remove_folder);
    }
    remove_folder();
    CHECK(file_make_dirs(folder, NULL) == STATUS_OK);
    return folder;
}

void folder_path(char path[FILE_PATH_BYTES], const char *name) {
    CHECK(file_join(path, folder, name, NULL) == STATUS_OK);
}

void folder_put(const char *name, const uint8_t *bytes, size_t len) {
    char path[FILE_PATH_BYTES];
    folder_path(path, name);
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, len, file) == len);
    CHECK(fclose(file) == 0);
}
