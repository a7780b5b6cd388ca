#include "api/alias.h"

#include "api/cards.h"
#include "api/codec.h"

#define ROW(member) FIELD_MEMBER(struct alias_card, member)
static const struct field card_rows[] = {
    {ROW(name), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = ALIAS_NAME_BYTES - 1,
     .doc = "The alias."},
    {ROW(model), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = ID_BYTES - 1,
     .doc = "Id of the model it points at."},
    {ROW(changed), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1,
     .max = CLOCK_TEXT_BYTES - 1, .doc = "When it was pointed there."},
};
#undef ROW
const struct field_table alias_card_table = FIELD_TABLE("alias", card_rows);

void alias_card_add_json(const struct alias_card *card, struct str *out) {
    fields_add_json(&alias_card_table, card, 0, out);
}

enum status alias_card_decode(struct alias_card *card, const char *text, size_t len,
                              struct error *err) {
    return fields_decode_stored(&alias_card_table, card, text, len, err);
}

#define ROW(member) FIELD_MEMBER(struct alias_request, member)
static const struct field request_rows[] = {
    {ROW(model), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = FIELD_TEXT_BYTES - 1,
     .doc = "Model to point at: an id, or another alias, whose model is meant."},
};
#undef ROW
const struct field_table alias_request_table = {"alias", request_rows, 1};

enum status alias_request_decode(struct alias_request *request, const char *text, size_t len,
                                 struct field_errors *errors, struct error *err) {
    return fields_decode(&alias_request_table, request, text, len, errors, err);
}

bool alias_name_is_valid(const char *name) {
    return dataset_name_is_valid(name) && !str_has_prefix(name, ID_PREFIX_MODEL) &&
           !str_has_prefix(name, ID_PREFIX_JOB);
}
