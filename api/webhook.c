#include "api/webhook.h"

#include "api/codec.h"
#include "api/json_internal.h"

#include <stdio.h>

#define ROW(member) FIELD_MEMBER(struct webhook_card, member)
static const struct field card_rows[] = {
    {ROW(id), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = ID_BYTES - 1,
     .doc = "Id of the webhook."},
    {ROW(url), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = WEBHOOK_URL_BYTES - 1,
     .doc = "Where messages are sent to."},
    {ROW(events), .type = FIELD_TEXTS, .max = FIELD_TEXT_BYTES - 1,
     .doc = "The types of message it gets."},
    {ROW(tag), .type = FIELD_TEXT, .max = FIELD_TEXT_BYTES - 1,
     .doc = "Only jobs with this tag are told of; null: all."},
    {ROW(secret), .type = FIELD_TEXT, .max = WEBHOOK_SECRET_BYTES - 1,
     .doc = "What messages are signed with; told by POST /webhooks alone, null ever after."},
    {ROW(created), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1,
     .max = CLOCK_TEXT_BYTES - 1, .doc = "When it was created."},
    {ROW(disabled), .type = FIELD_BOOL, .fallback = "false",
     .doc = "The receiver has answered 410: it gets nothing any more."},
    {ROW(waiting), .type = FIELD_INT, .max = 1e15, .doc = "Messages that have not arrived yet."},
    {ROW(delivered), .type = FIELD_INT, .max = 1e15, .doc = "Messages that have arrived."},
    {ROW(given_up), .type = FIELD_INT, .max = 1e15, .doc = "Messages that never arrived."},
    {ROW(failures), .type = FIELD_INT, .max = 1e15,
     .doc = "Tries that failed since the last that went well."},
    {ROW(last_time), .type = FIELD_TEXT, .max = CLOCK_TEXT_BYTES - 1,
     .doc = "When the last try ended."},
    {ROW(last_status), .type = FIELD_INT, .max = 999,
     .doc = "HTTP status of its answer; 0 without one."},
    {ROW(last_error), .type = FIELD_TEXT, .max = WEBHOOK_ERROR_BYTES - 1,
     .doc = "What went wrong then."},
};
#undef ROW
const struct field_table webhook_card_table = FIELD_TABLE("webhook", card_rows);

void webhook_card_add_json(const struct webhook_card *card, struct str *out) {
    fields_add_json(&webhook_card_table, card, 0, out);
}

#define ROW(member) FIELD_MEMBER(struct webhook_request, member)
static const struct field request_rows[] = {
    {ROW(url), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = WEBHOOK_URL_BYTES - 1,
     .doc = "Where to send messages to: an absolute URL, http or https, without a password."},
    {ROW(events), .type = FIELD_TEXTS, .min = 1, .max = FIELD_TEXT_BYTES - 1,
     .fallback = "job.succeeded,job.failed,job.cancelled", .doc = "The types of message to send."},
    {ROW(tag), .type = FIELD_TEXT, .max = FIELD_TEXT_BYTES - 1,
     .doc = "Tell only of jobs with this tag."},
};
#undef ROW
const struct field_table webhook_request_table = FIELD_TABLE("webhook", request_rows);

static const char *const kinds[] = {
#define SLUG(slug, doc) slug,
    WEBHOOK_KIND_MAP(SLUG)
#undef SLUG
        NULL};

static void refuse_events(const char *event, struct field_errors *errors) {
    char detail[ERROR_MESSAGE_BYTES];
    struct str range = STR_INIT, shown = STR_INIT;
    str_add(&range, event ? "of" : "at least one of");
    for (int i = 0; kinds[i]; i++)
        str_addf(&range, "%s %s", i ? "," : "", kinds[i]);
    json_show_text(event ? event : "", &shown);
    snprintf(detail, sizeof detail, "events must be %s, not %s", str_text(&range),
             event ? str_text(&shown) : "empty");
    field_errors_add(errors, "events", event ? str_text(&shown) : NULL, detail, str_text(&range));
    str_release(&range);
    str_release(&shown);
}

enum status webhook_request_decode(struct webhook_request *request, const char *text, size_t len,
                                   struct field_errors *errors, struct error *err) {
    enum status status = fields_decode(&webhook_request_table, request, text, len, errors, err);
    if (status)
        return status;
    for (int i = 0; i < request->events.count; i++)
        if (str_index(kinds, request->events.item[i]) < 0) {
            refuse_events(request->events.item[i], errors);
            break;
        }
    if (!request->events.count)
        refuse_events(NULL, errors);
    return field_errors_status(errors, err);
}
