/* tar_next: any bytes as an archive; what it hands out lies in them under a name that is safe. */
#include "tests/fuzz/fuzz.h"

#include "engine/base/str.h"
#include "engine/data/tar.h"

#include <string.h>

static void check_entry(const struct tar_entry *entry, const uint8_t *bytes, size_t len) {
    unsigned sum = 0;
    CHECK(entry->data >= bytes && entry->data + entry->len <= bytes + len);
    for (size_t i = 0; i < entry->len; i++)
        sum += entry->data[i]; /* a sanitizer sees what is not there */
    CHECK(sum <= entry->len * 255);
    CHECK(strlen(entry->name) < FILE_PATH_BYTES && entry->name[0] != '/');
    CHECK(!str_equal(entry->name, "..") && !str_has_prefix(entry->name, "../"));
    CHECK(!strstr(entry->name, "/../") && !str_has_suffix(entry->name, "/.."));
    CHECK(!strstr(entry->name, "//"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct tar tar;
    struct tar_entry entry;
    struct error err = {0};
    bool more = true;
    tar_init(&tar, bytes, len);
    while (more) {
        if (tar_next(&tar, &entry, &more, &err) != STATUS_OK) {
            CHECK(err.message[0]);
            return 0;
        }
        if (more)
            check_entry(&entry, bytes, len);
    }
    return 0;
}
