#include "service/store/publish.h"

#include "engine/base/str.h"
#include "service/store/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An empty folder of a temporary name in parent. */
static enum status make_tmp(char tmp[FILE_PATH_BYTES], const char *parent, struct error *err) {
    enum status status = file_join(tmp, parent, FILE_TMP_PREFIX "XXXXXX", err);
    if (!status && !mkdtemp(tmp))
        status = error_set_errno(err, errno, "making %s", tmp);
    return status;
}

enum status publication_begin(struct publication *publication, const char *data, const char *kind,
                              const char *name, struct error *err) {
    char parent[FILE_PATH_BYTES];
    memset(publication, 0, sizeof *publication);
    enum status status = folder_path(parent, data, kind, NULL, err);
    if (!status)
        status = file_join(publication->folder, parent, name, err);
    if (!status)
        status = file_make_dirs(parent, err);
    if (status)
        return status;
    if (file_exists(publication->folder))
        return error_set(err, STATUS_CONFLICT, "%s exists already", name);
    char tmp[FILE_PATH_BYTES];
    status = make_tmp(tmp, parent, err);
    if (status)
        return status;
    str_copy(publication->tmp_folder, sizeof publication->tmp_folder, tmp);
    return chmod(tmp, 0755) == 0 ? STATUS_OK : error_set_errno(err, errno, "making %s", tmp);
}

enum status publication_add(const struct publication *publication, const char *name,
                            const char *text, struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = file_join(path, publication->tmp_folder, name, err);
    return status ? status : file_write(path, text, strlen(text), err);
}

enum status publication_link(const struct publication *publication, const char *folder,
                             const char *file, const char *name, struct error *err) {
    char source[FILE_PATH_BYTES], target[FILE_PATH_BYTES];
    enum status status = file_join(source, folder, file, err);
    if (!status)
        status = file_join(target, publication->tmp_folder, name, err);
    if (!status && link(source, target) != 0)
        status = error_set_errno(err, errno, "linking %s to %s", source, target);
    return status;
}

enum status folder_sync(const char *path, struct error *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "opening %s", path);
    enum status status = STATUS_OK;
    if (fsync(fd) != 0)
        status = error_set_errno(err, errno, "syncing %s", path);
    close(fd);
    return status;
}

/* rename() puts a folder only in the place of nothing or of an empty folder. */
static enum status make_visible(const struct publication *publication, struct error *err) {
    char parent[FILE_PATH_BYTES];
    str_copy(parent, sizeof parent, publication->folder);
    *strrchr(parent, '/') = '\0';
    enum status status = folder_sync(publication->tmp_folder, err);
    if (status)
        return status;
    if (rename(publication->tmp_folder, publication->folder) == 0)
        return folder_sync(parent, err);
    if (errno == ENOTEMPTY || errno == EEXIST)
        return error_set(err, STATUS_CONFLICT, "%s exists already", publication->folder);
    return error_set_errno(err, errno, "renaming to %s", publication->folder);
}

enum status publication_end(struct publication *publication, enum status status,
                            struct error *err) {
    if (!status)
        status = make_visible(publication, err);
    if (status && publication->tmp_folder[0]) {
        /* What cannot be removed now is swept away at the next start. */
        enum status ignored = file_remove_all(publication->tmp_folder, NULL);
        (void)ignored;
    }
    return status;
}

/* rename() puts a folder in the place of an empty one. */
enum status folder_withdraw(const char *data, const char *kind, const char *name,
                            char gone[FILE_PATH_BYTES], struct error *err) {
    char parent[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    enum status status = folder_path(parent, data, kind, NULL, err);
    if (!status)
        status = file_join(path, parent, name, err);
    if (!status)
        status = make_tmp(gone, parent, err);
    if (status)
        return status;
    if (rename(path, gone) != 0) {
        status = error_set_errno(err, errno, "withdrawing %s", path);
        rmdir(gone);
        return status;
    }
    return folder_sync(parent, err);
}
