/*
 * Matrix products for the fully connected layers: small, and every sum runs over depth from front
 * to back, so that results depend on neither threads nor blocking.
 */
#include "engine/backend/cpu/vec/vec_members.h"

enum { TILE_ROWS = 4, TILE_VECS = 2, TILE_COLUMNS = TILE_VECS * VEC_LANES };

/* TILE_ROWS rows times TILE_COLUMNS columns in registers; the last ones of a matrix may be
 * narrower: rows are repeated and columns masked. */
VEC_INLINE void tile(const struct vec_product *p, int i, int rows, int j, int columns) {
    vec_f32 sum[TILE_ROWS][TILE_VECS] = {{{0}}};
    const float *left[TILE_ROWS];
    int width[TILE_VECS];
    for (int r = 0; r < TILE_ROWS; r++)
        left[r] = p->left + (size_t)(i + (r < rows ? r : 0)) * p->left_row;
    for (int v = 0; v < TILE_VECS; v++) {
        int rest = columns - v * VEC_LANES;
        width[v] = rest < 0 ? 0 : rest < VEC_LANES ? rest : VEC_LANES;
    }
    bool whole = columns == TILE_COLUMNS;
    for (int k = 0; k < p->depth; k++) {
        const float *right = p->right + (size_t)k * p->right_row + j;
        for (int v = 0; v < TILE_VECS; v++, right += VEC_LANES) {
            vec_f32 b = whole ? vec_load(right) : vec_load_part(right, width[v], 0);
            for (int r = 0; r < TILE_ROWS; r++)
                sum[r][v] += left[r][(size_t)k * p->left_step] * b;
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < TILE_VECS; v++) {
            float *out = p->out + (size_t)(i + r) * p->out_row + j + v * VEC_LANES;
            vec_f32 before = p->adds ? vec_load_part(out, width[v], 0) : (vec_f32){0};
            vec_store_part(out, before + sum[r][v], width[v]);
        }
}

void VEC(product)(const struct vec_product *p, int i, int i_end, int j, int j_end) {
    for (; j < j_end; j += TILE_COLUMNS) {
        int columns = j_end - j < TILE_COLUMNS ? j_end - j : TILE_COLUMNS;
        for (int row = i; row < i_end; row += TILE_ROWS) {
            int rows = i_end - row < TILE_ROWS ? i_end - row : TILE_ROWS;
            if (columns == TILE_COLUMNS)
                tile(p, row, rows, j, TILE_COLUMNS);
            else
                tile(p, row, rows, j, columns);
        }
    }
}

/* TILE_ROWS x TILE_ROWS dot products along depth. */
VEC_INLINE void dot_tile(const struct vec_product *p, int i, int rows, int j, int columns) {
    vec_f32 sum[TILE_ROWS][TILE_ROWS] = {{{0}}};
    const float *left[TILE_ROWS], *right[TILE_ROWS];
    for (int r = 0; r < TILE_ROWS; r++) {
        left[r] = p->left + (size_t)(i + (r < rows ? r : 0)) * p->left_row;
        right[r] = p->right + (size_t)(j + (r < columns ? r : 0)) * p->right_row;
    }
    for (int k = 0; k < p->depth; k += VEC_LANES) {
        vec_f32 b[TILE_ROWS];
        int rest = p->depth - k;
        for (int r = 0; r < TILE_ROWS; r++)
            b[r] =
                rest >= VEC_LANES ? vec_load(right[r] + k) : vec_load_part(right[r] + k, rest, 0);
        for (int r = 0; r < TILE_ROWS; r++) {
            vec_f32 a =
                rest >= VEC_LANES ? vec_load(left[r] + k) : vec_load_part(left[r] + k, rest, 0);
            for (int c = 0; c < TILE_ROWS; c++)
                sum[r][c] += a * b[c];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            p->out[(size_t)(i + r) * p->out_row + j + c] =
                vec_sum(sum[r][c]) + (p->bias ? p->bias[j + c] : 0);
}

void VEC(product_by_dot)(const struct vec_product *p, int i, int i_end, int j, int j_end) {
    for (; j < j_end; j += TILE_ROWS)
        for (int row = i; row < i_end; row += TILE_ROWS)
            dot_tile(p, row, i_end - row < TILE_ROWS ? i_end - row : TILE_ROWS, j,
                     j_end - j < TILE_ROWS ? j_end - j : TILE_ROWS);
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
