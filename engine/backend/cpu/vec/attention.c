/*
 * Attention of one head at a time: everything it needs is copied into scratch in f32, in the order
 * in which the products read it. Scores are made for a block of queries at a time, and made anew
 * in the gradient.
 */
#include "engine/backend/cpu/vec/vec_members.h"

#include <math.h>

enum { BLOCK = 32 }; /* queries whose scores lie in scratch at a time */

static int padded(int n) {
    return (n + VEC_MAX_LANES - 1) / VEC_MAX_LANES * VEC_MAX_LANES;
}

/* Matrices of a head, rows padded with zeros. */
struct head {
    const struct vec_attention *it;
    int n, h;                /* picture, head in it */
    int columns, row;        /* padded tokens, padded width */
    float scale;             /* of scores */
    float *k_t, *v_t;        /* [width][columns] */
    float *k, *v;            /* [tokens][row] */
    float *q, *dy, *out;     /* [BLOCK][row] */
    float *score, *gradient; /* [BLOCK][columns] */
    float *dk, *dv;          /* [tokens][row] */
};

static size_t carve(struct head *head, const struct vec_attention *it, float *at) {
    head->it = it;
    head->columns = padded(it->tokens);
    head->row = padded(it->width);
    head->scale = 1 / sqrtf((float)it->width);
    size_t wide = (size_t)it->width * (size_t)head->columns;
    size_t tall = (size_t)it->tokens * (size_t)head->row;
    size_t block = BLOCK * (size_t)head->row, scores = BLOCK * (size_t)head->columns;
    const struct {
        float **part;
        size_t floats;
    } parts[] = {{&head->k_t, wide},  {&head->v_t, wide},     {&head->k, tall},
                 {&head->v, tall},    {&head->q, block},      {&head->dy, block},
                 {&head->out, block}, {&head->score, scores}, {&head->gradient, scores},
                 {&head->dk, tall},   {&head->dv, tall}};
    size_t floats = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].part = at ? at + floats : NULL;
        floats += (parts[i].floats + VEC_MAX_LANES - 1) & ~(size_t)(VEC_MAX_LANES - 1);
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

