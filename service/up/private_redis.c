#include "service/up/private_redis.h"

#include "engine/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREDECESSOR_MS = 15000, POLL_MS = 50 };

/* A value of redis.conf in double quotes. */
static void add_quoted(struct str *conf, const char *value) {
    str_add(conf, "\"");
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            str_add(conf, "\\");
        if ((unsigned char)*c < 0x20)
            str_addf(conf, "\\x%02x", (unsigned char)*c);
        else
            str_add_bytes(conf, c, 1);
    }
    str_add(conf, "\"\n");
}

static void add_path(struct str *conf, const char *directive, const char *folder,
                     const char *name) {
    struct str path = STR_INIT;
    str_addf(&path, "%s%s%s", folder, name[0] ? "/" : "", name);
    str_addf(conf, "%s ", directive);
    add_quoted(conf, str_text(&path));
    str_release(&path);
}

static enum status write_configuration(const char *folder, const char *path, struct error *err) {
    struct str conf = STR_INIT;
    str_add(&conf, "port 0\ndaemonize no\ndatabases 1\nunixsocketperm 700\n"
                   "appendonly yes\nappendfsync always\nsave \"\"\n"
                   "maxmemory-policy noeviction\nloglevel notice\n");
    add_path(&conf, "dir", folder, "");
    add_path(&conf, "logfile", folder, "redis.log");
    add_path(&conf, "unixsocket", folder, "redis.sock");
    /* Nobody else's file under this name, and nobody else may read it. */
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum status status = STATUS_OK;
    if (fd < 0 || write(fd, str_text(&conf), conf.len) != (ssize_t)conf.len)
        status = error_set_errno(err, errno, "writing %s", path);
    if (fd >= 0)
        close(fd);
    str_release(&conf);
    return status;
}

/* The redis-server inherits the descriptor and with it the lock. */
static enum status take_lock(const char *folder, int *fd, struct error *err) {
    char path[FILE_PATH_BYTES];
    int64_t deadline_ns = clock_mono_ns() + (int64_t)PREDECESSOR_MS * NS_PER_MS;
    enum status status = file_join(path, folder, "lock", err);
    if (status)
        return status;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return error_set_errno(err, errno, "opening %s", path);
    while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        if (clock_mono_ns() > deadline_ns) {
            close(*fd);
            *fd = -1;
            return error_set(err, STATUS_CONFLICT, "another redis-server still uses %s", folder);
        }
        clock_sleep_ms(POLL_MS);
    }
    return STATUS_OK;
}

enum status private_redis_init(struct child *child, const struct config *config,
                               struct error *err) {
    char folder[FILE_PATH_BYTES], conf[FILE_PATH_BYTES];
    enum status status = config_path(config, "redis", folder, err);
    if (!status)
        status = file_make_dirs(folder, err);
    if (!status && chmod(folder, 0700) != 0)
        status = error_set_errno(err, errno, "protecting %s", folder);
    if (!status)
        status = file_join(conf, folder, "redis.conf", err);
    if (!status)
        status = write_configuration(folder, conf, err);
    if (!status)
        status = take_lock(folder, &child->keep_fd, err);
    if (status)
        return status;
    child_add_arg(child, "redis-server");
    child_add_arg(child, conf);
    return STATUS_OK;
}
