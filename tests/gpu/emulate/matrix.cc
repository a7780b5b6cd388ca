/* Tensor cores: registers as matrix.cuh says which lane has what. */
#include "tests/gpu/emulate/emulate.h"

namespace {

/* Number i of the two in a register. */
float number_of(uint32_t pair, unsigned i) {
    return __uint_as_float(i == 0 ? pair << 16 : pair & 0xffff0000);
}

/* The lane's two neighbours of each matrix, beside each other or, transposed, below. */
void load(uint32_t (&to)[4], const void *row, bool transposed) {
    emulated_offers all = emulate_exchange(&row, sizeof row);
    unsigned g = all.lane / 4, t = all.lane % 4;
    for (unsigned m = 0; m < 4; m++) {
        uint16_t half[2];
        for (unsigned i = 0; i < 2; i++) {
            unsigned r = transposed ? 2 * t + i : g, c = transposed ? g : 2 * t + i;
            half[i] = all.from<const uint16_t *>(8 * m + r)[c];
        }
        to[m] = half[0] | (uint32_t)half[1] << 16;
    }
}

struct factors {
    uint32_t left[4], right[2];
};

/* Element (row, k) of the left matrix, (k, column) of the right one, wherever they are. */
float left_at(const emulated_offers &all, unsigned row, unsigned k) {
    factors of = all.from<factors>(row % 8 * 4 + k % 8 / 2);
    return number_of(of.left[row / 8 + k / 8 * 2], k % 2);
}

float right_at(const emulated_offers &all, unsigned k, unsigned column) {
    return number_of(all.from<factors>(column * 4 + k % 8 / 2).right[k / 8], k % 2);
}

} // namespace

void load_matrices(uint32_t (&to)[4], const void *row) {
    load(to, row, false);
}

void load_transposed(uint32_t (&to)[4], const void *row) {
    load(to, row, true);
}

void multiply_add(float (&sum)[4], const uint32_t (&left)[4], uint32_t right0, uint32_t right1) {
    factors mine = {{left[0], left[1], left[2], left[3]}, {right0, right1}};
    emulated_offers all = emulate_exchange(&mine, sizeof mine);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 16; k++)
            sum[i] += left_at(all, all.lane / 4 + i / 2 * 8, k) *
                      right_at(all, k, all.lane % 4 * 2 + i % 2);
}
