#include "service/store/uploads.h"

#include "api/limits.h"
#include "engine/base/clock.h"
#include "engine/data/unpack.h"
#include "service/common/log.h"
#include "service/store/folders.h"
#include "service/store/publish.h"
#include "service/store/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIND "uploads"
#define PART ".part"

static const int64_t MS_PER_HOUR = 60 * 60 * 1000;

enum status upload_folder(char out[FILE_PATH_BYTES], const struct config *config, const char *id,
                          struct error *err) {
    if (!id_is_valid(id, ID_PREFIX_UPLOAD))
        return error_set(err, STATUS_NOT_FOUND, "there is no upload %s", id);
    enum status status = folder_path(out, config->data, KIND, id, err);
    if (!status && !file_is_dir(out))
        status = error_set(err, STATUS_NOT_FOUND, "there is no upload %s", id);
    return status;
}

enum status upload_lock(int *lock, const char *folder, bool alone, struct error *err) {
    char path[FILE_PATH_BYTES];
    *lock = -1;
    enum status status = file_join(path, folder, "lock", err);
    if (status)
        return status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(err, errno, "opening %s", path);
    if (flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK ? error_set(err, STATUS_CONFLICT, "the upload is being %s",
                                                  alone ? "worked at" : "finished or removed")
                                      : error_set_errno(err, errno, "locking %s", path);
    else if (!file_exists(path)) /* it was removed in between */
        status = error_set(err, STATUS_NOT_FOUND, "the upload is gone");
    if (status)
        close(fd);
    else
        *lock = fd;
    return status;
}

/* ---- what an upload has ---- */

static int64_t changed_ms(const struct stat *info) {
    return (int64_t)info->st_mtim.tv_sec * 1000 + info->st_mtim.tv_nsec / 1000000;
}

struct look {
    const char *folder; /* of its files */
    struct upload_card *card;
    int64_t newest_ms;
};

static enum status look_at_file(void *ctx, const char *name, struct error *err) {
    struct look *look = ctx;
    struct upload_card *card = look->card;
    struct stat info;
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, look->folder, name, err);
    if (status || stat(path, &info) != 0 || card->file_count == LIMIT_UPLOAD_FILES)
        return status;
    if (info.st_size == 0) /* nothing has come yet, and may never */
        return STATUS_OK;
    struct upload_file *file = &card->file[card->file_count++];
    str_copy(file->name, sizeof file->name, name);
    file->complete = !str_has_suffix(file->name, PART);
    if (!file->complete)
        file->name[strlen(file->name) - strlen(PART)] = '\0';
    file->bytes = info.st_size;
    card->bytes += info.st_size;
    if (changed_ms(&info) > look->newest_ms)
        look->newest_ms = changed_ms(&info);
    return STATUS_OK;
}

/* Fills in the files; newest_ms becomes the time of the last change. */
static enum status look_at_files(struct upload_card *card, const char *folder, int64_t *newest_ms,
                                 struct error *err) {
    char files[FILE_PATH_BYTES];
    struct stat info;
    enum status status = file_join(files, folder, "files", err);
    if (status)
        return status;
    if (stat(files, &info) != 0)
        return error_set_errno(err, errno, "looking at %s", files);
    struct look look = {files, card, changed_ms(&info)};
    status = folder_each(files, false, look_at_file, &look, err);
    *newest_ms = look.newest_ms;
    return status;
}

static enum status read_name(struct upload_card *card, const char *folder, struct error *err) {
    char path[FILE_PATH_BYTES], *text = NULL;
    size_t len;
    enum status status = file_join(path, folder, "name", err);
    if (!status)
        status = file_read(path, sizeof card->name - 1, &text, &len, err);
    if (!status)
        str_copy(card->name, sizeof card->name, text);
    free(text);
    return status;
}

