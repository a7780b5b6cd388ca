/*
 * tls.h - certificate and private key of HTTPS, read and checked before anything listens.
 *
 * libmicrohttpd does the rest with GnuTLS: handshakes run in its threads, without blocking them.
 * It knows one certificate for good, so each connection is given, before its handshake, the
 * identity that holds by then; one that has been replaced goes with its last connection.
 *
 * Ownership: the caller's storage; tls_release wipes the key. An identity counts its owners.
 * Errors:    INVALID with field "tls_cert" or "tls_key": no such file, no PEM, a key that others
 *            can read or that is another certificate's, a certificate that is not valid today.
 * Threads:   pure functions; the owners of an identity may be of any thread.
 */
#ifndef SERVICE_HTTP_TLS_H
#define SERVICE_HTTP_TLS_H

#include "engine/base/status.h"

/* Which protocols and key exchanges are spoken: TLS 1.2 and 1.3, with forward secrecy. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA"

struct tls {
    char *cert, *key; /* PEM; the chain begins with the server's own certificate */
};

/* Reads and checks both files. */
MUST_CHECK enum status tls_load(struct tls *tls, const char *cert_path, const char *key_path,
                                struct error *err);
void tls_release(struct tls *tls); /* Zeroed or loaded. */

/* What a handshake shows and signs with. */
struct tls_identity;
struct tls_identity *tls_identity_create(const struct tls *tls); /* Of files that were loaded. */

/* Makes a session of GnuTLS, which has not shaken hands yet, an owner that uses it. */
void tls_identity_share(struct tls_identity *identity, void *session);
void tls_identity_release(struct tls_identity *identity); /* One owner less; NULL is allowed. */

#endif
