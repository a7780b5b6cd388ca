/*
 * file_reply.h - answers with a file that can be downloaded in parts, again, or not at all: Range,
 * If-Range and If-None-Match with a strong entity tag.
 *
 * Errors:  of opening the file; CORRUPT when it is missing in a folder that is there.
 * Threads: the request's own.
 */
#ifndef SERVICE_HTTP_FILE_REPLY_H
#define SERVICE_HTTP_FILE_REPLY_H

#include "service/http/request.h"

/* A file that never changes as long as it has this tag. */
struct file_answer {
    const char *path, *media_type; /* the latter a constant */
    const char *tag;               /* without quotes, at most 120 characters */
    const char *name, *suffix;     /* what it is called when it is saved */
};

/* Fills the reply with all of the file, the part that was asked for, or why there is none. */
MUST_CHECK enum status reply_file(const struct request *request, struct reply *reply,
                                  const struct file_answer *answer, struct error *err);

#endif
