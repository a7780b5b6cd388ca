#include "service/store/key_ring.h"

#include "api/limits.h"
#include "service/common/config.h"
#include "service/common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Two changes may fall into one tick of a file system's clock: what was read that soon after a
 * change is read once more. */
enum { SETTLED_MS = 2000, MS_PER_S = 1000 };

struct key_ring {
    const char *data;
    char folder[FILE_PATH_BYTES];
    atomic_bool asks;
    _Atomic int64_t next_look_ns;
    pthread_mutex_t reading; /* for what follows */
    struct timespec changed; /* time of the folder that was read */
    bool settled, troubled;  /* what was read is sure to be of that time; it could not be read */
    pthread_rwlock_t lock;   /* for what follows */
    struct key_holder *key;
    int count;
};

/* ---- reading ---- */

static void fill(struct key_holder *key, const struct key_card *card) {
    str_copy(key->name, sizeof key->name, card->name);
    str_copy(key->sha256, sizeof key->sha256, card->sha256);
    key->roles = key_roles(&card->roles);
    key->limits = card->limits;
}

/* Its file is there, and could not be read. */
static bool was_left_out(const struct key_ring *ring, const struct key_list *list,
                         const char *name) {
    char path[FILE_PATH_BYTES];
    for (int i = 0; i < list->count; i++)
        if (str_equal(list->item[i].name, name))
            return false;
    return file_join(path, ring->folder, name, NULL) == STATUS_OK && file_exists(path);
}

static void replace(struct key_ring *ring, const struct key_list *list, bool keep_left_out) {
    int count = 0;
    struct key_holder *fresh = xcalloc((size_t)(list->count + ring->count) + 1, sizeof *fresh);
    for (int i = 0; i < list->count; i++)
        fill(&fresh[count++], &list->item[i]);
    for (int i = 0; keep_left_out && i < ring->count; i++)
        if (was_left_out(ring, list, ring->key[i].name))
            fresh[count++] = ring->key[i];
    pthread_rwlock_wrlock(&ring->lock);
    struct key_holder *old = ring->key;
    ring->key = fresh;
    ring->count = count;
    pthread_rwlock_unlock(&ring->lock);
    free(old);
}

/* What could not be read is tried again at the next look; until then it is as it was before. */
static void read_keys(struct key_ring *ring) {
    struct key_list list;
    struct error err = {0};
    int skipped = 0;
    enum status status = api_keys_list(&list, ring->data, NULL, LIMIT_KEYS, &skipped, &err);
    if (!status) {
        replace(ring, &list, skipped > 0);
        key_list_release(&list);
    }
    bool trouble = status || skipped;
    if (trouble && !ring->troubled)
        log_warn("keys_not_read", log_int("files", skipped), log_text("error", err.message));
    ring->troubled = trouble;
}

static bool is_same(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_settled(struct timespec changed) {
    int64_t changed_ms = (int64_t)changed.tv_sec * MS_PER_S + changed.tv_nsec / NS_PER_MS;
    return clock_wall_ms() - changed_ms > SETTLED_MS;
}

static void look(struct key_ring *ring) {
    struct stat info = {0};
    bool is_there = stat(ring->folder, &info) == 0;
    if (!is_there && errno == ENOENT && !atomic_load(&ring->asks))
        return;
    atomic_store(&ring->asks, true);
    if (is_there && ring->settled && !ring->troubled && is_same(info.st_mtim, ring->changed))
        return;
    ring->settled = is_there && is_settled(info.st_mtim); /* before it is read */
    ring->changed = info.st_mtim;
    read_keys(ring);
}

/* One thread looks, the others go on with what is there. */
static void look_if_due(struct key_ring *ring) {
    int64_t now_ns = clock_mono_ns();
    if (now_ns < atomic_load(&ring->next_look_ns) || pthread_mutex_trylock(&ring->reading) != 0)
        return;
    atomic_store(&ring->next_look_ns, now_ns + (int64_t)KEY_RING_LOOK_MS * NS_PER_MS);
    look(ring);
    pthread_mutex_unlock(&ring->reading);
}

void key_ring_update(struct key_ring *ring) {
    pthread_mutex_lock(&ring->reading);
    ring->settled = false;
    look(ring);
    pthread_mutex_unlock(&ring->reading);
}

struct key_ring *key_ring_create(const char *data) {
    struct key_ring *ring = xcalloc(1, sizeof *ring);
    ring->data = data;
    CHECK(folder_path(ring->folder, data, CONFIG_KEYS_FOLDER, NULL, NULL) == STATUS_OK);
    CHECK(pthread_mutex_init(&ring->reading, NULL) == 0);
    CHECK(pthread_rwlock_init(&ring->lock, NULL) == 0);
    key_ring_update(ring);
    return ring;
}

void key_ring_free(struct key_ring *ring) {
    if (!ring)
        return;
    pthread_rwlock_destroy(&ring->lock);
    pthread_mutex_destroy(&ring->reading);
    free(ring->key);
    free(ring);
}

/* ---- asking ---- */

bool key_ring_asks(struct key_ring *ring) {
    look_if_due(ring);
    return atomic_load(&ring->asks);
}

/* Compares with all of them, so that the time says nothing about which it was. */
static bool find(struct key_ring *ring, const char digest[SHA256_HEX_BYTES],
                 struct key_holder *holder) {
    int found = -1;
    look_if_due(ring);
    pthread_rwlock_rdlock(&ring->lock);
    for (int i = 0; i < ring->count; i++)
        if (secret_digests_equal(ring->key[i].sha256, digest))
            found = i;
    if (found >= 0)
        *holder = ring->key[found];
    pthread_rwlock_unlock(&ring->lock);
    return found >= 0;
}

bool key_ring_find(struct key_ring *ring, const char *secret, struct key_holder *holder) {
    char digest[SHA256_HEX_BYTES];
    secret_digest(secret, digest);
    return find(ring, digest, holder);
}

bool key_ring_allows(struct key_ring *ring, const struct key_holder *holder, enum key_role role) {
    struct key_holder now;
    return !key_ring_asks(ring) ||
           (find(ring, holder->sha256, &now) && key_roles_allow(now.roles, role));
}
