#include "engine/backend/cpu/kept.h"

#include "engine/base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    void *block;
    size_t bytes;
    int users;
    struct kept *next;
};

/* Some hundred at most: a search looks at sizes, and mostly at a block's first bytes. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept *all;

static struct kept *find_equal(const void *block, size_t bytes) {
    struct kept *kept = all;
    while (kept && (kept->bytes != bytes || memcmp(kept->block, block, bytes) != 0))
        kept = kept->next;
    return kept;
}

static struct kept *add(void *block, size_t bytes) {
    struct kept *kept = xcalloc(1, sizeof *kept);
    *kept = (struct kept){block, bytes, 0, all};
    all = kept;
    return kept;
}

void *kept_share(struct device *device, void *block, size_t bytes) {
    if (!device->constant)
        return block;
    pthread_mutex_lock(&lock);
    struct kept *kept = find_equal(block, bytes);
    if (kept) {
        mem_free_large(block);
    } else {
        kept = add(block, bytes);
        device->kept_bytes += bytes;
    }
    kept->users++;
    block = kept->block;
    pthread_mutex_unlock(&lock);
    return block;
}

/* Takes one user away; false for a block that is not shared. */
static bool drop(const void *block) {
    struct kept **at = &all;
    while (*at && (*at)->block != block)
        at = &(*at)->next;
    struct kept *kept = *at;
    if (!kept)
        return false;
    if (--kept->users > 0)
        return true;
    *at = kept->next;
    mem_free_large(kept->block);
    free(kept);
    return true;
}

void kept_release(void *block) {
    pthread_mutex_lock(&lock);
    bool shared = block && drop(block);
    pthread_mutex_unlock(&lock);
    if (!shared)
        mem_free_large(block);
}
