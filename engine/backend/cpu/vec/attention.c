/*
 * Attention of one head and some queries at a time. What the products need is copied into scratch,
 * in the order in which they read it. Scores are made anew in the gradient.
 *
 * Scratch holds words: a number of f32, or a pair of bf16 numbers that follow each other along the
 * depth of a product, where one instruction multiplies and adds both.
 */
#include "engine/backend/cpu/vec/vec_members.h"

#include <math.h>

static int padded(int n) {
    return (n + VEC_MAX_LANES - 1) / VEC_MAX_LANES * VEC_MAX_LANES;
}

/* Words of so many numbers. */
VEC_INLINE int words(int n, bool bf16) {
    return bf16 ? (n + 1) / 2 : n;
}

/* Matrices of a head, padded with zeros. Matrices that hold pairs have half as many rows, or rows
 * of half as many words; numbers below are those of f32. */
struct head {
    const struct vec_attention *it;
    int n, h;                /* picture, head in it */
    int columns, row;        /* padded tokens, padded width */
    float scale;             /* of scores */
    float *raw;              /* [columns][row]: q, k, v or dy as it comes, in bf16 */
    float *k_t, *v_t;        /* [row][columns], pairs along rows */
    float *k, *v;            /* [columns][row], pairs along tokens */
    float *q, *dy;           /* [VEC_QUERIES][row] */
    float *q_rows, *dy_rows; /* the same with pairs along queries */
    float *out;              /* [VEC_QUERIES][row] */
    float *score, *gradient; /* [VEC_QUERIES][columns] */
    float *dk, *dv;          /* [tokens][row] */
};

static size_t carve(struct head *head, const struct vec_attention *it, float *at) {
    head->it = it;
    head->columns = padded(it->tokens);
    head->row = padded(it->width);
    head->scale = 1 / sqrtf((float)it->width);
    size_t matrix = (size_t)head->columns * (size_t)head->row;
    size_t some = VEC_QUERIES * (size_t)head->row, scores = VEC_QUERIES * (size_t)head->columns;
    const struct {
        float **part;
        size_t floats;
    } parts[] = {{&head->raw, matrix}, {&head->k_t, matrix},   {&head->v_t, matrix},
                 {&head->k, matrix},   {&head->v, matrix},     {&head->q, some},
                 {&head->dy, some},    {&head->q_rows, some},  {&head->dy_rows, some},
                 {&head->out, some},   {&head->score, scores}, {&head->gradient, scores},
                 {&head->dk, matrix},  {&head->dv, matrix}};
    size_t floats = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].part = at ? at + floats : NULL;
        floats += parts[i].floats;
    }
    return floats;
}

/* Where q, k or v (part 0, 1, 2) of a token begins. */
static size_t qkv_at(const struct head *head, int token, int part) {
    const struct vec_attention *it = head->it;
    size_t tokens = (size_t)head->n * (size_t)it->tokens + (size_t)token;
    return (tokens * 3 + (size_t)part) * (size_t)it->heads * (size_t)it->width +
           (size_t)head->h * (size_t)it->width;
}

/* Where a query's y begins. */
static size_t y_at(const struct head *head, int query) {
    const struct vec_attention *it = head->it;
    size_t row = (size_t)head->n * (size_t)it->queries + (size_t)query;
    return (row * (size_t)it->heads + (size_t)head->h) * (size_t)it->width;
}

static size_t lse_at(const struct head *head, int query) {
    const struct vec_attention *it = head->it;
    size_t row = (size_t)head->n * (size_t)it->queries + (size_t)query;
    return row * (size_t)it->heads + (size_t)head->h;
}

/* --- matrices in and out --- */

/* Rows of a head's width in memory: where the first begins, and how far the next is. */
struct rows {
    const void *from;
    size_t at, step;
    int count;
};

static struct rows rows_of_qkv(const struct head *head, int first, int count, int part) {
    return (struct rows){head->it->qkv, qkv_at(head, first, part),
                         qkv_at(head, 1, part) - qkv_at(head, 0, part), count};
}

static struct rows rows_of_dy(const struct head *head, int first, int count) {
    return (struct rows){head->it->dy, y_at(head, first), y_at(head, 1) - y_at(head, 0), count};
}

