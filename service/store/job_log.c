#include "service/store/job_log.h"

#include "api/limits.h"
#include "engine/base/clock.h"
#include "service/store/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, BLOCK_BYTES = 16 * 1024 };

static enum status log_path(char path[FILE_PATH_BYTES], const char *data, const char *job_id,
                            struct error *err) {
    char name[128];
    snprintf(name, sizeof name, "%.100s.log", job_id);
    return folder_path(path, data, "logs", name, err);
}

static bool older_path(char out[FILE_PATH_BYTES], const char *path) {
    int len = snprintf(out, FILE_PATH_BYTES, "%s.1", path);
    return len > 0 && len < FILE_PATH_BYTES;
}

/* ---- writing ---- */

static void open_file(struct job_log *log) {
    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

void job_log_open(struct job_log *log, const char *data, const char *job_id, long long attempt) {
    *log = (struct job_log){.fd = -1, .attempt = attempt};
    if (log_path(log->path, data, job_id, NULL) == STATUS_OK)
        open_file(log);
}

void job_log_close(struct job_log *log) {
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

static void turn_over_if_full(struct job_log *log) {
    char older[FILE_PATH_BYTES];
    struct stat info;
    if (fstat(log->fd, &info) || info.st_size < LIMIT_JOB_LOG_BYTES / 2)
        return;
    if (!older_path(older, log->path) || rename(log->path, older))
        return;
    job_log_close(log);
    open_file(log);
}

void job_log_add(struct job_log *log, const char *format, ...) {
    char line[LINE_BYTES], time[CLOCK_TEXT_BYTES];
    if (log->fd < 0)
        return;
    clock_format(clock_wall_ms(), time);
    int head = snprintf(line, sizeof line, "%s attempt %lld: ", time, log->attempt);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + head, sizeof line - (size_t)head - 1, format, arguments);
    va_end(arguments);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    size_t len = strlen(line);
    line[len++] = '\n';
    ssize_t written = write(log->fd, line, len);
    (void)written;
    turn_over_if_full(log);
}

/* ---- reading ---- */

/* Appends what the reader's file holds behind its place, as far as lines are whole. */
static void read_rest(struct job_log_reader *reader, struct str *out) {
    char block[BLOCK_BYTES];
    size_t before = out->len;
    ssize_t got;
    off_t at = reader->offset;
    while ((got = pread(reader->fd, block, sizeof block, at)) > 0 &&
           out->len - before < LIMIT_JOB_LOG_BYTES) {
        str_add_bytes(out, block, (size_t)got);
        at += got;
    }
    while (out->len > before && out->data[out->len - 1] != '\n')
        out->data[--out->len] = '\0';
    reader->offset += (off_t)(out->len - before);
}

static bool was_turned_over(const struct job_log_reader *reader) {
    struct stat held, named;
    return fstat(reader->fd, &held) == 0 && stat(reader->path, &named) == 0 &&
           (held.st_ino != named.st_ino || held.st_dev != named.st_dev);
}

static bool open_reader(struct job_log_reader *reader) {
    reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC);
    reader->offset = 0;
    return reader->fd >= 0;
}

void job_log_read_more(struct job_log_reader *reader, struct str *out) {
    if (reader->fd < 0 && !open_reader(reader))
        return;
    read_rest(reader, out);
    if (!was_turned_over(reader))
        return;
    read_rest(reader, out); /* what came before the turn */
    job_log_reader_close(reader);
    if (open_reader(reader))
        read_rest(reader, out);
}

void job_log_reader_close(struct job_log_reader *reader) {
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = -1;
}

static void keep_last_lines(struct str *text, int64_t lines) {
    size_t at = text->len;
    for (int64_t seen = 0; at > 0; at--)
        if (text->data[at - 1] == '\n' && seen++ == lines)
            break;
    memmove(text->data, text->data + at, text->len - at);
    text->len -= at;
    text->data[text->len] = '\0';
}

enum status job_log_read(struct job_log_reader *reader, const char *data, const char *job_id,
                         int64_t lines, struct str *out, struct error *err) {
    struct job_log_reader older = {.fd = -1};
    struct str text = STR_INIT;
    *reader = (struct job_log_reader){.fd = -1};
    enum status status = log_path(reader->path, data, job_id, err);
    if (status)
        return status;
    if (older_path(older.path, reader->path) && open_reader(&older))
        read_rest(&older, &text);
    job_log_reader_close(&older);
    if (open_reader(reader))
        read_rest(reader, &text);
    else if (errno != ENOENT)
        status = error_set_errno(err, errno, "opening %s", reader->path);
    if (text.len)
        keep_last_lines(&text, lines);
    str_add_bytes(out, str_text(&text), text.len);
    str_release(&text);
    return status;
}

enum status job_log_remove(const char *data, const char *job_id, struct error *err) {
    char path[FILE_PATH_BYTES], older[FILE_PATH_BYTES];
    enum status status = log_path(path, data, job_id, err);
    if (!status && unlink(path) && errno != ENOENT)
        status = error_set_errno(err, errno, "removing %s", path);
    if (!status && older_path(older, path) && unlink(older) && errno != ENOENT)
        status = error_set_errno(err, errno, "removing %s", older);
    return status;
}
