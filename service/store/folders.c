#include "service/store/folders.h"

#include "engine/base/clock.h"
#include "engine/base/str.h"
#include "service/store/lock_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static const char *const KINDS[] = {"models", "aliases", "datasets", "jobs",    "checkpoints",
                                    "logs",   "workers", "blobs",    "uploads", "predictions"};

enum status folder_path(char out[FILE_PATH_BYTES], const char *data, const char *kind,
                        const char *name, struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = file_join(name ? folder : out, data, kind, err);
    return status || !name ? status : file_join(out, folder, name, err);
}

/* When a file was last written; a folder's own time says nothing of the files in it. */
static int64_t changed_ms(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return 0;
    int64_t newest = (int64_t)info.st_mtim.tv_sec * 1000 + (int64_t)info.st_mtim.tv_nsec / 1000000;
    DIR *dir = S_ISDIR(info.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inner[FILE_PATH_BYTES];
        bool is_inside = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        if (!is_inside || file_join(inner, path, entry->d_name, NULL) != STATUS_OK)
            continue;
        int64_t changed = changed_ms(inner);
        newest = changed > newest ? changed : newest;
    }
    if (dir)
        closedir(dir);
    return newest;
}

static enum status remove_if_old(const char *folder, const char *name, int64_t older_than_ms,
                                 struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, folder, name, err);
    if (status || (older_than_ms && clock_wall_ms() - changed_ms(path) < older_than_ms))
        return status;
    return file_remove_all(path, err);
}

/* Temporary entries directly inside a folder. */
static enum status sweep(const char *folder, int64_t older_than_ms, struct error *err) {
    DIR *dir = opendir(folder);
    if (!dir)
        return error_set_errno(err, errno, "opening %s", folder);
    enum status status = STATUS_OK;
    for (struct dirent *entry; !status && (entry = readdir(dir));)
        if (str_has_prefix(entry->d_name, FILE_TMP_PREFIX))
            status = remove_if_old(folder, entry->d_name, older_than_ms, err);
    closedir(dir);
    return status;
}

struct sweep_inner {
    const char *folder;
    int64_t older_than_ms;
};

static enum status sweep_inner(void *ctx, const char *name, struct error *err) {
    const struct sweep_inner *outer = ctx;
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, outer->folder, name, err);
    return status || !file_is_dir(path) ? status : sweep(path, outer->older_than_ms, err);
}

enum status folders_prepare(const char *data, int64_t older_than_ms, struct error *err) {
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        char folder[FILE_PATH_BYTES];
        enum status status = folder_path(folder, data, KINDS[i], NULL, err);
        if (!status)
            status = file_make_dirs(folder, err);
        if (!status)
            status = sweep(folder, older_than_ms, err);
        struct sweep_inner inner = {folder, older_than_ms};
        if (!status)
            status = folder_each(folder, false, sweep_inner, &inner, err);
        if (status) {
            error_wrap(err, status, "data directory");
            return status;
        }
    }
    return STATUS_OK;
}

/* The lock is shared by all that use the directory; who gets it alone is the only one. It is never
 * closed: the kernel lets it go, however the process ends. */
enum status folders_join(const char *data, int64_t older_than_ms, struct error *err) {
    int fd;
    enum status status = file_make_dirs(data, err);
    if (!status)
        status = lock_file_open(&fd, data, "users.lock", err);
    if (status)
        return status;
    bool alone = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!alone)
        status = lock_file_wait(fd, LOCK_SH, err);
    if (!status)
        status = folders_prepare(data, alone ? 0 : older_than_ms, err);
    return status || !alone ? status : lock_file_wait(fd, LOCK_SH, err);
}

enum status folders_remove_job(const char *data, const char *job_id, struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = folder_path(path, data, "jobs", job_id, err);
    return status ? status : file_remove_all(path, err);
}

static int is_shown(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

enum status folder_each(const char *path, bool descending, folder_fn *each, void *ctx,
                        struct error *err) {
    struct dirent **names = NULL;
    int count = scandir(path, &names, is_shown, by_name);
    if (count < 0)
        return error_set_errno(err, errno, "reading %s", path);
    enum status status = STATUS_OK;
    for (int i = 0; i < count && !status; i++)
        status = each(ctx, names[descending ? count - 1 - i : i]->d_name, err);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return status;
}

/* Does the name come before the page? */
static bool is_before(const struct folder_page *page, const char *name) {
    if (!page->after || !page->after[0])
        return false;
    int order = strcmp(name, page->after);
    return page->descending ? order >= 0 : order <= 0;
}

struct page_state {
    const struct folder_page *page;
    struct folder_items *items;
    char last[FOLDER_NAME_BYTES]; /* name that was read */
};

static enum status offer(void *ctx, const char *name, struct error *err) {
    struct page_state *state = ctx;
    const struct folder_page *page = state->page;
    struct folder_items *items = state->items;
    (void)err;
    if (items->next[0] || is_before(page, name))
        return STATUS_OK;
    if (items->count == page->limit) {
        str_copy(items->next, sizeof items->next, state->last);
        return STATUS_OK;
    }
    void *item = (char *)items->item + (size_t)items->count * page->item_bytes;
    bool taken = page->read(item, page->ctx, name, NULL) == STATUS_OK;
    items->count += taken;
    items->skipped += !taken;
    if (taken)
        str_copy(state->last, sizeof state->last, name);
    return STATUS_OK;
}

enum status folder_read_page(const struct folder_page *page, struct folder_items *items,
                             struct error *err) {
    char folder[FILE_PATH_BYTES];
    struct page_state state = {.page = page, .items = items};
    *items = (struct folder_items){.item = xcalloc((size_t)page->limit, page->item_bytes)};
    enum status status = folder_path(folder, page->data, page->kind, NULL, err);
    if (!status && file_is_dir(folder))
        status = folder_each(folder, page->descending, offer, &state, err);
    if (status) {
        free(items->item);
        items->item = NULL;
    }
    return status;
}