/* Everything of a card but its name; left_ms is the time until it expires. */
static enum status look_at(struct upload_card *card, const struct config *config, const char *id,
                           int64_t *left_ms, struct error *err) {
    char folder[FILE_PATH_BYTES];
    int64_t newest_ms = 0;
    memset(card, 0, sizeof *card);
    enum status status = upload_folder(folder, config, id, err);
    if (!status)
        status = look_at_files(card, folder, &newest_ms, err);
    if (status)
        return status;
    int64_t expires_ms = newest_ms + config->keep_uploads_hours * MS_PER_HOUR;
    *left_ms = expires_ms - clock_wall_ms();
    str_copy(card->id, sizeof card->id, id);
    clock_format(id_time_ms(id), card->created);
    clock_format(expires_ms, card->expires);
    return read_name(card, folder, err);
}

enum status uploads_find(struct upload_card *card, const struct config *config, const char *id,
                         struct error *err) {
    int64_t left_ms;
    return look_at(card, config, id, &left_ms, err);
}

static enum status read_item(void *item, const void *ctx, const char *name, struct error *err) {
    return uploads_find(item, ctx, name, err);
}

enum status uploads_list(struct upload_list *list, const struct config *config, const char *after,
                         int limit, struct error *err) {
    const struct folder_page page = {config->data,       KIND,      after, false, limit,
                                     sizeof *list->item, read_item, config};
    struct folder_items found;
    enum status status = folder_read_page(&page, &found, err);
    *list = (struct upload_list){.item = found.item, .count = found.count};
    str_copy(list->next, sizeof list->next, found.next);
    return status;
}

void upload_list_release(struct upload_list *list) {
    free(list->item);
    *list = (struct upload_list){.count = 0};
}

/* ---- all of them ---- */

typedef enum status upload_fn(void *ctx, const struct upload_card *card, int64_t left_ms,
                              struct error *err);

struct round {
    const struct config *config;
    upload_fn *each;
    void *ctx;
};

static enum status visit(void *ctx, const char *id, struct error *err) {
    const struct round *round = ctx;
    struct upload_card card;
    int64_t left_ms;
    if (look_at(&card, round->config, id, &left_ms, NULL)) /* it is going away */
        return STATUS_OK;
    return round->each(round->ctx, &card, left_ms, err);
}

static enum status each_upload(const struct config *config, upload_fn *each, void *ctx,
                               struct error *err) {
    char folder[FILE_PATH_BYTES];
    struct round round = {config, each, ctx};
    enum status status = folder_path(folder, config->data, KIND, NULL, err);
    return status || !file_is_dir(folder) ? status : folder_each(folder, false, visit, &round, err);
}

struct usage {
    const char *id, *without;
    int64_t *own, *all;
};

static enum status add_usage(void *ctx, const struct upload_card *card, int64_t left_ms,
                             struct error *err) {
    (void)left_ms, (void)err;
    const struct usage *usage = ctx;
    bool is_own = str_equal(card->id, usage->id);
    for (int i = 0; i < card->file_count; i++) {
        if (is_own && str_equal(card->file[i].name, usage->without))
            continue;
        *usage->own += is_own ? card->file[i].bytes : 0;
        *usage->all += card->file[i].bytes;
    }
    return STATUS_OK;
}

enum status uploads_usage(const struct config *config, const char *id, const char *without,
                          int64_t *own, int64_t *all, struct error *err) {
    struct usage usage = {id, without, own, all};
    *own = *all = 0;
    return each_upload(config, add_usage, &usage, err);
}

static enum status expire(void *ctx, const struct upload_card *card, int64_t left_ms,
                          struct error *err) {
    const struct config *config = ctx;
    if (left_ms > 0)
        return STATUS_OK;
    enum status status = uploads_remove(config, card->id, err);
    if (status == STATUS_NOT_FOUND || status == STATUS_CONFLICT)
        return STATUS_OK; /* another server does the same, or somebody goes on with it */
    if (!status)
        log_info("upload_expired", log_text("upload", card->id), log_int("bytes", card->bytes));
    return status;
}

enum status uploads_expire(const struct config *config, struct error *err) {
    return each_upload(config, expire, (void *)(uintptr_t)config, err);
}

/* ---- beginning and removing ---- */

