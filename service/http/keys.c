#include "service/http/handlers.h"

#include "service/common/log.h"
#include "service/http/app.h"
#include "service/http/page.h"

#include <string.h>

enum status handle_key_list(struct request *request, struct reply *reply, struct error *err) {
    struct page page;
    struct key_list keys = {0};
    enum status status = page_parse(&page, request, NULL, err);
    if (!status)
        status =
            api_keys_list(&keys, request->app->config->data, page.after, page.limit, NULL, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < keys.count; i++)
        key_card_add_json(&keys.item[i], str_json_item(out));
    page_end(out, keys.next);
    key_list_release(&keys);
    return STATUS_OK;
}

/* Who has made it keeps the secret: it is nowhere else. */
static void reply_made(struct reply *reply, const struct key_card *card, const char *secret) {
    struct str *out = reply_json(reply, HTTP_CREATED);
    str_add(out, "{\"key\":");
    key_card_add_json(card, out);
    str_addf(out, ",\"secret\":\"%s\"}", secret);
    reply_header(reply, "Cache-Control", "no-store");
}

/* The first key shuts everybody out who has none: that is for who owns the data directory. */
static enum status check_asked(const struct request *request, struct error *err) {
    if (request->holder->name[0])
        return STATUS_OK;
    return error_set(err, STATUS_CONFLICT,
                     "nobody is asked for a key here; the first one is made by distilld key");
}

enum status handle_key_create(struct request *request, struct reply *reply, struct error *err) {
    struct key_request asked;
    struct key_card card;
    char secret[SECRET_BYTES];
    enum status status =
        key_request_decode(&asked, request->body, request->body_len, request->wrong, err);
    if (!status)
        status = check_asked(request, err);
    if (!status)
        status = api_keys_create(request->app->config->data, &asked, &card, secret, err);
    if (status)
        return status;
    key_ring_update(request->app->keys);
    log_info("key_made", log_text("key", card.name), request_by(request));
    reply_made(reply, &card, secret);
    explicit_bzero(secret, sizeof secret);
    return STATUS_OK;
}

/* So that there is always one left that may make others. */
static enum status check_not_own(const struct request *request, struct error *err) {
    if (!str_equal(request->arg, request->holder->name))
        return STATUS_OK;
    return error_set(err, STATUS_CONFLICT,
                     "a key cannot remove itself, nor give up its role admin");
}

enum status handle_key_edit(struct request *request, struct reply *reply, struct error *err) {
    struct key_edit edit;
    struct key_card card;
    enum status status =
        key_edit_decode(&edit, request->body, request->body_len, request->wrong, err);
    if (!status && key_edit_ends_admin(&edit))
        status = check_not_own(request, err);
    if (!status)
        status = api_keys_edit(request->app->config->data, request->holder->name, request->arg,
                               &edit, &card, err);
    if (status)
        return status;
    key_ring_update(request->app->keys);
    log_info("key_changed", log_text("key", card.name), request_by(request));
    key_card_add_json(&card, reply_json(reply, HTTP_OK));
    return STATUS_OK;
}

enum status handle_key_remove(struct request *request, struct reply *reply, struct error *err) {
    enum status status = check_not_own(request, err);
    if (!status)
        status =
            api_keys_remove(request->app->config->data, request->holder->name, request->arg, err);
    if (status)
        return status;
    key_ring_update(request->app->keys);
    log_info("key_removed", log_text("key", request->arg), request_by(request));
    reply->code = HTTP_NO_CONTENT;
    return STATUS_OK;
}
