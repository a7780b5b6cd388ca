#include "service/http/rate.h"

#include "api/limits.h"
#include "engine/base/mem.h"
#include "engine/base/str.h"

#include <pthread.h>
#include <stdlib.h>

enum { WAYS = 8, SETS = LIMIT_RATE_CALLERS / WAYS };

static const double NS_PER_S = 1e9;

struct bucket {
    char caller[RATE_NAME_BYTES]; /* "": nobody's */
    double tokens;
    int64_t at_ns; /* when it held them */
};

struct rate_table {
    pthread_mutex_t lock;
    struct bucket bucket[SETS][WAYS];
};

struct rate_table *rate_table_create(void) {
    struct rate_table *table = xcalloc(1, sizeof *table);
    CHECK(pthread_mutex_init(&table->lock, NULL) == 0);
    return table;
}

void rate_table_free(struct rate_table *table) {
    if (!table)
        return;
    pthread_mutex_destroy(&table->lock);
    free(table);
}

/* FNV-1a. */
static uint32_t hash(const char *text) {
    uint32_t sum = 2166136261u;
    for (; *text; text++)
        sum = (sum ^ (uint8_t)*text) * 16777619u;
    return sum;
}

/* The caller's bucket; a new one is full. */
static struct bucket *find(struct rate_table *table, const char *caller, double burst,
                           int64_t now_ns) {
    struct bucket *set = table->bucket[hash(caller) % SETS], *oldest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (str_equal(set[i].caller, caller))
            return &set[i];
        if (set[i].at_ns < oldest->at_ns)
            oldest = &set[i];
    }
    str_copy(oldest->caller, sizeof oldest->caller, caller);
    oldest->tokens = burst;
    oldest->at_ns = now_ns;
    return oldest;
}

static void refill(struct bucket *bucket, const struct rate *rate, int64_t now_ns) {
    double tokens = bucket->tokens + (double)(now_ns - bucket->at_ns) / NS_PER_S * rate->per_s;
    bucket->tokens = tokens < rate->burst ? tokens : rate->burst;
    bucket->at_ns = now_ns;
}

struct rate_left rate_take(struct rate_table *table, const char *caller, const struct rate *rate,
                           int64_t now_ns) {
    pthread_mutex_lock(&table->lock);
    struct bucket *bucket = find(table, caller, rate->burst, now_ns);
    if (now_ns > bucket->at_ns) /* another thread may have come with a later time */
        refill(bucket, rate, now_ns);
    bool allowed = bucket->tokens >= 1;
    bucket->tokens -= allowed;
    double tokens = bucket->tokens;
    pthread_mutex_unlock(&table->lock);
    return (struct rate_left){*rate, allowed, tokens, (rate->burst - tokens) / rate->per_s,
                              allowed ? 0 : (1 - tokens) / rate->per_s};
}