/* A row of the head's width as f32, padded with zeros. */
VEC_INLINE void load_row(const struct head *head, const void *from, size_t at, float *to,
                         bool bf16) {
    const size_t n = (size_t)head->it->width;
    for (size_t i = 0; i < (size_t)head->row; i += VEC_LANES) {
        vec_f32 v = {0};
        if (i < n)
            v = vec_get_part(from, at + i, vec_width(i, n), bf16);
        vec_store(to + i, v);
    }
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

/* [tokens][row] -> [width][columns]; the tokens beyond the last are zero. */
static void transpose(const struct head *head, const float *from, float *to) {
    const size_t row = (size_t)head->row, columns = (size_t)head->columns;
    const size_t tokens = (size_t)head->it->tokens;
    for (size_t first = 0; first < columns; first += VEC_LANES)
        for (size_t i = 0; i < (size_t)head->it->width; i++) {
            vec_f32 v = {0};
            for (size_t lane = 0; lane < VEC_LANES && first + lane < tokens; lane++)
                v[lane] = from[(first + lane) * row + i];
            vec_store(to + i * columns + first, v);
        }
}

VEC_INLINE void load_head(const struct head *head, bool bf16) {
    for (int t = 0; t < head->it->tokens; t++) {
        load_row(head, head->it->qkv, qkv_at(head, t, 1), head->k + (size_t)t * head->row, bf16);
        load_row(head, head->it->qkv, qkv_at(head, t, 2), head->v + (size_t)t * head->row, bf16);
    }
    transpose(head, head->k, head->k_t);
}

/* out [rows][columns] = left [rows][depth] right [depth][columns] */
struct matrices {
    const float *left;
    int left_row, left_step, rows, depth;
    const float *right;
    int columns;
    float *out;
    bool adds;
};

static void multiply(const struct matrices *m) {
    const struct vec_product product = {.left = m->left,
                                        .left_row = (size_t)m->left_row,
                                        .left_step = (size_t)m->left_step,
                                        .right = m->right,
                                        .right_row = (size_t)m->columns,
                                        .out = m->out,
                                        .out_row = (size_t)m->columns,
                                        .depth = m->depth,
                                        .adds = m->adds};
    VEC(product)(&product, 0, m->rows, 0, m->columns);
}

/* [queries][width] times a transposed matrix: [queries][columns]. */
static void multiply_wide(const struct head *head, const float *left, int queries,
                          const float *right, float *out) {
    multiply(&(struct matrices){.left = left,
                                .left_row = head->row,
                                .left_step = 1,
                                .rows = queries,
                                .depth = head->it->width,
                                .right = right,
                                .columns = head->columns,
                                .out = out});
}

/* [queries][tokens] times [tokens][row]. */
static void multiply_rows(const struct head *head, const float *left, int queries,
                          const float *right, float *out) {
    multiply(&(struct matrices){.left = left,
                                .left_row = head->columns,
                                .left_step = 1,
                                .rows = queries,
                                .depth = head->it->tokens,
                                .right = right,
                                .columns = head->row,
                                .out = out});
}

/* Adds the product of [queries][tokens], transposed, and [queries][row]. */
static void add_transposed(const struct head *head, const float *left, int queries,
                           const float *right, float *out) {
    multiply(&(struct matrices){.left = left,
                                .left_row = 1,
                                .left_step = head->columns,
                                .rows = head->it->tokens,
                                .depth = queries,
                                .right = right,
                                .columns = head->row,
                                .out = out,
                                .adds = true});
}

/* e^(scale score - log_sum), zero beyond the last token. */
static void exponentials(const struct head *head, float *score, float log_sum) {
    const size_t n = (size_t)head->it->tokens;
    for (size_t i = 0; i < (size_t)head->columns; i += VEC_LANES) {
        vec_f32 e = vec_exp(vec_load(score + i) * head->scale - log_sum);
        if (i + VEC_LANES > n)
            e = vec_keep(~vec_beyond(i < n ? (int)(n - i) : 0), e);
        vec_store(score + i, e);
    }
}

static float largest_score(const struct head *head, const float *score) {
    const size_t n = (size_t)head->it->tokens;
    vec_f32 top = vec_set(score[0]);
    for (size_t i = 0; i < n; i += VEC_LANES)
        top = vec_max(vec_load_part(score + i, vec_width(i, n), score[0]), top);
    return vec_largest(top) * head->scale;
}

/* Exponentials of the scores; returns their sum and the log of the sum of all. */
static float soften(const struct head *head, float *score, float *lse) {
    float top = largest_score(head, score);
    vec_f32 sum = {0};
    exponentials(head, score, top);
    for (size_t i = 0; i < (size_t)head->columns; i += VEC_LANES)
        sum += vec_load(score + i);
    float total = vec_sum(sum);
    *lse = top + logf(total);
    return total;
}

VEC_INLINE void attend(const struct head *head, int begin, int count, bool bf16) {
    const struct vec_attention *it = head->it;
    float sum[BLOCK];
    for (int i = 0; i < count; i++)
        load_row(head, it->qkv, qkv_at(head, begin + i, 0), head->q + (size_t)i * head->row, bf16);
    multiply_wide(head, head->q, count, head->k_t, head->score);
    for (int i = 0; i < count; i++) {
        size_t query = (size_t)head->n * (size_t)it->queries + (size_t)(begin + i);
        float *lse = it->lse + query * (size_t)it->heads + (size_t)head->h;
        sum[i] = soften(head, head->score + (size_t)i * head->columns, lse);
    }
    multiply_rows(head, head->score, count, head->v, head->out);
    for (int i = 0; i < count; i++)
        store_row(head, it->y, y_at(head, begin + i), head->out + (size_t)i * head->row, 1 / sum[i],
                  bf16);
}

VEC_INLINE void attention(const struct vec_attention *it, const struct vec_queries *queries,
                          float *scratch, bool bf16) {
    struct head head = {.n = queries->head / it->heads, .h = queries->head % it->heads};
    carve(&head, it, scratch);
    if (queries->fresh)
        load_head(&head, bf16);
    for (int begin = queries->begin; begin < queries->end; begin += BLOCK) {
        int rest = queries->end - begin;
        attend(&head, begin, rest < BLOCK ? rest : BLOCK, bf16);
    }
}

/* --- gradient --- */

/* score: p; gradient: from dp to ds = scale p (dp - dy y). */
VEC_INLINE void differentiate(const struct head *head, int query, int i, bool bf16) {
    const struct vec_attention *it = head->it;
    float *score = head->score + (size_t)i * head->columns;
    float *gradient = head->gradient + (size_t)i * head->columns;
    const float *dy = head->dy + (size_t)i * head->row;
    vec_f32 product = {0};
    load_row(head, it->y, y_at(head, query), head->out, bf16);
    for (int k = 0; k < head->row; k += VEC_LANES)
        product += vec_load(dy + k) * vec_load(head->out + k);
    float center = vec_sum(product);
    for (int k = 0; k < head->columns; k += VEC_LANES) {
        vec_f32 ds = (vec_load(gradient + k) - center) * vec_load(score + k) * head->scale;
        vec_store(gradient + k, ds);
    }
}

VEC_INLINE void gradient_of_block(const struct head *head, int begin, int count, bool bf16) {
    const struct vec_attention *it = head->it;
    for (int i = 0; i < count; i++) {
        load_row(head, it->qkv, qkv_at(head, begin + i, 0), head->q + (size_t)i * head->row, bf16);
        load_row(head, it->dy, y_at(head, begin + i), head->dy + (size_t)i * head->row, bf16);
    }
    multiply_wide(head, head->q, count, head->k_t, head->score);
    multiply_wide(head, head->dy, count, head->v_t, head->gradient);
    for (int i = 0; i < count; i++) {
        size_t query = (size_t)head->n * (size_t)it->queries + (size_t)(begin + i);
        exponentials(head, head->score + (size_t)i * head->columns,
                     it->lse[query * (size_t)it->heads + (size_t)head->h]);
        differentiate(head, begin + i, i, bf16);
    }
    add_transposed(head, head->score, count, head->dy, head->dv);
    add_transposed(head, head->gradient, count, head->q, head->dk);
    multiply_rows(head, head->gradient, count, head->k, head->out);
    for (int i = 0; i < count; i++)
        store_row(head, it->dqkv, qkv_at(head, begin + i, 0), head->out + (size_t)i * head->row, 1,
                  bf16);
}

VEC_INLINE void attention_bwd(const struct vec_attention *it, int number, float *scratch,
                              bool bf16) {
    struct head head = {.n = number / it->heads, .h = number % it->heads};
    carve(&head, it, scratch);
    load_head(&head, bf16);
    transpose(&head, head.v, head.v_t);
    size_t bytes = (size_t)it->tokens * (size_t)head.row * sizeof(float);
    memset(head.dk, 0, bytes);
    memset(head.dv, 0, bytes);
    for (int begin = 0; begin < it->queries; begin += BLOCK)
        gradient_of_block(&head, begin, it->queries - begin < BLOCK ? it->queries - begin : BLOCK,
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
