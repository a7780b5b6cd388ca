/*
 * key.h - API keys: what a caller is known by, and what its roles allow.
 *
 * A key has a name, under which it is managed and logged, and a secret, which is shown once and of
 * which only the SHA-256 is kept.
 *
 * Errors:  as in codec.h.
 * Threads: values; constant tables.
 */
#ifndef API_KEY_H
#define API_KEY_H

#include "api/errors.h"
#include "engine/base/clock.h"
#include "engine/base/sha256.h"
#include "engine/spec/fields.h"

/* name, slug on the wire, what its holder may do */
#define KEY_ROLE_MAP(X)                                                                            \
    X(READ, "read", "read everything")                                                             \
    X(PREDICT, "predict", "classify pictures")                                                     \
    X(SUBMIT, "submit", "launch, change and remove jobs, models, aliases and data sets")           \
    X(ADMIN, "admin", "manage keys, and everything else")

/* What a route asks for; NONE: nobody is asked for a key. */
enum key_role {
    KEY_ROLE_NONE,
#define KEY_ROLE_ENUM(name, slug, doc) KEY_ROLE_##name,
    KEY_ROLE_MAP(KEY_ROLE_ENUM)
#undef KEY_ROLE_ENUM
        KEY_ROLE_COUNT
};

enum { KEY_NAME_BYTES = FIELD_TEXT_BYTES };

/* What a key may use; 0: as the settings of the same names say, and there: any amount. */
struct key_limits {
    double requests_per_s;
    int64_t requests_burst; /* requests that may come at once; 0 there: those of one second */
    int64_t active_jobs;    /* of its own that are queued, running or paused */
};

#define KEY_NAME_RANGE "1 to 63 lower-case letters, digits, _, . and -, not first . or -"

/* A key, as GET /keys answers, and as it is kept. */
struct key_card {
    char name[KEY_NAME_BYTES];
    struct text_list roles;
    char created[CLOCK_TEXT_BYTES]; /* RFC 3339 */
    char sha256[SHA256_HEX_BYTES];  /* of the secret; never shown */
    struct key_limits limits;
};
extern const struct field_table key_card_table;

void key_card_add_json(const struct key_card *card, struct str *out);   /* As it is shown. */
void key_card_add_stored(const struct key_card *card, struct str *out); /* As it is kept. */

/* Reads what key_card_add_stored wrote. */
MUST_CHECK enum status key_card_decode(struct key_card *card, const char *text, size_t len,
                                       struct error *err);

/* POST /keys, and the arguments of `distilld key`. */
struct key_request {
    char name[KEY_NAME_BYTES]; /* required */
    struct text_list roles;    /* required */
    struct key_limits limits;
};
extern const struct field_table key_request_table;

/* Checks name and roles; appends what is wrong. */
MUST_CHECK enum status key_request_check(const struct key_request *request,
                                         struct field_errors *errors, struct error *err);

/* The body of POST /keys, checked. */
MUST_CHECK enum status key_request_decode(struct key_request *request, const char *text, size_t len,
                                          struct field_errors *errors, struct error *err);

/* PATCH /keys/{name}: what is to be another. */
struct key_edit {
    struct text_list roles; /* none: it may do nothing any more */
    struct key_limits limits;
    unsigned given; /* bit i: row i of the table */
};
extern const struct field_table key_edit_table;

/* The body of PATCH /keys/{name}, checked. */
MUST_CHECK enum status key_edit_decode(struct key_edit *edit, const char *text, size_t len,
                                       struct field_errors *errors, struct error *err);

void key_edit_apply(const struct key_edit *edit, struct key_card *card); /* Carries it out. */

/* The edit takes the role admin away, or leaves it away. */
bool key_edit_ends_admin(const struct key_edit *edit);

bool key_name_is_valid(const char *name);      /* A file name without tricks. */
const char *key_role_slug(enum key_role role); /* "read"; "none" for NONE. */

/* The set of the roles, one bit each; words that are none of them (of a newer version) are left
 * out. */
unsigned key_roles(const struct text_list *roles);

/* A holder of these roles may use what asks for this one. */
bool key_roles_allow(unsigned roles, enum key_role asked);

#endif