static enum status count_upload(void *ctx, const struct upload_card *card, int64_t left_ms,
                                struct error *err) {
    (void)card, (void)left_ms, (void)err;
    ++*(int *)ctx;
    return STATUS_OK;
}

static enum status check_new(const struct config *config, const char *name, struct error *err) {
    int open_count = 0;
    if (!dataset_name_is_valid(name))
        return error_set_field(err, STATUS_INVALID, "name", "name: %s cannot name a data set",
                               name);
    if (datasets_check(config->data, name, NULL) == STATUS_OK)
        return error_set_field(err, STATUS_CONFLICT, "name", "data set %s exists already", name);
    enum status status = each_upload(config, count_upload, &open_count, err);
    if (!status)
        status = space_check_count(config->data, "datasets", LIMIT_DATASETS, err);
    if (!status && open_count >= LIMIT_UPLOADS_OPEN)
        status = error_set(err, STATUS_UNAVAILABLE, "%d uploads are open: finish or remove one",
                           open_count);
    return status;
}

enum status uploads_create(const struct config *config, struct id_source *ids, const char *name,
                           char id[ID_BYTES], struct error *err) {
    struct publication publication;
    char files[FILE_PATH_BYTES];
    enum status status = check_new(config, name, err);
    if (status)
        return status;
    id_make(ids, ID_PREFIX_UPLOAD, id);
    status = publication_begin(&publication, config->data, KIND, id, err);
    if (!status)
        status = file_join(files, publication.tmp_folder, "files", err);
    if (!status)
        status = file_make_dirs(files, err);
    if (!status)
        status = publication_add(&publication, "name", name, err);
    return publication_end(&publication, status, err);
}

/* The caller holds its lock alone. */
static enum status remove_locked(const struct config *config, const char *id, struct error *err) {
    char gone[FILE_PATH_BYTES];
    enum status status = folder_withdraw(config->data, KIND, id, gone, err);
    if (!status && file_remove_all(gone, NULL))
        log_warn("leftover", log_text("path", gone)); /* the next start sweeps it away */
    return status;
}

enum status uploads_remove(const struct config *config, const char *id, struct error *err) {
    char folder[FILE_PATH_BYTES];
    int lock = -1;
    enum status status = upload_folder(folder, config, id, err);
    if (!status)
        status = upload_lock(&lock, folder, true, err);
    if (!status)
        status = remove_locked(config, id, err);
    if (lock >= 0)
        close(lock);
    return status;
}

/* ---- finishing ---- */

static const char *const ARCHIVES[] = {"dataset.tar", "dataset.tar.gz", "dataset.tgz"};

static bool is_archive(const char *name) {
    for (size_t i = 0; i < sizeof ARCHIVES / sizeof *ARCHIVES; i++)
        if (str_equal(name, ARCHIVES[i]))
            return true;
    return false;
}

static enum status check_files(const struct upload_card *card, const char **archive,
                               struct error *err) {
    *archive = NULL;
    for (int i = 0; i < card->file_count; i++) {
        const struct upload_file *file = &card->file[i];
        if (!file->complete)
            return error_set(err, STATUS_CONFLICT, "%s has not arrived whole", file->name);
        if (is_archive(file->name))
            *archive = file->name;
    }
    if (card->file_count == 0)
        return error_set_field(err, STATUS_INVALID, "files", "files: none has arrived");
    if (*archive && card->file_count > 1)
        return error_set_field(err, STATUS_INVALID, "files",
                               "files: %s is a whole data set, but there are others beside it",
                               *archive);
    return STATUS_OK;
}

struct only {
    char name[FILE_PATH_BYTES];
    int count;
};

static enum status count_entry(void *ctx, const char *name, struct error *err) {
    (void)err;
    struct only *only = ctx;
    only->count++;
    str_copy(only->name, sizeof only->name, name);
    return STATUS_OK;
}

