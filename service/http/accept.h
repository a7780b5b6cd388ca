/*
 * accept.h - content negotiation: which of the types on offer a client likes best.
 *
 * Threads: pure functions.
 */
#ifndef SERVICE_HTTP_ACCEPT_H
#define SERVICE_HTTP_ACCEPT_H

/* Index of the best of the types (lower case, the preferred first) for an Accept header, which may
 * be NULL; -1 when none is acceptable. */
int accept_best(const char *header, const char *const *types, int type_count);

#endif
