#include "api/upload.h"

#include "api/codec.h"
#include "api/json_internal.h"

#define TEXT(member, bytes, sentence)                                                              \
    {                                                                                              \
        ROW(member), .type = FIELD_TEXT, .min = 1, .max = (bytes)-1, .flags = FIELD_REQUIRED,      \
                     .doc = sentence                                                               \
    }

#define ROW(member) FIELD_MEMBER(struct upload_file, member)
static const struct field file_rows[] = {
    TEXT(name, UPLOAD_FILE_BYTES, "Name of the file."),
    {ROW(bytes), .type = FIELD_INT, .max = 1e15, .doc = "Bytes that have arrived."},
    {ROW(complete), .type = FIELD_BOOL, .fallback = "false", .doc = "It has arrived whole."},
};
#undef ROW
const struct field_table upload_file_table = FIELD_TABLE("file", file_rows);

#define ROW(member) FIELD_MEMBER(struct upload_card, member)
static const struct field card_rows[] = {
    TEXT(id, ID_BYTES, "Id of the upload."),
    TEXT(name, FIELD_TEXT_BYTES, "Name that the data set will have."),
    TEXT(created, CLOCK_TEXT_BYTES, "When it was begun."),
    TEXT(expires, CLOCK_TEXT_BYTES, "When it is removed if nothing arrives until then."),
    {ROW(bytes), .type = FIELD_INT, .max = 1e15, .doc = "Bytes of all files that have arrived."},
};
#undef ROW
const struct field_table upload_card_table = FIELD_TABLE("upload", card_rows);

#define ROW(member) FIELD_MEMBER(struct upload_request, member)
static const struct field request_rows[] = {
    TEXT(name, FIELD_TEXT_BYTES,
         "Name to register it under: lower-case letters, digits, _, . and -."),
};
#undef ROW
const struct field_table upload_request_table = FIELD_TABLE("upload", request_rows);

void upload_file_add_json(const struct upload_file *file, struct str *out) {
    fields_add_json(&upload_file_table, file, 0, out);
}

void upload_card_add_json(const struct upload_card *card, struct str *out) {
    fields_add_open(&upload_card_table, card, 0, out);
    str_add(str_json_key(out, "files"), "[");
    for (int i = 0; i < card->file_count; i++)
        upload_file_add_json(&card->file[i], str_json_item(out));
    str_add(out, "]}");
}

enum status upload_request_decode(struct upload_request *request, const char *text, size_t len,
                                  struct field_errors *errors, struct error *err) {
    enum status status = fields_decode(&upload_request_table, request, text, len, errors, err);
    if (!status && !dataset_name_is_valid(request->name))
        dataset_name_refuse(request->name, errors);
    return status ? status : field_errors_status(errors, err);
}
