/* Which addresses a webhook may be sent to. */
#include "service/webhook/address.h"
#include "service/webhook/url.h"
#include "tests/support/t.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static bool is_public(const char *text) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_is_public((const struct sockaddr *)&v4);
    T_INT(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return address_is_public((const struct sockaddr *)&v6);
}

static void test_private(void) {
    static const char *const all[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "64:ff9b::7f00:1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "::ffff:0:8.8.8.8",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (is_public(all[i]))
            T_FAIL("%s counts as public", all[i]);
}

static void test_public(void) {
    static const char *const all[] = {
        "1.1.1.1",        "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
        "100.128.0.0",    "126.255.255.255", "128.0.0.1",       "169.253.255.255",
        "172.15.255.255", "172.32.0.0",      "192.0.1.1",       "192.167.255.255",
        "198.17.255.255", "198.20.0.0",      "223.255.255.255", "2000::1",
        "2001:200::1",    "2606:4700::1111", "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8",
        "2a00:1450::1",   "2003::1",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!is_public(all[i]))
            T_FAIL("%s counts as private", all[i]);
}

static void test_other_families(void) {
    const struct sockaddr local = {.sa_family = AF_UNIX};
    T_CHECK(!address_is_public(&local));
}

static void test_urls(void) {
    static const struct {
        const char *url;
        bool is_fine, is_private;
    } cases[] = {
        {"http://example.org", true, false},
        {"https://example.org:8443/a?b=c", true, false},
        {"http://8.8.8.8/", true, false},
        {"http://[2606:4700::1111]/", true, false},
        {"http://localhost/", true, false}, /* a name is judged when it is connected to */
        {"http://127.0.0.1/", true, true},
        {"http://0177.0.0.1/", true, true},
        {"http://0x7f000001/", true, true},
        {"http://127.1/", true, true},
        {"http://[::ffff:127.0.0.1]/", true, true},
        {"", false, false},
        {"example.org", false, false},
        {"ftp://example.org", false, false},
        {"file:///etc/passwd", false, false},
        {"http://user@example.org/", false, false},
        {"http://user:password@example.org/", false, false},
        {"http://", false, false},
        {"http://a b/", false, false},
        {"http://a\r\nX: y/", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool anywhere = url_check(cases[i].url, true, NULL) == STATUS_OK;
        bool outside = url_check(cases[i].url, false, NULL) == STATUS_OK;
        if (anywhere != cases[i].is_fine || outside != (cases[i].is_fine && !cases[i].is_private))
            T_FAIL("%s: %d, %d", cases[i].url, anywhere, outside);
    }
}

int main(void) {
    T_RUN(test_private);
    T_RUN(test_public);
    T_RUN(test_other_families);
    T_RUN(test_urls);
    return t_done();
}
