#include "service/webhook/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block {
    uint8_t prefix[16];
    int bits;
};

static const struct block NOT_PUBLIC_V4[] = {
    {{0}, 8},             /* this network */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared by the customers of a provider */
    {{127}, 8},           /* this machine */
    {{169, 254}, 16},     /* link, and the clouds' metadata */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocols */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* relays of 6to4 */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* groups */
    {{240}, 4},           /* reserved, broadcast */
};

/* Of 2000::/3, outside of which nothing is public. */
static const struct block NOT_PUBLIC_V6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocols, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4, which holds any IPv4 address */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation */
};
static const struct block GLOBAL_V6 = {{0x20}, 3};

/* Blocks whose last four bytes are an IPv4 address. */
static const struct block HOLDS_V4[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, /* mapped */
    {{0, 0x64, 0xff, 0x9b}, 96},                      /* NAT64 */
};

static bool is_in(const uint8_t *address, const struct block *block) {
    size_t whole = (size_t)block->bits / 8;
    unsigned rest = (unsigned)block->bits % 8, mask = 0xff00U >> rest & 0xffU;
    return memcmp(address, block->prefix, whole) == 0 &&
           (rest == 0 || (address[whole] & mask) == block->prefix[whole]);
}

static bool is_in_any(const uint8_t *address, const struct block *blocks, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (is_in(address, &blocks[i]))
            return true;
    return false;
}
#define IS_IN_ANY(address, blocks) is_in_any(address, blocks, sizeof(blocks) / sizeof *(blocks))

static bool is_public_v4(const uint8_t *address) {
    return !IS_IN_ANY(address, NOT_PUBLIC_V4);
}

static bool is_public_v6(const uint8_t *address) {
    if (IS_IN_ANY(address, HOLDS_V4))
        return is_public_v4(address + 12);
    return is_in(address, &GLOBAL_V6) && !IS_IN_ANY(address, NOT_PUBLIC_V6);
}

bool address_is_public(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return is_public_v4((const uint8_t *)&v4.sin_addr);
    }
    if (address->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    return is_public_v6(v6.sin6_addr.s6_addr);
}
