/* The order of an epoch is a permutation and a pure function of seed and epoch. */
#include "engine/data/dataset.h"

#include "tests/support/t.h"

enum { COUNT = 1000 };

static void test_permutation(void) {
    int32_t order[COUNT];
    int seen[COUNT] = {0}, at_home = 0;
    dataset_shuffle(order, COUNT, 1, 0);
    for (int i = 0; i < COUNT; i++) {
        T_CHECK(order[i] >= 0 && order[i] < COUNT);
        seen[order[i]]++;
        at_home += order[i] == i;
    }
    for (int i = 0; i < COUNT; i++)
        T_INT(seen[i], 1);
    T_CHECK(at_home < 10); /* one is expected */
}

static void test_pure(void) {
    int32_t a[COUNT], b[COUNT];
    dataset_shuffle(a, COUNT, 7, 3);
    dataset_shuffle(b, COUNT, 7, 3);
    T_INT(memcmp(a, b, sizeof a), 0);
    dataset_shuffle(b, COUNT, 7, 4);
    T_CHECK(memcmp(a, b, sizeof a) != 0);
    dataset_shuffle(b, COUNT, 8, 3);
    T_CHECK(memcmp(a, b, sizeof a) != 0);
}

/* All orders of three items are equally frequent: 6 cells, chi-square with 5 degrees. */
static void test_uniform(void) {
    int32_t order[3];
    int cells[27] = {0};
    double chi = 0, expected = 1000;
    for (uint32_t epoch = 0; epoch < 6000; epoch++) {
        dataset_shuffle(order, 3, 42, epoch);
        cells[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    for (int i = 0; i < 27; i++)
        if (cells[i])
            chi += (cells[i] - expected) * (cells[i] - expected) / expected;
    T_CHECK(chi < 20.5); /* p = 0.001 */
}

/* Part of the bytes a spec produces: these numbers never change. */
static void test_pinned(void) {
    static const int32_t expected[8] = {0, 2, 5, 6, 4, 1, 7, 3};
    int32_t order[8];
    dataset_shuffle(order, 8, 1, 0);
    for (int i = 0; i < 8; i++)
        T_INT(order[i], expected[i]);
}

static void test_smallest(void) {
    int32_t order[1] = {9};
    dataset_shuffle(order, 0, 1, 0);
    T_INT(order[0], 9);
    dataset_shuffle(order, 1, 1, 0);
    T_INT(order[0], 0);
}

int main(void) {
    T_RUN(test_permutation);
    T_RUN(test_pure);
    T_RUN(test_uniform);
    T_RUN(test_pinned);
    T_RUN(test_smallest);
    return t_done();
}
