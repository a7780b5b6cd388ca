/*
 * checkpoint.h - weights that a job kept on its way, as they are told and named.
 *
 * A checkpoint's id is that of its job, a dash and the steps it holds: job_01...-640. `init` takes
 * it.
 *
 * Threads: values and a constant table; pure functions.
 */
#ifndef API_CHECKPOINT_H
#define API_CHECKPOINT_H

#include "api/ids.h"
#include "engine/base/clock.h"
#include "engine/spec/fields.h"

enum { CHECKPOINT_ID_BYTES = 64 };

struct checkpoint_card {
    char id[CHECKPOINT_ID_BYTES];
    char created[CLOCK_TEXT_BYTES]; /* RFC 3339 */
    int64_t step, bytes;
};
extern const struct field_table checkpoint_card_table;

void checkpoint_card_add_json(const struct checkpoint_card *card, struct str *out); /* An object. */

/* Writes the id, and reads it; false when the text is none. */
void checkpoint_id_make(char out[CHECKPOINT_ID_BYTES], const char *job_id, int64_t step);
bool checkpoint_id_parse(const char *text, char job_id[ID_BYTES], int64_t *step);

#endif
