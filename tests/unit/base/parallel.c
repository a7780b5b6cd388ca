/* Every index is met once, by however many threads there are. */
#include "engine/base/parallel.h"

#include "tests/support/t.h"

#include <sched.h>
#include <stdatomic.h>

enum { MOST = 1000 };

static atomic_int met[MOST];

static void meet(void *ctx, int64_t index) {
    atomic_fetch_add((atomic_long *)ctx, (long)index);
    atomic_fetch_add(&met[index], 1);
}

static void test_each(void) {
    static const int counts[] = {0, 1, 2, 3, MOST};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        atomic_long sum = 0;
        for (int k = 0; k < MOST; k++)
            met[k] = 0;
        parallel_each(counts[i], meet, &sum);
        T_INT(sum, (long)counts[i] * (counts[i] - 1) / 2);
        for (int k = 0; k < MOST; k++)
            T_INT(met[k], k < counts[i]);
    }
}

/* What the process may use counts, not what the machine has. */
static void test_processors(void) {
    cpu_set_t before, one;
    T_CHECK(parallel_processors() >= 1);
    if (sched_getaffinity(0, sizeof before, &before) != 0)
        return;
    int first = 0;
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    T_INT(sched_setaffinity(0, sizeof one, &one), 0);
    T_INT(parallel_processors(), 1);
    test_each();
    T_INT(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
    T_RUN(test_each);
    T_RUN(test_processors);
    return t_done();
}
