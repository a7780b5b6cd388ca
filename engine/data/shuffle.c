#include "engine/base/rng.h"
#include "engine/data/dataset.h"

/* Fisher and Yates, from the end; item i of the stream decides what goes to place i. */
void dataset_shuffle(int32_t *order, int64_t count, uint64_t seed, uint32_t epoch) {
    for (int64_t i = 0; i < count; i++)
        order[i] = (int32_t)i;
    for (int64_t i = count - 1; i > 0; i--) {
        struct rng_block random = rng_philox(seed, (uint32_t)i, epoch, RNG_SHUFFLE, 0);
        uint32_t j = rng_below(random.word[0], (uint32_t)i + 1);
        int32_t held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}
