/*
 * upload_file.h - writes a file of an upload as it comes, and checks it.
 *
 *     upload_file_open(&file, config, id, "train.bin", offset, &err);
 *     upload_file_add(...) as often as needed; perhaps upload_file_complete(...);
 *     upload_file_close(&file);
 *
 * What has come stays when the connection breaks or the server is killed: whoever goes on with the
 * file begins where it ends. A wrong byte takes the whole file away, as nothing could be made of
 * it. How far it is checked is written down now and then, so that going on reads again at most
 * UPLOAD_REREAD_BYTES; where that would not do (a long gzip file), the rest is not checked before
 * the import, which checks everything.
 *
 * Ownership: upload_file_close is due after upload_file_open, whatever it answered.
 * Errors:    INVALID with the file's name as field for what is wrong in it, and with "file" for a
 *            name that no data set has; CONFLICT while another request sends it, or when offset is
 *            not where it ends (see expected); TOO_LARGE and NO_SPACE for the limits of the
 *            configuration; NOT_FOUND, file errors.
 * Threads:   one at a time.
 */
#ifndef SERVICE_STORE_UPLOAD_FILE_H
#define SERVICE_STORE_UPLOAD_FILE_H

#include "engine/data/incoming.h"
#include "service/store/uploads.h"

enum { UPLOAD_REREAD_BYTES = 64 << 20 };

struct upload_file_writer {
    const struct config *config;
    char id[ID_BYTES], name[UPLOAD_FILE_BYTES];
    char folder[FILE_PATH_BYTES];
    char part[FILE_PATH_BYTES], path[FILE_PATH_BYTES], state[FILE_PATH_BYTES];
    int lock, fd;               /* of the upload; of the part, locked too */
    int64_t bytes;              /* of the file, so far */
    int64_t most_own, most_all; /* that it may have, by the limit of the upload and of all */
    int64_t mark;               /* where limits and state are due again */
    int64_t expected;           /* the only offset that would do, when it is another; or -1 */
    struct incoming incoming;
    bool blind; /* what comes is not checked */
    bool anew;  /* nothing has come yet that takes the place of what there was */
};

/* Begins anew (offset 0) or goes on at the end of what there is, which stays until a byte comes. */
MUST_CHECK enum status upload_file_open(struct upload_file_writer *file,
                                        const struct config *config, const char *id,
                                        const char *name, int64_t offset, struct error *err);

/* The file may become so long. */
MUST_CHECK enum status upload_file_check_size(const struct upload_file_writer *file, int64_t bytes,
                                              struct error *err);

/* Writes and checks the bytes that come next. */
MUST_CHECK enum status upload_file_add(struct upload_file_writer *file, const void *bytes,
                                       size_t len, struct error *err);

/* All has come: gives the file its name, durably. */
MUST_CHECK enum status upload_file_complete(struct upload_file_writer *file, struct error *err);

/* Ends it; keeps what has come. */
void upload_file_close(struct upload_file_writer *file);

#endif
