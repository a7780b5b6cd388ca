#include "service/store/checkpoints.h"

#include "api/limits.h"
#include "service/store/folders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".safetensors"

enum status checkpoints_folder(char out[FILE_PATH_BYTES], const char *data, const char *job_id,
                               struct error *err) {
    return folder_path(out, data, "checkpoints", job_id, err);
}

static void file_name(char out[64], int64_t step) {
    snprintf(out, 64, "%012lld" SUFFIX, (long long)step);
}

/* The step in a file's name; false for other files. */
static bool step_of(const char *name, int64_t *step) {
    char digits[32];
    size_t len = strcspn(name, ".");
    if (!str_equal(name + len, SUFFIX) || len >= sizeof digits)
        return false;
    memcpy(digits, name, len);
    digits[len] = '\0';
    return str_parse_i64(digits, step);
}

/* ---- lists ---- */

struct listing {
    const char *folder, *job_id;
    struct checkpoint_list *list;
};

static enum status add(void *ctx, const char *name, struct error *err) {
    struct listing *listing = ctx;
    struct checkpoint_card *card = &listing->list->item[listing->list->count];
    char path[FILE_PATH_BYTES];
    struct stat info;
    if (listing->list->count == LIMIT_CHECKPOINTS || !step_of(name, &card->step))
        return STATUS_OK;
    enum status status = file_join(path, listing->folder, name, err);
    if (status || stat(path, &info)) /* pruned meanwhile */
        return status;
    checkpoint_id_make(card->id, listing->job_id, card->step);
    card->bytes = info.st_size;
    clock_format((int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000,
                 card->created);
    listing->list->count++;
    return STATUS_OK;
}

enum status checkpoints_list(struct checkpoint_list *list, const char *data, const char *job_id,
                             struct error *err) {
    char folder[FILE_PATH_BYTES];
    list->count = 0;
    enum status status = checkpoints_folder(folder, data, job_id, err);
    if (status || !file_is_dir(folder))
        return status;
    struct listing listing = {folder, job_id, list};
    return folder_each(folder, true, add, &listing, err);
}

enum status checkpoint_find(char path[FILE_PATH_BYTES], const char *data, const char *id,
                            struct error *err) {
    char job_id[ID_BYTES], folder[FILE_PATH_BYTES], name[64];
    int64_t step;
    if (!checkpoint_id_parse(id, job_id, &step))
        return error_set(err, STATUS_NOT_FOUND, "there is no checkpoint %s", id);
    file_name(name, step);
    enum status status = checkpoints_folder(folder, data, job_id, err);
    if (!status)
        status = file_join(path, folder, name, err);
    if (!status && !file_exists(path))
        return error_set(err, STATUS_NOT_FOUND, "there is no checkpoint %s", id);
    return status;
}

/* ---- removal ---- */

struct pruning {
    const char *folder;
    int64_t keep;
};

static enum status prune(void *ctx, const char *name, struct error *err) {
    struct pruning *pruning = ctx;
    char path[FILE_PATH_BYTES];
    int64_t step;
    if (!step_of(name, &step) || pruning->keep-- > 0)
        return STATUS_OK;
    enum status status = file_join(path, pruning->folder, name, err);
    if (!status && unlink(path) && errno != ENOENT)
        return error_set_errno(err, errno, "removing %s", path);
    return status;
}

enum status checkpoints_prune(const char *data, const char *job_id, int64_t keep,
                              struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = checkpoints_folder(folder, data, job_id, err);
    if (status || !file_is_dir(folder))
        return status;
    struct pruning pruning = {folder, keep};
    return folder_each(folder, true, prune, &pruning, err);
}

enum status checkpoints_remove(const char *data, const char *job_id, struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = checkpoints_folder(folder, data, job_id, err);
    return status || !file_is_dir(folder) ? status : file_remove_all(folder, err);
}
