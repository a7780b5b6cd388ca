/* The pictures of a folder with a folder a class, and of an archive of such a folder. */
#include "engine/base/open.h"
#include "engine/base/str.h"
#include "engine/data/images.h"
#include "engine/data/tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 8 };

/* ---- what is a picture ---- */

enum name_kind { NAME_SKIPPED, NAME_PICTURE, NAME_REFUSED };

static const struct {
    const char *suffix;
    enum name_kind kind;
} suffixes[] = {
    {".jpg", NAME_PICTURE}, {".jpeg", NAME_PICTURE}, {".png", NAME_PICTURE},
    {".bmp", NAME_REFUSED}, {".gif", NAME_REFUSED},  {".webp", NAME_REFUSED},
    {".tif", NAME_REFUSED}, {".tiff", NAME_REFUSED}, {".ppm", NAME_REFUSED},
    {".pgm", NAME_REFUSED}, {".heic", NAME_REFUSED}, {".avif", NAME_REFUSED},
};

static enum name_kind kind_of(const char *name) {
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
    for (size_t i = 0; dot && i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strcasecmp(dot, suffixes[i].suffix) == 0)
            return suffixes[i].kind;
    return NAME_SKIPPED;
}

/* Adds a file that is a picture; other files are passed over, but no other picture silently. */
static enum status offer(struct encoded *list, const char *name, const uint8_t *bytes, size_t len,
                         struct error *err) {
    enum name_kind kind = kind_of(name);
    if (kind == NAME_SKIPPED)
        return STATUS_OK;
    if (kind == NAME_REFUSED)
        return error_set(err, STATUS_CORRUPT, "%s/%s is neither JPEG nor PNG; convert or remove it",
                         list->place, name);
    if (!strchr(name, '/'))
        return error_set(err, STATUS_CORRUPT,
                         "%s/%s lies in no class folder; there must be a folder for each class",
                         list->place, name);
    return encoded_add(list, name, bytes, len, err);
}

/* ---- folders ---- */

struct walk {
    struct encoded *list;
    char name[FILE_PATH_BYTES]; /* of the folder or file, below the list's place */
    int depth;
};

static enum status walk_folder(struct walk *walk, struct error *err);

static enum status walk_entry(struct walk *walk, const struct stat *info, struct error *err) {
    struct encoded *list = walk->list;
    if (S_ISLNK(info->st_mode))
        return error_set(err, STATUS_CORRUPT, "%s/%s is a link; put what it leads to in its place",
                         list->place, walk->name);
    if (S_ISDIR(info->st_mode)) {
        int64_t before = list->count;
        walk->depth++;
        enum status status = walk_folder(walk, err);
        walk->depth--;
        if (!status && walk->depth == 0 && list->count == before)
            status = error_set(err, STATUS_CORRUPT,
                               "class folder %s/%s holds no pictures; remove it or fill it",
                               list->place, walk->name);
        return status;
    }
    if (!S_ISREG(info->st_mode))
        return error_set(err, STATUS_CORRUPT, "%s/%s is neither a file nor a folder", list->place,
                         walk->name);
    return offer(list, walk->name, NULL, (size_t)info->st_size, err);
}

/* The next entry that is not hidden, or NULL at the end. */
static enum status next_entry(const struct walk *walk, DIR *dir, const struct dirent **entry,
                              struct error *err) {
    do {
        errno = 0;
        *entry = readdir(dir);
    } while (*entry && (*entry)->d_name[0] == '.');
    return *entry || !errno
               ? STATUS_OK
               : error_set_errno(err, errno, "read %s/%s", walk->list->place, walk->name);
}

/* Puts an entry's name behind that of the folder, which ends at stem. */
static enum status enter(struct walk *walk, size_t stem, const char *name, struct error *err) {
    size_t len = strlen(name), slash = stem > 0;
    if (stem + slash + len >= sizeof walk->name)
        return error_set(err, STATUS_CORRUPT, "%s/%.100s...: the name is too long",
                         walk->list->place, walk->name);
    if (slash)
        walk->name[stem] = '/';
    memcpy(walk->name + stem + slash, name, len + 1);
    return STATUS_OK;
}

/* Everything in an open folder; the walk's name gets each entry's name for as long as it takes. */
static enum status walk_entries(struct walk *walk, DIR *dir, struct error *err) {
    size_t stem = strlen(walk->name);
    for (;;) {
        const struct dirent *entry;
        struct stat info;
        enum status status = next_entry(walk, dir, &entry, err);
        if (status || !entry)
            return status;
        status = enter(walk, stem, entry->d_name, err);
        if (status)
            return status;
        status = fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0
                     ? error_set_errno(err, errno, "read %s/%s", walk->list->place, walk->name)
                     : walk_entry(walk, &info, err);
        walk->name[stem] = '\0';
        if (status)
            return status;
    }
}

static enum status walk_folder(struct walk *walk, struct error *err) {
    char path[FILE_PATH_BYTES];
    if (walk->depth > MAX_DEPTH)
        return error_set(err, STATUS_CORRUPT, "%s/%s: folders lie more than %d deep",
                         walk->list->place, walk->name, MAX_DEPTH);
    enum status status = file_join(path, walk->list->place, walk->name, err);
    if (status)
        return status;
    int fd = open_to_read(path, O_DIRECTORY);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        status = open_failed(errno, path, err);
        if (fd >= 0)
            close(fd);
        return status;
    }
    status = walk_entries(walk, dir, err);
    closedir(dir);
    return status;
}

enum status images_list_folder(struct encoded *list, struct error *err) {
    struct walk walk = {.list = list};
    return walk_folder(&walk, err);
}

/* ---- archives ---- */

/* An archive may hold the folder itself or what is in it. */
static const char *without_top(const char *name, const char *top) {
    size_t len = strlen(top);
    const char *rest = strncmp(name, top, len) == 0 && name[len] == '/' ? name + len + 1 : name;
    return strchr(rest, '/') ? rest : name;
}

enum status images_list_archive(struct encoded *list, const void *bytes, size_t len,
                                const char *top, struct error *err) {
    struct tar tar;
    struct tar_entry entry;
    enum status status = STATUS_OK;
    bool more = true;
    tar_init(&tar, bytes, len);
    while (!status && more) {
        status = tar_next(&tar, &entry, &more, err);
        if (status)
            return error_wrap(err, status, "%s", list->place);
        if (more && !tar_is_hidden(&entry))
            status = offer(list, without_top(entry.name, top), entry.data, entry.len, err);
    }
    return status;
}
