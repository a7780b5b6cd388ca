/*
 * Matrix products for the fully connected layers: small, and every sum runs over depth from front
 * to back, so that results depend on neither threads nor blocking.
 */
#include "engine/backend/cpu/vec/vec_members.h"

enum {
    TILE_ROWS = VEC_LANES == 16 ? 8 : 4, /* as many as there are registers for */
    TILE_VECS = 2,
    TILE_COLUMNS = TILE_VECS * VEC_LANES,
    DOT_ROWS = 4
};

/* sum + a b, of a number or a pair in each lane. */
VEC_INLINE vec_f32 multiply_add(vec_f32 sum, const float *a, vec_f32 b, bool pairs) {
    uint32_t word;
    memcpy(&word, a, sizeof word);
    return pairs ? vec_dot(sum, (vec_u32){0} + word, (vec_u32)b) : sum + *a * b;
}

/* What the compiler knows of a tile: its vectors of columns, how many columns of the last one are
 * there, and whether words are pairs. */
struct shape_of_tile {
    int vecs, width;
    bool pairs;
};

/* So many rows in registers. */
VEC_INLINE void tile(const struct vec_product *p, int i, int j, int rows,
                     struct shape_of_tile shape) {
    vec_f32 sum[TILE_ROWS][TILE_VECS] = {{{0}}};
    const float *left[TILE_ROWS], *right = p->right + j;
    const int vecs = shape.vecs, width = shape.width;
    for (int r = 0; r < rows; r++)
        left[r] = p->left + (size_t)(i + r) * p->left_row;
    for (int k = 0; k < p->depth; k++, right += p->right_row) {
        vec_f32 b[TILE_VECS];
        for (int v = 0; v < vecs; v++)
            b[v] = v < vecs - 1 || width == VEC_LANES
                       ? vec_load(right + v * VEC_LANES)
                       : vec_load_part(right + v * VEC_LANES, width, 0);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vecs; v++)
                sum[r][v] =
                    multiply_add(sum[r][v], left[r] + (size_t)k * p->left_step, b[v], shape.pairs);
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++) {
            float *out = p->out + (size_t)(i + r) * p->out_row + j + v * VEC_LANES;
            int there = v < vecs - 1 ? VEC_LANES : width;
            if (p->adds)
                sum[r][v] += vec_get_part(out, 0, there, false);
            vec_put_part(out, 0, sum[r][v], there, false);
        }
}

/* The rows of a strip of columns; what is left over goes in smaller tiles. */
VEC_INLINE void strip(const struct vec_product *p, int i, int i_end, int j,
                      struct shape_of_tile shape) {
    for (; i + TILE_ROWS <= i_end; i += TILE_ROWS)
        tile(p, i, j, TILE_ROWS, shape);
    for (; i + 4 <= i_end; i += 4)
        tile(p, i, j, 4, shape);
    for (; i + 2 <= i_end; i += 2)
        tile(p, i, j, 2, shape);
    if (i < i_end)
        tile(p, i, j, 1, shape);
}

/* The columns from j on. */
VEC_INLINE void strips(const struct vec_product *p, int i, int i_end, int j, int j_end,
                       bool pairs) {
    for (; j + TILE_COLUMNS <= j_end; j += TILE_COLUMNS)
        strip(p, i, i_end, j, (struct shape_of_tile){TILE_VECS, VEC_LANES, pairs});
    for (; j + VEC_LANES <= j_end; j += VEC_LANES)
        strip(p, i, i_end, j, (struct shape_of_tile){1, VEC_LANES, pairs});
    if (j < j_end)
        strip(p, i, i_end, j, (struct shape_of_tile){1, j_end - j, pairs});
}

void VEC(product)(const struct vec_product *p, int i, int i_end, int j, int j_end) {
    strips(p, i, i_end, j, j_end, false);
}

/* left and right hold words of two bf16 numbers that follow each other along depth; depth counts
 * words. */
void VEC(product_of_pairs)(const struct vec_product *p, int i, int i_end, int j, int j_end) {
    strips(p, i, i_end, j, j_end, true);
}

/* DOT_ROWS x DOT_ROWS dot products along depth. */
VEC_INLINE void dot_tile(const struct vec_product *p, int i, int rows, int j, int columns) {
    vec_f32 sum[DOT_ROWS][DOT_ROWS] = {{{0}}};
    const float *left[DOT_ROWS], *right[DOT_ROWS];
    for (int r = 0; r < DOT_ROWS; r++) {
        left[r] = p->left + (size_t)(i + (r < rows ? r : 0)) * p->left_row;
        right[r] = p->right + (size_t)(j + (r < columns ? r : 0)) * p->right_row;
    }
    for (int k = 0; k < p->depth; k += VEC_LANES) {
        vec_f32 b[DOT_ROWS];
        int rest = p->depth - k;
        for (int r = 0; r < DOT_ROWS; r++)
            b[r] =
                rest >= VEC_LANES ? vec_load(right[r] + k) : vec_load_part(right[r] + k, rest, 0);
        for (int r = 0; r < DOT_ROWS; r++) {
            vec_f32 a =
                rest >= VEC_LANES ? vec_load(left[r] + k) : vec_load_part(left[r] + k, rest, 0);
            for (int c = 0; c < DOT_ROWS; c++)
                sum[r][c] += a * b[c];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            p->out[(size_t)(i + r) * p->out_row + j + c] =
                vec_sum(sum[r][c]) + (p->bias ? p->bias[j + c] : 0);
}

void VEC(product_by_dot)(const struct vec_product *p, int i, int i_end, int j, int j_end) {
    for (; j < j_end; j += DOT_ROWS)
        for (int row = i; row < i_end; row += DOT_ROWS)
            dot_tile(p, row, i_end - row < DOT_ROWS ? i_end - row : DOT_ROWS, j,
                     j_end - j < DOT_ROWS ? j_end - j : DOT_ROWS);
}

void VEC(column_sums)(const float *x, int rows, size_t stride, float *sum, int n) {
    for (int j = 0; j < n; j += VEC_LANES) {
        int width = n - j < VEC_LANES ? n - j : VEC_LANES;
        vec_f32 total = {0};
        for (int row = 0; row < rows; row++)
            total += vec_load_part(x + (size_t)row * stride + j, width, 0);
        vec_store_part(sum + j, total, width);
    }
}
