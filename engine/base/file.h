/*
 * file.h - whole files, written so that a crash leaves the old or the new content, never a part.
 *
 * A write goes to a temporary name in the same directory, is synced, renamed, and the directory
 * is synced. Leftover temporary files begin with FILE_TMP_PREFIX and may be removed. Strict paths
 * (open.h) are read without following links.
 *
 * Errors: NOT_FOUND, NO_SPACE, IO, TOO_LARGE (over the limit), OUT_OF_MEMORY.
 */
#ifndef ENGINE_BASE_FILE_H
#define ENGINE_BASE_FILE_H

#include "engine/base/mem.h"

#define FILE_TMP_PREFIX ".tmp-"
enum { FILE_PATH_BYTES = 1024 };

/* A file mapped read-only. */
struct file_map {
    const uint8_t *data;
    size_t len;
};

/* An empty file maps to length 0. */
MUST_CHECK enum status file_map(struct file_map *map, const char *path, struct error *err);
/* The same for an open file, which may be closed afterwards; path is for messages. */
MUST_CHECK enum status file_map_fd(struct file_map *map, int fd, const char *path,
                                   struct error *err);
void file_unmap(struct file_map *map); /* Zeroed or mapped; usable again. */

/* Reads a file of at most max bytes; *data is the caller's to free() and NUL-terminated. */
MUST_CHECK enum status file_read(const char *path, size_t max, char **data, size_t *len,
                                 struct error *err);

/* Replaces a file's content atomically and durably. */
MUST_CHECK enum status file_write(const char *path, const void *data, size_t len,
                                  struct error *err);

/* Writes all of it to an open file; name is for messages. */
MUST_CHECK enum status file_write_fd(int fd, const void *data, size_t len, const char *name,
                                     struct error *err);

/* A whole file as file_write does, in pieces: open, add as often as needed, then exactly one of
 * commit or abandon. */
struct file_writer {
    int fd;
    char tmp_path[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
};
MUST_CHECK enum status file_writer_open(struct file_writer *writer, const char *path,
                                        struct error *err);
MUST_CHECK enum status file_writer_add(struct file_writer *writer, const void *data, size_t len,
                                       struct error *err);
MUST_CHECK enum status file_writer_commit(struct file_writer *writer, struct error *err);
void file_writer_abandon(struct file_writer *writer); /* Removes the temporary file. */

/* Opens an empty file without a name, for reading and writing, in TMPDIR or /tmp; it is gone when
 * *fd is closed and nothing maps it. */
MUST_CHECK enum status file_open_nameless(int *fd, struct error *err);

/* Creates a directory with its parents (mode 0755); an existing directory is fine. */
MUST_CHECK enum status file_make_dirs(const char *path, struct error *err);

/* Removes a file or a directory with all it holds; a missing one is fine; no link is followed. */
MUST_CHECK enum status file_remove_all(const char *path, struct error *err);

/* The last part of a path, without the slashes behind it: "c" of "a/b/c//"; "" of "/". */
void path_name(char out[FILE_PATH_BYTES], const char *path);

bool file_exists(const char *path);  /* Anything of that name. */
bool file_is_dir(const char *path);  /* A directory (links followed). */
int64_t file_size(const char *path); /* Bytes, or -1. */

/* "dir/name" in a fixed buffer; TOO_LARGE when it does not fit. */
MUST_CHECK enum status file_join(char out[FILE_PATH_BYTES], const char *dir, const char *name,
                                 struct error *err);

#endif
