/*
 * address.h - which addresses belong to everybody's network, and which to somebody's own.
 *
 * Threads: a pure function.
 */
#ifndef SERVICE_WEBHOOK_ADDRESS_H
#define SERVICE_WEBHOOK_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* An IPv4 or IPv6 address that is reachable from everywhere: not of this machine, of a private or
 * shared network, of a link, of a group, or reserved for anything else (IANA's registries of
 * special-purpose addresses). An IPv4 address inside an IPv6 one is judged itself. */
bool address_is_public(const struct sockaddr *address);

#endif
