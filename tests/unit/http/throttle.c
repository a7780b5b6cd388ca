/* By which name callers without keys are counted. */
#include "service/http/throttle.h"
#include "tests/support/t.h"

#include <arpa/inet.h>

static const char *name_of(const char *address) {
    static char name[RATE_NAME_BYTES];
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
        throttle_name_address((const struct sockaddr *)&v4, name);
    } else {
        CHECK(inet_pton(AF_INET6, address, &v6.sin6_addr) == 1);
        throttle_name_address((const struct sockaddr *)&v6, name);
    }
    return name;
}

static void each_ipv4_address_counts(void) {
    T_STR(name_of("192.0.2.1"), "192.0.2.1");
    T_STR(name_of("192.0.2.2"), "192.0.2.2");
    T_STR(name_of("::ffff:192.0.2.1"), "::ffff:192.0.2.1"); /* over a socket of both families */
}

/* Whoever has one has 2^64 of them. */
static void a_network_of_ipv6_counts_as_one(void) {
    T_STR(name_of("2001:db8:1:2::1"), "2001:db8:1:2::");
    T_STR(name_of("2001:db8:1:2:ffff:ffff:ffff:ffff"), "2001:db8:1:2::");
    T_STR(name_of("2001:db8:1:3::1"), "2001:db8:1:3::");
}

static void others_share_a_name(void) {
    char name[RATE_NAME_BYTES];
    throttle_name_address(&(struct sockaddr){.sa_family = AF_UNIX}, name);
    T_STR(name, "unknown");
}

int main(void) {
    T_RUN(each_ipv4_address_counts);
    T_RUN(a_network_of_ipv6_counts_as_one);
    T_RUN(others_share_a_name);
    return t_done();
}
