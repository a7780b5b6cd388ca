/*
 * key_ring.h - the API keys in memory, as they are in the data directory (api_keys.h).
 *
 * What any process changes there is seen in all of them within KEY_RING_LOOK_MS, by the time that
 * the folder was changed. Once a ring has seen the folder it asks for keys for good, also when the
 * folder goes away.
 *
 * Ownership: key_ring_create ... key_ring_free; data must outlive it.
 * Threads:   any number ask.
 */
#ifndef SERVICE_STORE_KEY_RING_H
#define SERVICE_STORE_KEY_RING_H

#include "service/store/api_keys.h"

enum { KEY_RING_LOOK_MS = 200 };

/* Whose key it is, and what it allows. */
struct key_holder {
    char name[KEY_NAME_BYTES];
    unsigned roles; /* as key_roles answers */
    struct key_limits limits;
    char sha256[SHA256_HEX_BYTES]; /* of the secret, or "" */
};

struct key_ring;

struct key_ring *key_ring_create(const char *data); /* Reads what is there. */
void key_ring_free(struct key_ring *ring);          /* NULL is allowed. */

/* Everybody is asked for a key. */
bool key_ring_asks(struct key_ring *ring);

/* The holder of a secret; false when it is nobody's. */
bool key_ring_find(struct key_ring *ring, const char *secret, struct key_holder *holder);

/* What was allowed before still is: the holder's key is there and has the role, or nobody is asked
 * for one. */
bool key_ring_allows(struct key_ring *ring, const struct key_holder *holder, enum key_role role);

/* Reads the keys again now, after a change of this process's own. */
void key_ring_update(struct key_ring *ring);

#endif