/* Copies rows as they are; those from count to all are zero. */
VEC_INLINE void load(const struct head *head, struct rows rows, int all, float *to, bool bf16) {
    const size_t size = bf16 ? sizeof(uint16_t) : sizeof(float);
    const size_t bytes = (size_t)head->it->width * size, row = (size_t)head->row * size;
    for (int i = 0; i < rows.count; i++) {
        char *at = (char *)to + (size_t)i * row;
        memcpy(at, (const char *)rows.from + (rows.at + (size_t)i * rows.step) * size, bytes);
        memset(at + bytes, 0, row - bytes);
    }
    memset((char *)to + (size_t)rows.count * row, 0, (size_t)(all - rows.count) * row);
}

/* [columns][words of row] -> [words of row][columns] */
VEC_INLINE void turn(const struct head *head, const float *from, float *to, bool bf16) {
    const size_t row = (size_t)words(head->row, bf16), columns = (size_t)head->columns;
    for (size_t t = 0; t < columns; t += VEC_LANES)
        for (size_t i = 0; i < row; i += VEC_LANES) {
            vec_f32 block[VEC_LANES];
            for (size_t k = 0; k < VEC_LANES; k++)
                block[k] = vec_load(from + (t + k) * row + i);
            vec_transpose(block);
            for (size_t k = 0; k < VEC_LANES; k++)
                vec_store(to + (i + k) * columns + t, block[k]);
        }
}

/* Rows of bf16 to rows of pairs from two of them. */
static void pair_rows(const struct head *head, const void *from, int count, float *to) {
    const size_t row = (size_t)head->row;
    for (size_t i = 0; i < (size_t)words(count, true); i++)
        for (size_t k = 0; k < row; k += VEC_LANES) {
            vec_f32 low = vec_get(from, 2 * i * row + k, true);
            vec_f32 high = vec_get(from, (2 * i + 1) * row + k, true);
            vec_store(to + i * row + k, (vec_f32)(((vec_u32)low >> 16) | (vec_u32)high));
        }
}

/* All k or v of the head: as rows, and transposed if wanted. */
VEC_INLINE void load_all(const struct head *head, int part, float *as_rows, float *turned,
                         bool bf16) {
    float *raw = bf16 ? head->raw : as_rows;
    load(head, rows_of_qkv(head, 0, head->it->tokens, part), head->columns, raw, bf16);
    if (bf16)
        pair_rows(head, raw, head->columns, as_rows);
    if (turned)
        turn(head, raw, turned, bf16);
}

VEC_INLINE void store_row(const struct head *head, void *to, size_t at, const float *from,
                          float factor, bool bf16) {
    const size_t n = (size_t)head->it->width;
    for (size_t i = 0; i < n; i += VEC_LANES)
        vec_put_part(to, at + i, vec_load(from + i) * factor, vec_width(i, n), bf16);
}

VEC_INLINE void clear_row(const struct head *head, void *to, size_t at, bool bf16) {
    size_t bytes = bf16 ? sizeof(uint16_t) : sizeof(float);
    memset((char *)to + at * bytes, 0, (size_t)head->it->width * bytes);
}

/* --- products --- */

/* out [rows][columns] = left [rows][depth] right [depth][columns], depth in words. */
struct matrices {
    const float *left;
    int left_row, left_step, rows, depth;
    const float *right;
    int columns;
    float *out;
    bool adds;
};

VEC_INLINE void multiply(const struct matrices *m, bool bf16) {
    const struct vec_product product = {.left = m->left,
                                        .left_row = (size_t)m->left_row,
                                        .left_step = (size_t)m->left_step,
                                        .right = m->right,
                                        .right_row = (size_t)m->columns,
                                        .out = m->out,
                                        .out_row = (size_t)m->columns,
                                        .depth = m->depth,
                                        .adds = m->adds};
    (bf16 ? VEC(product_of_pairs) : VEC(product))(&product, 0, m->rows, 0, m->columns);
}

/* [queries][width] times a transposed matrix: [queries][columns]. */
VEC_INLINE void multiply_wide(const struct head *head, const float *left, int queries,
                              const float *right, float *out, bool bf16) {
    multiply(&(struct matrices){.left = left,
                                .left_row = words(head->row, bf16),
                                .left_step = 1,
                                .rows = queries,
                                .depth = words(head->it->width, bf16),
                                .right = right,
                                .columns = head->columns,
                                .out = out},
             bf16);
}

/* [queries][tokens] times [tokens][row]. */
VEC_INLINE void multiply_rows(const struct head *head, const float *left, int queries,
                              const float *right, float *out, bool bf16) {
    multiply(&(struct matrices){.left = left,
                                .left_row = head->columns,
                                .left_step = 1,
                                .rows = queries,
                                .depth = words(head->it->tokens, bf16),
                                .right = right,
                                .columns = head->row,
                                .out = out},
             bf16);
}