/* An archive may hold the folder itself or what is in it. */
static enum status enter_only_folder(char folder[FILE_PATH_BYTES], struct error *err) {
    struct only only = {.count = 0};
    char inner[FILE_PATH_BYTES];
    enum status status = folder_each(folder, false, count_entry, &only, err);
    if (status || only.count != 1)
        return status;
    status = file_join(inner, folder, only.name, err);
    if (!status && file_is_dir(inner))
        str_copy(folder, FILE_PATH_BYTES, inner);
    return status;
}

static enum status unpack(const char *files, const char *archive, char folder[FILE_PATH_BYTES],
                          struct error *err) {
    struct error cause = {0};
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, files, archive, err);
    if (status)
        return status;
    status = archive_unpack(path, folder, &cause);
    if (status == STATUS_CORRUPT || status == STATUS_TOO_LARGE)
        return error_set_field(err, STATUS_INVALID, "files", "files: %.*s", ERROR_MESSAGE_BYTES - 8,
                               cause.message);
    if (status && err)
        *err = cause;
    return status ? status : enter_only_folder(folder, err);
}

/* Clients need not know where an upload lies. */
static void hide(const char *folder, struct error *err) {
    char text[ERROR_MESSAGE_BYTES] = "";
    size_t len = strlen(folder);
    const char *from = err->message;
    for (const char *at; (at = strstr(from, folder)); from = at + len + (at[len] == '/'))
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s%s", (int)(at - from), from,
                 at[len] == '/' ? "" : "the upload");
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s", from);
    str_copy(err->message, sizeof err->message, text);
}

/* "files: open test.bin: No such ..." of a format's file is one that nobody has sent. */
static void say_not_sent(struct error *err) {
    static const char begin[] = "files: open ";
    char name[ERROR_MESSAGE_BYTES], end[ERROR_MESSAGE_BYTES];
    if (!str_has_prefix(err->message, begin))
        return;
    str_copy(name, sizeof name, err->message + strlen(begin));
    snprintf(end, sizeof end, ": %s", strerror(ENOENT));
    if (!str_has_suffix(name, end))
        return;
    name[strlen(name) - strlen(end)] = '\0';
    snprintf(err->message, sizeof err->message, "files: %.300s has not been sent", name);
}

static enum status take(const struct config *config, const char *folder,
                        const struct upload_card *card, const char *archive,
                        struct dataset_entry *entry, struct error *err) {
    char files[FILE_PATH_BYTES], unpacked[FILE_PATH_BYTES], place[FILE_PATH_BYTES];
    struct dataset_source source = {card->name, place, "files"};
    struct error cause = {0};
    enum status status = file_join(files, folder, "files", &cause);
    if (!status)
        status = file_join(unpacked, folder, "unpacked", &cause);
    if (!status)
        status = file_remove_all(unpacked, &cause); /* of a server that was killed */
    if (status)
        goto out;
    str_copy(place, sizeof place, archive ? unpacked : files);
    if (archive)
        status = unpack(files, archive, place, &cause);
    if (!status)
        status = datasets_take(config->data, config->datasets_bytes, &source, entry, &cause);
    hide(place, &cause);
    hide(files, &cause);
    hide(unpacked, &cause);
    say_not_sent(&cause);
    if (file_remove_all(unpacked, NULL))
        log_warn("leftover", log_text("path", unpacked));
out:
    if (status && err)
        *err = cause;
    return status;
}

enum status uploads_finish(const struct config *config, const char *id, struct dataset_entry *entry,
                           struct error *err) {
    char folder[FILE_PATH_BYTES];
    struct upload_card card;
    const char *archive;
    int lock = -1;
    enum status status = upload_folder(folder, config, id, err);
    if (!status)
        status = upload_lock(&lock, folder, true, err);
    if (!status)
        status = uploads_find(&card, config, id, err);
    if (!status)
        status = check_files(&card, &archive, err);
    if (!status)
        status = take(config, folder, &card, archive, entry, err);
    if (!status && remove_locked(config, id, NULL))
        log_warn("leftover", log_text("upload", id)); /* it expires */
    if (lock >= 0)
        close(lock);
    return status;
}
