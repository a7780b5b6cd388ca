#include "api/checkpoint.h"

#include <stdio.h>
#include <string.h>

#define ROW(member) FIELD_MEMBER(struct checkpoint_card, member)
static const struct field rows[] = {
    {ROW(id), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = CHECKPOINT_ID_BYTES - 1,
     .doc = "Id of the checkpoint, which a job's init takes."},
    {ROW(created), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = CLOCK_TEXT_BYTES - 1,
     .doc = "When it was written."},
    {ROW(step), .type = FIELD_INT, .max = 1e15, .doc = "Steps that it holds."},
    {ROW(bytes), .type = FIELD_INT, .max = 1e15, .doc = "Size of the weights file."},
};
#undef ROW
const struct field_table checkpoint_card_table = FIELD_TABLE("checkpoint", rows);

void checkpoint_card_add_json(const struct checkpoint_card *card, struct str *out) {
    fields_add_json(&checkpoint_card_table, card, 0, out);
}

void checkpoint_id_make(char out[CHECKPOINT_ID_BYTES], const char *job_id, int64_t step) {
    snprintf(out, CHECKPOINT_ID_BYTES, "%.39s-%lld", job_id, (long long)step);
}

bool checkpoint_id_parse(const char *text, char job_id[ID_BYTES], int64_t *step) {
    char again[CHECKPOINT_ID_BYTES];
    size_t len = strcspn(text, "-");
    if (len >= ID_BYTES || text[len] != '-' || !str_parse_i64(text + len + 1, step) || *step < 0)
        return false;
    memcpy(job_id, text, len);
    job_id[len] = '\0';
    if (!id_is_valid(job_id, ID_PREFIX_JOB))
        return false;
    checkpoint_id_make(again, job_id, *step); /* one way to write it, as it becomes a file's name */
    return str_equal(again, text);
}
