#include "service/store/space.h"

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
