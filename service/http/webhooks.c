#include "service/store/webhooks.h"
#include "api/codec.h"
#include "service/common/log.h"
#include "service/http/app.h"
#include "service/http/handlers.h"
#include "service/http/page.h"
#include "service/webhook/signature.h"
#include "service/webhook/url.h"

#include <stdio.h>
#include <string.h>

enum status handle_webhook_list(struct request *request, struct reply *reply, struct error *err) {
    struct page page;
    struct webhook_list list = {0};
    enum status status = page_parse(&page, request, ID_PREFIX_WEBHOOK, err);
    if (!status)
        status = webhooks_list(request->app->pool, page.after, page.limit, &list, err);
    if (status)
        return status;
    struct str *out = page_begin(reply);
    for (int i = 0; i < list.count; i++)
        webhook_card_add_json(&list.item[i], str_json_item(out));
    page_end(out, list.next);
    webhook_list_release(&list);
    return STATUS_OK;
}

static enum status decode(struct request *request, struct webhook_request *asked,
                          struct error *err) {
    struct field_errors *errors = request->wrong;
    bool allow_private = request->app->config->webhook_private;
    enum status status =
        webhook_request_decode(asked, request->body, request->body_len, errors, err);
    if (status)
        return status;
    status = url_check(asked->url, allow_private, err);
    if (status) {
        fields_blame(&webhook_request_table, asked, err, errors);
        str_copy(errors->item[0].range, sizeof errors->item[0].range,
                 allow_private ? URL_RANGE : URL_PRIVATE_RANGE);
    }
    return status;
}

/* Where it goes, without path and query: those of many receivers are their only secret. */
static void log_created(const struct request *request, const char *id, const char *url) {
    char origin[WEBHOOK_URL_BYTES];
    const char *host = strstr(url, "://");
    size_t len = host ? (size_t)(host - url) + strlen("://") : 0;
    len += strcspn(url + len, "/?#");
    snprintf(origin, sizeof origin, "%.*s", (int)len, url);
    log_info("webhook_created", log_text("webhook", id), log_text("to", origin),
             request_by(request));
}

enum status handle_webhook_create(struct request *request, struct reply *reply, struct error *err) {
    struct app *app = request->app;
    struct webhook_request asked;
    struct webhook_card card;
    char id[ID_BYTES], secret[WEBHOOK_SECRET_BYTES];
    enum status status = decode(request, &asked, err);
    if (!status) {
        id_make(&app->ids, ID_PREFIX_WEBHOOK, id);
        webhook_secret_make(secret);
        status = webhooks_create(app->pool, id, secret, &asked, &card, err);
    }
    if (status)
        return status;
    log_created(request, id, card.url);
    webhook_card_add_json(&card, reply_json(reply, HTTP_CREATED));
    reply_header(reply, "Location", "/webhooks/%s", id);
    return STATUS_OK;
}

enum status handle_webhook_show(struct request *request, struct reply *reply, struct error *err) {
    struct webhook_card card;
    enum status status = webhooks_get(request->app->pool, request->arg, &card, err);
    if (!status)
        webhook_card_add_json(&card, reply_json(reply, HTTP_OK));
    return status;
}

enum status handle_webhook_remove(struct request *request, struct reply *reply, struct error *err) {
    enum status status = webhooks_remove(request->app->pool, request->arg, err);
    if (status)
        return status;
    log_info("webhook_removed", log_text("webhook", request->arg), request_by(request));
    reply->code = HTTP_NO_CONTENT;
    return STATUS_OK;
}

enum status handle_webhook_test(struct request *request, struct reply *reply, struct error *err) {
    char message[ID_BYTES];
    id_make(&request->app->ids, ID_PREFIX_EVENT, message);
    enum status status = webhooks_test(request->app->pool, request->arg, message, err);
    if (!status)
        str_addf(reply_json(reply, HTTP_ACCEPTED), "{\"id\":\"%s\"}", message);
    return status;
}
