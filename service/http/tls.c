#include "service/http/tls.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "service/common/secret.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PEM_MAX_BYTES = 1 << 20 };

static enum status refuse(const char *field, const char *path, const char *why, struct error *err) {
    return error_set_field(err, STATUS_INVALID, field, "%s: %s %s", field, path, why);
}

static gnutls_datum_t datum_of(char *text) {
    return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

static enum status read_cert(char **out, const char *path, struct error *err) {
    struct error cause = {0};
    size_t len;
    if (file_read(path, PEM_MAX_BYTES, out, &len, &cause) == STATUS_OK)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "tls_cert", "tls_cert: %.300s", cause.message);
}

static enum status check_dates(gnutls_x509_crt_t cert, const char *path, struct error *err) {
    time_t now = time(NULL), from = gnutls_x509_crt_get_activation_time(cert),
           until = gnutls_x509_crt_get_expiration_time(cert);
    bool early = now < from;
    if (!early && now <= until)
        return STATUS_OK;
    char date[CLOCK_TEXT_BYTES];
    clock_format((int64_t)(early ? from : until) * 1000, date);
    return error_set_field(err, STATUS_INVALID, "tls_cert",
                           early ? "tls_cert: %s is not valid before %s"
                                 : "tls_cert: %s has expired at %s",
                           path, date);
}

static enum status check_cert(const struct tls *tls, const char *path, struct error *err) {
    gnutls_x509_crt_t *chain;
    unsigned count;
    gnutls_datum_t pem = datum_of(tls->cert);
    if (gnutls_x509_crt_list_import2(&chain, &count, &pem, GNUTLS_X509_FMT_PEM, 0) < 0)
        return refuse("tls_cert", path, "holds no certificate in PEM form", err);
    enum status status = check_dates(chain[0], path, err);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return status;
}

static enum status check_key(const struct tls *tls, const char *path, struct error *err) {
    gnutls_privkey_t key;
    gnutls_datum_t pem = datum_of(tls->key);
    CHECK(gnutls_privkey_init(&key) == 0);
    int failure = gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_privkey_deinit(key);
    return failure
               ? refuse("tls_key", path, "holds no private key in PEM form without a password", err)
               : STATUS_OK;
}

/* The credentials of the pair; what is negative is an error. */
static int make_credentials(const struct tls *tls, gnutls_certificate_credentials_t *credentials) {
    gnutls_datum_t cert = datum_of(tls->cert), key = datum_of(tls->key);
    CHECK(gnutls_certificate_allocate_credentials(credentials) == 0);
    return gnutls_certificate_set_x509_key_mem(*credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
}

static enum status check_pair(const struct tls *tls, const char *cert_path, const char *key_path,
                              struct error *err) {
    gnutls_certificate_credentials_t credentials;
    int failure = make_credentials(tls, &credentials);
    gnutls_certificate_free_credentials(credentials);
    if (failure >= 0)
        return STATUS_OK;
    return error_set_field(err, STATUS_INVALID, "tls_key",
                           "tls_key: %.300s is not the key of %.300s: %s", key_path, cert_path,
                           gnutls_strerror(failure));
}

enum status tls_load(struct tls *tls, const char *cert_path, const char *key_path,
                     struct error *err) {
    *tls = (struct tls){NULL, NULL};
    enum status status = read_cert(&tls->cert, cert_path, err);
    if (!status)
        status = check_cert(tls, cert_path, err);
    if (!status)
        status = secret_read(&tls->key, "tls_key", key_path, PEM_MAX_BYTES, err);
    if (!status)
        status = check_key(tls, key_path, err);
    if (!status)
        status = check_pair(tls, cert_path, key_path, err);
    if (status)
        tls_release(tls);
    return status;
}

void tls_release(struct tls *tls) {
    free(tls->cert);
    secret_free(tls->key);
    *tls = (struct tls){NULL, NULL};
}

struct tls_identity {
    atomic_int owners;
    gnutls_certificate_credentials_t credentials;
};

struct tls_identity *tls_identity_create(const struct tls *tls) {
    struct tls_identity *identity = xcalloc(1, sizeof *identity);
    identity->owners = 1;
    CHECK(make_credentials(tls, &identity->credentials) >= 0); /* tls_load has tried it */
    return identity;
}

void tls_identity_share(struct tls_identity *identity, void *session) {
    atomic_fetch_add(&identity->owners, 1);
    CHECK(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, identity->credentials) == 0);
}

void tls_identity_release(struct tls_identity *identity) {
    if (!identity || atomic_fetch_sub(&identity->owners, 1) > 1)
        return;
    gnutls_certificate_free_credentials(identity->credentials);
    free(identity);
}
