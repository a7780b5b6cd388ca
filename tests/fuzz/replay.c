/* Runs a target over files and over all files of folders, in place of libFuzzer's main. */
#include "tests/fuzz/fuzz.h"

#include "engine/base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_BYTES = 1 << 20 };

static int replay_file(const char *path) {
    char *bytes;
    size_t len;
    struct error err;
    if (file_read(path, MOST_BYTES, &bytes, &len, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    /* a copy of exactly that size, so that a sanitizer sees a read behind it */
    uint8_t *exact = xmalloc(len);
    for (size_t i = 0; i < len; i++)
        exact[i] = (uint8_t)bytes[i];
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    free(bytes);
    return 1;
}

static int replay_folder(const char *folder) {
    DIR *dir = opendir(folder);
    int count = 0;
    CHECK(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char path[FILE_PATH_BYTES];
        CHECK(file_join(path, folder, entry->d_name, NULL) == STATUS_OK);
        if (!file_is_dir(path))
            count += replay_file(path);
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += file_is_dir(argv[i]) ? replay_folder(argv[i]) : replay_file(argv[i]);
    printf("%d inputs\n", count);
    return count ? 0 : 1;
}
