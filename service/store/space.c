#include "service/store/space.h"

#include "service/store/folders.h"

#include <dirent.h>
#include <errno.h>
#include <sys/statvfs.h>

enum status space_check(const char *data, int64_t min_free_bytes, struct error *err) {
    struct statvfs room;
    if (min_free_bytes == 0)
        return STATUS_OK;
    if (statvfs(data, &room) != 0)
        return error_set_errno(err, errno, "looking at %s", data);
    int64_t free_bytes = (int64_t)((uint64_t)room.f_bavail * room.f_frsize);
    if (free_bytes >= min_free_bytes)
        return STATUS_OK;
    return error_set(err, STATUS_NO_SPACE,
                     "%lld bytes are free for data, fewer than min_free_bytes, which is %lld",
                     (long long)free_bytes, (long long)min_free_bytes);
}

/* Without the sorting of folder_each: this is asked with each job. */
enum status space_check_count(const char *data, const char *kind, int most, struct error *err) {
    char folder[FILE_PATH_BYTES];
    int count = 0;
    enum status status = folder_path(folder, data, kind, NULL, err);
    DIR *dir = status ? NULL : opendir(folder);
    if (!dir && !status && errno != ENOENT)
        status = error_set_errno(err, errno, "looking at %s", folder);
    if (!dir)
        return status;
    for (const struct dirent *entry; count < most && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    if (count < most)
        return STATUS_OK;
    return error_set(err, STATUS_NO_SPACE, "there are %d %s already: remove some", count, kind);
}
