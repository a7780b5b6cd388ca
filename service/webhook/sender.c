#include "service/webhook/sender.h"

#include "api/limits.h"
#include "engine/base/mem.h"
#include "service/webhook/address.h"
#include "service/webhook/url.h"

#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ANSWER_BYTES = 64 * 1024, CONNECT_SHARE = 3 };

/* One that is on its way. */
struct parcel {
    struct sender *sender;
    CURL *curl; /* NULL: free */
    struct curl_slist *headers;
    size_t answered;
    bool refused;
    int number;
    char why[CURL_ERROR_SIZE];
};

struct sender {
    CURLM *multi;
    int64_t timeout_ms;
    bool allow_private;
    struct parcel parcels[LIMIT_MESSAGES_SENDING];
};

struct sender *sender_create(int64_t timeout_ms, bool allow_private) {
    struct sender *sender = xcalloc(1, sizeof *sender);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    sender->multi = curl_multi_init();
    CHECK(sender->multi != NULL);
    sender->timeout_ms = timeout_ms;
    sender->allow_private = allow_private;
    return sender;
}

static void discard(struct parcel *parcel) {
    curl_multi_remove_handle(parcel->sender->multi, parcel->curl);
    curl_easy_cleanup(parcel->curl);
    curl_slist_free_all(parcel->headers);
    *parcel = (struct parcel){0};
}

void sender_free(struct sender *sender) {
    if (!sender)
        return;
    for (int i = 0; i < LIMIT_MESSAGES_SENDING; i++)
        if (sender->parcels[i].curl)
            discard(&sender->parcels[i]);
    curl_multi_cleanup(sender->multi);
    curl_global_cleanup();
    free(sender);
}

/* ---- what libcurl calls ---- */

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address) {
    struct parcel *parcel = ctx;
    (void)purpose;
    if (!parcel->sender->allow_private && !address_is_public(&address->addr)) {
        parcel->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t throw_away(char *data, size_t size, size_t count, void *ctx) {
    struct parcel *parcel = ctx;
    (void)data;
    parcel->answered += size * count;
    return parcel->answered <= ANSWER_BYTES ? size * count : 0; /* 0 ends it */
}

/* ---- sending ---- */

static void add_header(struct parcel *parcel, const char *name, const char *value) {
    struct str line = STR_INIT;
    str_addf(&line, "%s: %s", name, value);
    parcel->headers = curl_slist_append(parcel->headers, str_text(&line));
    CHECK(parcel->headers != NULL);
    str_release(&line);
}

static void add_headers(struct parcel *parcel, const struct post *post) {
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%lld", (long long)post->timestamp_s);
    add_header(parcel, "Content-Type", "application/json");
    add_header(parcel, "Expect", ""); /* the body is small: nothing to ask for */
    add_header(parcel, "webhook-id", post->id);
    add_header(parcel, "webhook-timestamp", seconds);
    add_header(parcel, "webhook-signature", post->signature);
}

/* An option that older versions do not have, nor need. */
static void set_if_known(CURL *curl, const char *name, long value) {
    const struct curl_easyoption *option = curl_easy_option_by_name(name);
    if (option)
        curl_easy_setopt(curl, option->id, value);
}

static void set_limits(struct parcel *parcel) {
    CURL *curl = parcel->curl;
    long timeout_ms = (long)parcel->sender->timeout_ms;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms / CONNECT_SHARE + 1);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* nor one of the environment */
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, parcel);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, throw_away);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, parcel);
    set_if_known(curl, "QUICK_EXIT", 1L); /* a name that is not resolved in time is left alone */
}

static struct parcel *free_parcel(struct sender *sender) {
    for (int i = 0; i < LIMIT_MESSAGES_SENDING; i++)
        if (!sender->parcels[i].curl)
            return &sender->parcels[i];
    return NULL;
}

enum status sender_post(struct sender *sender, const struct post *post, int number,
                        struct error *err) {
    enum status status = url_check(post->url, sender->allow_private, err);
    if (status)
        return status;
    struct parcel *parcel = free_parcel(sender);
    CHECK(parcel != NULL);
    *parcel = (struct parcel){.sender = sender, .curl = curl_easy_init(), .number = number};
    CHECK(parcel->curl != NULL);
    add_headers(parcel, post);
    set_limits(parcel);
    curl_easy_setopt(parcel->curl, CURLOPT_URL, post->url);
    curl_easy_setopt(parcel->curl, CURLOPT_USERAGENT, "distilld");
    curl_easy_setopt(parcel->curl, CURLOPT_HTTPHEADER, parcel->headers);
    curl_easy_setopt(parcel->curl, CURLOPT_POSTFIELDSIZE, (long)post->body->len);
    curl_easy_setopt(parcel->curl, CURLOPT_COPYPOSTFIELDS, str_text(post->body));
    curl_easy_setopt(parcel->curl, CURLOPT_ERRORBUFFER, parcel->why);
    curl_easy_setopt(parcel->curl, CURLOPT_PRIVATE, parcel);
    CHECK(curl_multi_add_handle(sender->multi, parcel->curl) == CURLM_OK);
    return STATUS_OK;
}

void sender_run(struct sender *sender, int timeout_ms) {
    int running;
    curl_multi_perform(sender->multi, &running);
    curl_multi_poll(sender->multi, NULL, 0, timeout_ms, NULL);
    curl_multi_perform(sender->multi, &running);
}

void sender_wake(struct sender *sender) {
    curl_multi_wakeup(sender->multi);
}

/* ---- results ---- */

static void describe(const struct parcel *parcel, CURLcode code, struct sent *sent) {
    if (parcel->refused)
        str_copy(sent->error, sizeof sent->error, "the host's address is of a private network");
    else if (sent->http_status)
        snprintf(sent->error, sizeof sent->error, "answered %d", sent->http_status);
    else
        str_copy(sent->error, sizeof sent->error,
                 parcel->why[0] ? parcel->why : curl_easy_strerror(code));
}

/* An answer counts as soon as its status is there, even when its body is cut off for its length. */
static void read_result(struct parcel *parcel, CURLcode code, struct sent *sent) {
    long http_status = 0;
    *sent = (struct sent){.number = parcel->number};
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR)
        curl_easy_getinfo(parcel->curl, CURLINFO_RESPONSE_CODE, &http_status);
    sent->http_status = (int)http_status;
    if (http_status < 200 || http_status > 299)
        describe(parcel, code, sent);
}

bool sender_next(struct sender *sender, struct sent *sent) {
    int left;
    CURLMsg *message = curl_multi_info_read(sender->multi, &left);
    if (!message)
        return false;
    struct parcel *parcel = NULL;
    CURLcode code = message->data.result; /* the message goes with its handle */
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &parcel);
    read_result(parcel, code, sent);
    discard(parcel);
    return true;
}
