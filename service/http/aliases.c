#include "service/http/handlers.h"

#include "service/common/log.h"
#include "service/http/app.h"
#include "service/http/page.h"
#include "service/store/aliases.h"
#include "service/store/guard.h"

enum status handle_alias_list(struct request *request, struct reply *reply, struct error *err) {
    struct page page;
    struct alias_list aliases = {0};
    enum status status = page_parse(&page, request, NULL, err);
    if (!status)
        status = aliases_list(&aliases, request->app->config->data, page.after, page.limit, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < aliases.count; i++)
        alias_card_add_json(&aliases.item[i], str_json_item(out));
    page_end(out, aliases.next);
    alias_list_release(&aliases);
    return STATUS_OK;
}

static enum status check_name(struct request *request, struct error *err) {
    if (alias_name_is_valid(request->arg))
        return STATUS_OK;
    return request_refuse(request, "name", request->arg, ALIAS_NAME_RANGE, err);
}

static enum status point(const char *data, const char *name, const char *model,
                         struct alias_card *card, bool *created, struct error *err) {
    int guard; /* the model stays until the alias points at it */
    enum status status = guard_take(&guard, data, err);
    if (!status)
        status = aliases_point(data, name, model, card, created, err);
    guard_give(&guard);
    return status;
}

enum status handle_alias_put(struct request *request, struct reply *reply, struct error *err) {
    struct alias_request asked;
    struct alias_card card;
    bool created = false;
    enum status status = check_name(request, err);
    if (!status)
        status =
            alias_request_decode(&asked, request->body, request->body_len, request->wrong, err);
    if (!status)
        status = point(request->app->config->data, request->arg, asked.model, &card, &created, err);
    if (status)
        return status;
    log_info("alias_moved", log_text("alias", card.name), log_text("model", card.model),
             request_by(request));
    alias_card_add_json(&card, reply_json(reply, created ? HTTP_CREATED : HTTP_OK));
    return STATUS_OK;
}

enum status handle_alias_remove(struct request *request, struct reply *reply, struct error *err) {
    const char *data = request->app->config->data;
    int guard;
    enum status status = guard_take(&guard, data, err);
    if (!status)
        status = aliases_remove(data, request->arg, err);
    guard_give(&guard);
    if (status)
        return status;
    log_info("alias_removed", log_text("alias", request->arg), request_by(request));
    reply->code = HTTP_NO_CONTENT;
    return STATUS_OK;
}