/* Adds the product of [queries][tokens], transposed, and [queries][row]; pairs of queries lie in
 * every other row. */
VEC_INLINE void add_transposed(const struct head *head, const float *left, int queries,
                               const float *right, float *out, bool bf16) {
    multiply(&(struct matrices){.left = left,
                                .left_row = 1,
                                .left_step = bf16 ? 2 * head->columns : head->columns,
                                .rows = head->it->tokens,
                                .depth = words(queries, bf16),
                                .right = right,
                                .columns = head->row,
                                .out = out,
                                .adds = true},
             bf16);
}

/* --- scores --- */

/* e^(scale score - log_sum) of the scores from i on, zero beyond the last token. */
VEC_INLINE vec_f32 exponentials(const struct head *head, const float *score, size_t i,
                                float log_sum) {
    const size_t n = (size_t)head->it->tokens;
    vec_f32 e = vec_exp(vec_load(score + i) * head->scale - log_sum);
    return i + VEC_LANES <= n ? e : vec_keep(~vec_beyond(i < n ? (int)(n - i) : 0), e);
}

static float largest_score(const struct head *head, const float *score) {
    const size_t n = (size_t)head->it->tokens;
    vec_f32 top = vec_set(score[0]);
    for (size_t i = 0; i < n; i += VEC_LANES)
        top = vec_max(vec_load_part(score + i, vec_width(i, n), score[0]), top);
    return vec_largest(top) * head->scale;
}

/* Exponentials in place of the scores; returns their sum and the log of the sum of all. */
VEC_INLINE float soften(const struct head *head, float *score, float *lse, bool bf16) {
    float top = largest_score(head, score);
    vec_f32 sum = {0};
    for (size_t i = 0; i < (size_t)head->columns; i += VEC_LANES) {
        vec_f32 e = exponentials(head, score, i, top);
        sum += e;
        vec_put(score, i, e, bf16);
    }
    float total = vec_sum(sum);
    *lse = top + logf(total);
    return total;
}

VEC_INLINE void attention(const struct vec_attention *it, const struct vec_queries *queries,
                          float *scratch, bool bf16) {
    struct head head = {.n = queries->head / it->heads, .h = queries->head % it->heads};
    const int begin = queries->begin, count = queries->end - begin;
    float sum[VEC_QUERIES];
    carve(&head, it, scratch);
    if (queries->fresh) {
        load_all(&head, 1, head.k, head.k_t, bf16);
        load_all(&head, 2, head.v, NULL, bf16);
    }
    load(&head, rows_of_qkv(&head, begin, count, 0), count, head.q, bf16);
    multiply_wide(&head, head.q, count, head.k_t, head.score, bf16);
    for (int i = 0; i < count; i++)
        sum[i] = soften(&head, head.score + (size_t)i * (size_t)head.columns,
                        it->lse + lse_at(&head, begin + i), bf16);
    multiply_rows(&head, head.score, count, head.v, head.out, bf16);
    for (int i = 0; i < count; i++)
        store_row(&head, it->y, y_at(&head, begin + i), head.out + (size_t)i * (size_t)head.row,
                  1 / sum[i], bf16);
}

/* --- gradient --- */

/* A query's scores, the gradient of its probabilities, and what both are scaled and moved by. */
struct query {
    float *score, *gradient;
    float lse, center; /* dy y */
};

VEC_INLINE struct query query_of(const struct head *head, int begin, int i, bool bf16) {
    const struct vec_attention *it = head->it;
    const size_t n = (size_t)it->width, at = y_at(head, begin + i);
    vec_f32 product = {0};
    for (size_t k = 0; k < n; k += VEC_LANES) {
        int width = vec_width(k, n);
        product +=
            vec_get_part(it->dy, at + k, width, bf16) * vec_get_part(it->y, at + k, width, bf16);
    }
    return (struct query){head->score + (size_t)i * (size_t)head->columns,
                          head->gradient + (size_t)i * (size_t)head->columns,
                          it->lse[lse_at(head, begin + i)], vec_sum(product)};
}

/* Probabilities p and the gradient of the scores, ds = scale p (dp - dy y). */
VEC_INLINE void differentiate(const struct head *head, const struct query *it, size_t k, vec_f32 *p,
                              vec_f32 *ds) {
    *p = exponentials(head, it->score, k, it->lse);
    *ds = (vec_load(it->gradient + k) - it->center) * *p * head->scale;
}

