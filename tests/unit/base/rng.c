#include "engine/base/rng.h"

#include "tests/support/t.h"

static void check_block(struct rng_block block, const uint32_t expected[4]) {
    for (int i = 0; i < 4; i++)
        T_INT(block.word[i], expected[i]);
}

/* Known answers of the authors for philox4x32-10. */
static void test_known_answers(void) {
    static const uint32_t zeros[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t ones[] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    static const uint32_t pi[] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
    check_block(rng_philox(0, 0, 0, 0, 0), zeros);
    check_block(rng_philox(UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX), ones);
    check_block(rng_philox(0x299f31d0a4093822, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344), pi);
}

static void test_unit_range(void) {
    T_NEAR(rng_unit(0), 0, 0);
    T_CHECK(rng_unit(UINT32_MAX) < 1.0f);
    T_NEAR(rng_unit(0x80000000u), 0.5, 0);
    double sum = 0;
    for (uint32_t i = 0; i < 10000; i++)
        sum += (double)rng_unit(rng_philox(1, i, 0, RNG_TEST, 0).word[i % 4]);
    T_NEAR(sum / 10000, 0.5, 0.01);
}

static void test_below_range(void) {
    int counts[10] = {0};
    T_INT(rng_below(UINT32_MAX, 10), 9);
    T_INT(rng_below(0, 10), 0);
    T_INT(rng_below(UINT32_MAX, 1), 0);
    T_INT(rng_below(UINT32_MAX, UINT32_MAX), UINT32_MAX - 1);
    for (uint32_t i = 0; i < 10000; i++)
        counts[rng_below(rng_philox(2, 0, i, RNG_TEST, 0).word[0], 10)]++;
    for (int i = 0; i < 10; i++)
        T_NEAR(counts[i], 1000, 150);
}

int main(void) {
    T_RUN(test_known_answers);
    T_RUN(test_unit_range);
    T_RUN(test_below_range);
    return t_done();
}
