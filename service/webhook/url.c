#include "service/webhook/url.h"

#include "service/webhook/address.h"

#include <curl/curl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool part_is(CURLU *url, CURLUPart part, const char *text) {
    char *value = NULL;
    bool found = curl_url_get(url, part, &value, 0) == CURLUE_OK;
    bool same = found && (!text || str_equal(value, text));
    curl_free(value);
    return same;
}

static bool is_allowed(CURLU *url) {
    return (part_is(url, CURLUPART_SCHEME, "http") || part_is(url, CURLUPART_SCHEME, "https")) &&
           part_is(url, CURLUPART_HOST, NULL) && !part_is(url, CURLUPART_USER, NULL) &&
           !part_is(url, CURLUPART_PASSWORD, NULL);
}

/* The host is an address, in whatever way it is written, of a private network. */
static bool is_private(CURLU *url) {
    char *host = NULL, text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return false;
    size_t len = strlen(host);
    bool is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1, is_v6 = false;
    if (host[0] == '[' && len > 2 && len - 2 < sizeof text) {
        memcpy(text, host + 1, len - 2);
        is_v6 = inet_pton(AF_INET6, text, &v6.sin6_addr) == 1;
    }
    curl_free(host);
    return (is_v4 && !address_is_public((const struct sockaddr *)&v4)) ||
           (is_v6 && !address_is_public((const struct sockaddr *)&v6));
}

enum status url_check(const char *url, bool allow_private, struct error *err) {
    CURLU *parsed = curl_url();
    CHECK(parsed != NULL);
    enum status status = STATUS_OK;
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK || !is_allowed(parsed))
        status = error_set_field(err, STATUS_INVALID, "url", "url must be %s", URL_RANGE);
    else if (!allow_private && is_private(parsed))
        status = error_set_field(err, STATUS_INVALID, "url",
                                 "url is an address of a private network, which webhook_private=1 "
                                 "would allow");
    curl_url_cleanup(parsed);
    return status;
}
