/*
 * upload.h - data sets that are being uploaded, as they are told and begun.
 *
 * Errors:  for requests as in codec.h.
 * Threads: values and constant tables; pure functions.
 */
#ifndef API_UPLOAD_H
#define API_UPLOAD_H

#include "api/cards.h"
#include "api/limits.h"

#define ID_PREFIX_UPLOAD "upload_"
enum { UPLOAD_FILE_BYTES = 64 };

struct upload_file {
    char name[UPLOAD_FILE_BYTES];
    int64_t bytes; /* so far */
    bool complete;
};
extern const struct field_table upload_file_table;

struct upload_card {
    char id[ID_BYTES];
    char name[FIELD_TEXT_BYTES];    /* of the data set to be */
    char created[CLOCK_TEXT_BYTES]; /* RFC 3339 */
    char expires[CLOCK_TEXT_BYTES]; /* if nothing comes until then */
    int64_t bytes;                  /* of all files */
    int file_count;
    struct upload_file file[LIMIT_UPLOAD_FILES]; /* by name */
};
extern const struct field_table upload_card_table; /* all but the files */

void upload_file_add_json(const struct upload_file *file, struct str *out); /* An object. */
void upload_card_add_json(const struct upload_card *card, struct str *out); /* An object. */

/* POST /uploads. */
struct upload_request {
    char name[FIELD_TEXT_BYTES];
};
extern const struct field_table upload_request_table;

/* The body of POST /uploads. */
MUST_CHECK enum status upload_request_decode(struct upload_request *request, const char *text,
                                             size_t len, struct field_errors *errors,
                                             struct error *err);

#endif