/* In place: p of a query, and its ds. */
static void gradient_of_query(const struct head *head, int begin, int i) {
    const struct query it = query_of(head, begin, i, false);
    for (size_t k = 0; k < (size_t)head->columns; k += VEC_LANES) {
        vec_f32 p, ds;
        differentiate(head, &it, k, &p, &ds);
        vec_store(it.score + k, p);
        vec_store(it.gradient + k, ds);
    }
}

/* In place of two queries: pairs of both p, pairs of both ds, and each one's ds with pairs along
 * tokens. Behind the last query, q and dy are zero, and its p become so. */
static void gradient_of_pair(const struct head *head, int begin, int i, int count) {
    const struct query first = query_of(head, begin, i, true);
    struct query second = {first.score + head->columns, first.gradient + head->columns, INFINITY,
                           0};
    if (i + 1 < count)
        second = query_of(head, begin, i + 1, true);
    for (size_t k = 0; k < (size_t)head->columns; k += VEC_LANES) {
        vec_f32 p[2], ds[2];
        differentiate(head, &first, k, &p[0], &ds[0]);
        differentiate(head, &second, k, &p[1], &ds[1]);
        vec_store(first.score + k, vec_pairs(p[0], p[1]));
        vec_store(second.score + k, vec_pairs(ds[0], ds[1]));
        vec_put(first.gradient, k, ds[0], true);
        vec_put(second.gradient, k, ds[1], true);
    }
}

/* So many queries; all are the count, or one more to make pairs. */
VEC_INLINE void gradient_of_some(const struct head *head, int begin, int count, bool bf16) {
    const int all = bf16 ? 2 * words(count, true) : count;
    const float *q = head->q, *dy = head->dy, *ds = head->gradient;
    load(head, rows_of_qkv(head, begin, count, 0), all, head->q, bf16);
    load(head, rows_of_dy(head, begin, count), all, head->dy, bf16);
    multiply_wide(head, head->q, all, head->k_t, head->score, bf16);
    multiply_wide(head, head->dy, all, head->v_t, head->gradient, bf16);
    if (bf16) {
        pair_rows(head, head->q, all, head->q_rows);
        pair_rows(head, head->dy, all, head->dy_rows);
        q = head->q_rows;
        dy = head->dy_rows;
        ds = head->score + head->columns;
        for (int i = 0; i < all; i += 2)
            gradient_of_pair(head, begin, i, count);
    } else {
        for (int i = 0; i < count; i++)
            gradient_of_query(head, begin, i);
    }
    add_transposed(head, head->score, all, dy, head->dv, bf16);
    add_transposed(head, ds, all, q, head->dk, bf16);
    multiply_rows(head, head->gradient, count, head->k, head->out, bf16);
    for (int i = 0; i < count; i++)
        store_row(head, head->it->dqkv, qkv_at(head, begin + i, 0),
                  head->out + (size_t)i * (size_t)head->row, 1, bf16);
}

VEC_INLINE void attention_bwd(const struct vec_attention *it, int number, float *scratch,
                              bool bf16) {
    struct head head = {.n = number / it->heads, .h = number % it->heads};
    carve(&head, it, scratch);
    load_all(&head, 1, head.k, head.k_t, bf16);
    load_all(&head, 2, head.v, head.v_t, bf16);
    size_t bytes = (size_t)it->tokens * (size_t)head.row * sizeof(float);
    memset(head.dk, 0, bytes);
    memset(head.dv, 0, bytes);
    const int some = vec_queries_at_once(it->queries);
    for (int begin = 0; begin < it->queries; begin += some)
        gradient_of_some(&head, begin, it->queries - begin < some ? it->queries - begin : some,
                         bf16);
    for (int t = 0; t < it->tokens; t++) {
        size_t at = (size_t)t * (size_t)head.row;
        store_row(&head, it->dqkv, qkv_at(&head, t, 1), head.dk + at, 1, bf16);
        store_row(&head, it->dqkv, qkv_at(&head, t, 2), head.dv + at, 1, bf16);
        if (t >= it->queries)
            clear_row(&head, it->dqkv, qkv_at(&head, t, 0), bf16);
    }
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(attention_##type)(const struct vec_attention *it, const struct vec_queries *queries,  \
                               float *scratch) {                                                   \
        attention(it, queries, scratch, bf16);                                                     \
    }                                                                                              \
    void VEC(attention_bwd_##type)(const struct vec_attention *it, int head, float *scratch) {     \
        attention_bwd(it, head, scratch, bf16);                                                    \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)

size_t VEC(attention_floats)(int tokens, int width) {
    struct head head = {0};
    struct vec_attention it = {.tokens = tokens, .width = width};
    return carve(&head, &it, NULL);
}
