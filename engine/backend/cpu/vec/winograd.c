/*
 * Winograd's F(4x4, 3x3) (Lavin, Gray 2015): a tile of 4x4 outputs takes 36 products a pair of
 * channels instead of 144.
 *
 *     y = A' ((G g G') * (B' d B)) A        dg = G' ((A dy A') * (B' d B)) G
 *
 * Its points are 0, a, -a, b, -b and infinity. With 5/8 and 3/2 the numbers in between stay of one
 * size, so that sums are a third as coarse as with the usual 1 and 2.
 *
 * With stride 2 every other pixel of a line meets the outer weights and those between meet the
 * middle one: F(4, 2) with the points p, -p, q, -q and infinity, and four plain products. So a tile
 * takes 81 products instead of 144. 3/8 and 5/4 were the best of the fractions that are exact.
 */
#include "engine/backend/cpu/vec/vec_members.h"

enum { OUT = WINOGRAD_SIDE, IN = WINOGRAD_TAPS, IN_2 = WINOGRAD_TAPS_2 };
enum { WINDOW = 3, TAPS = WINDOW * WINDOW, MOST = IN_2 };

static const float a = 0.625f, b = 1.5f, a2 = 0.390625f, b2 = 2.25f;
static const float product2 = 0.87890625f, sum2 = 2.640625f; /* a2 b2, a2 + b2 */
/* What weights are divided by: products of a point's distances from the others. */
static const float over_0 = 1 / 0.87890625f, over_a = 1 / (2 * 0.390625f * (0.390625f - 2.25f)),
                   over_b = 1 / (2 * 2.25f * (2.25f - 0.390625f));

static const float p = 0.375f, q = 1.25f, p2 = 0.140625f, q2 = 1.5625f;
static const float p2q2 = 0.2197265625f, p2_q2 = 1.703125f; /* product and sum of p2 and q2 */
static const float over_p = 1 / (2 * 0.375f * (0.140625f - 1.5625f)),
                   over_q = 1 / (2 * 1.25f * (1.5625f - 0.140625f));

/* --- one line of each transform, in steps of numbers --- */

typedef void line_fn(vec_f32 *to, const vec_f32 *from, int step, int from_step);

/* B': six pixels. */
VEC_INLINE void line_in(vec_f32 *to, const vec_f32 *d, int step, int i) {
    const vec_f32 even_a = d[4 * i] - b2 * d[2 * i], odd_a = a * (d[3 * i] - b2 * d[i]);
    const vec_f32 even_b = d[4 * i] - a2 * d[2 * i], odd_b = b * (d[3 * i] - a2 * d[i]);
    to[0] = product2 * d[0] - sum2 * d[2 * i] + d[4 * i];
    to[step] = even_a + odd_a;
    to[2 * step] = even_a - odd_a;
    to[3 * step] = even_b + odd_b;
    to[4 * step] = even_b - odd_b;
    to[5 * step] = product2 * d[i] - sum2 * d[3 * i] + d[5 * i];
}

/* A': six sums of products to four outputs. */
VEC_INLINE void line_out(vec_f32 *to, const vec_f32 *m, int step, int i) {
    const vec_f32 even_a = m[i] + m[2 * i], odd_a = a * (m[i] - m[2 * i]);
    const vec_f32 even_b = m[3 * i] + m[4 * i], odd_b = b * (m[3 * i] - m[4 * i]);
    to[0] = m[0] + even_a + even_b;
    to[step] = odd_a + odd_b;
    to[2 * step] = a2 * even_a + b2 * even_b;
    to[3 * step] = a2 * odd_a + b2 * odd_b + m[5 * i];
}

/* A: four gradients. */
VEC_INLINE void line_spread(vec_f32 *to, const vec_f32 *y, int step, int i) {
    const vec_f32 even_a = y[0] + a2 * y[2 * i], odd_a = a * (y[i] + a2 * y[3 * i]);
    const vec_f32 even_b = y[0] + b2 * y[2 * i], odd_b = b * (y[i] + b2 * y[3 * i]);
    to[0] = y[0];
    to[step] = even_a + odd_a;
    to[2 * step] = even_a - odd_a;
    to[3 * step] = even_b + odd_b;
    to[4 * step] = even_b - odd_b;
    to[5 * step] = y[3 * i];
}

/* G: three weights. */
VEC_INLINE void line_weight(vec_f32 *to, const vec_f32 *g, int step, int i) {
    const vec_f32 even_a = over_a * (g[0] + a2 * g[2 * i]), odd_a = over_a * a * g[i];
    const vec_f32 even_b = over_b * (g[0] + b2 * g[2 * i]), odd_b = over_b * b * g[i];
    to[0] = over_0 * g[0];
    to[step] = even_a + odd_a;
    to[2 * step] = even_a - odd_a;
    to[3 * step] = even_b + odd_b;
    to[4 * step] = even_b - odd_b;
    to[5 * step] = g[2 * i];
}

/* G': the gradients of three weights. */
VEC_INLINE void line_dweight(vec_f32 *to, const vec_f32 *u, int step, int i) {
    const vec_f32 even_a = over_a * (u[i] + u[2 * i]), odd_a = over_a * (u[i] - u[2 * i]);
    const vec_f32 even_b = over_b * (u[3 * i] + u[4 * i]), odd_b = over_b * (u[3 * i] - u[4 * i]);
    to[0] = over_0 * u[0] + even_a + even_b;
    to[step] = a * odd_a + b * odd_b;
    to[2 * step] = a2 * even_a + b2 * even_b + u[5 * i];
}

/* Stride 2: nine pixels; those between come last, as they are. */
VEC_INLINE void line_in_2(vec_f32 *to, const vec_f32 *d, int step, int i) {
    const vec_f32 even_p = d[6 * i] - q2 * d[2 * i], odd_p = p * (d[4 * i] - q2 * d[0]);
    const vec_f32 even_q = d[6 * i] - p2 * d[2 * i], odd_q = q * (d[4 * i] - p2 * d[0]);
    to[0] = even_p + odd_p;
    to[step] = even_p - odd_p;
    to[2 * step] = even_q + odd_q;
    to[3 * step] = even_q - odd_q;
    to[4 * step] = p2q2 * d[0] - p2_q2 * d[4 * i] + d[8 * i];
    for (int between = 0; between < OUT; between++)
        to[(5 + between) * step] = d[(2 * between + 1) * i];
}

/* Nine sums of products to four outputs. */
VEC_INLINE void line_out_2(vec_f32 *to, const vec_f32 *m, int step, int i) {
    const vec_f32 even_p = m[0] + m[i], odd_p = p * (m[0] - m[i]);
    const vec_f32 even_q = m[2 * i] + m[3 * i], odd_q = q * (m[2 * i] - m[3 * i]);
    to[0] = even_p + even_q + m[5 * i];
    to[step] = odd_p + odd_q + m[6 * i];
    to[2 * step] = p2 * even_p + q2 * even_q + m[7 * i];
    to[3 * step] = p2 * odd_p + q2 * odd_q + m[4 * i] + m[8 * i];
}

/* Three weights, the middle one last. */
VEC_INLINE void line_weight_2(vec_f32 *to, const vec_f32 *g, int step, int i) {
    to[0] = over_p * (p * g[2 * i] + g[0]);
    to[step] = over_p * (p * g[2 * i] - g[0]);
    to[2 * step] = over_q * (q * g[2 * i] + g[0]);
    to[3 * step] = over_q * (q * g[2 * i] - g[0]);
    to[4 * step] = g[2 * i];
    to[5 * step] = g[i];
}

/* from[in][in] by columns, then by rows, to to[out][out]. */
VEC_INLINE void transform(line_fn *line, vec_f32 *to, int out, const vec_f32 *from, int in) {
    vec_f32 half[IN * IN];
    for (int column = 0; column < in; column++)
        line(half + column, from + column, in, in);
    for (int row = 0; row < out; row++)
        line(to + row * out, half + row * in, 1, 1);
}

/* --- tiles --- */

/* side pixels below each other in a column of the window; beyond the plane there are zeros. */
VEC_INLINE void load_line(vec_f32 *to, const struct vec_tile *window, int side, int column,
                          bool inside, bool bf16) {
    int w = window->column + column;
    for (int i = 0; i < side; i++) {
        int h = window->row + i;
        bool there = inside || (h >= 0 && h < window->h && w >= 0 && w < window->w);
        size_t at = window->at + (size_t)(h * window->w + w) * VEC_LANES;
        to[i] = there ? vec_get(window->x, at, bf16) : vec_set(0);
    }
}

/* The form, of in x in vectors, of side x side pixels. */
VEC_INLINE void make_form(line_fn *line, int in, const struct vec_tile *window, int side,
                          bool inside, bool bf16) {
    vec_f32 half[MOST * MOST], pixels[MOST], numbers[MOST];
    for (int i = 0; i < side; i++) {
        load_line(pixels, window, side, i, inside, bf16);
        line(half + i, pixels, side, 1);
    }
    for (int row = 0; row < in; row++) {
        line(numbers, half + row * side, 1, 1);
        for (int i = 0; i < in; i++)
            vec_store(window->form + (size_t)(row * in + i) * window->step, numbers[i]);
    }
}

/* Of the pixels that begin so many before the tile, above and to the left. */
VEC_INLINE void tile_to_form(line_fn *line, int in, const struct vec_tile *it, int before, int side,
                             bool bf16) {
    struct vec_tile window = *it;
    window.row -= before;
    window.column -= before;
    if (window.row >= 0 && window.column >= 0 && window.row + side <= it->h &&
        window.column + side <= it->w)
        make_form(line, in, &window, side, true, bf16);
    else
        make_form(line, in, &window, side, false, bf16);
}

VEC_INLINE void finish(const struct vec_tile *it, int row, int column, vec_f32 y, bool bf16) {
    size_t at = it->at + (size_t)((it->row + row) * it->w + it->column + column) * VEC_LANES;
    if (it->residual)
        y += vec_get(it->residual, at, bf16);
    vec_put(it->y, at, vec_activate(it->act, y), bf16);
}

VEC_INLINE void form_to_tile(line_fn *line, int in, const struct vec_tile *it, bool bf16) {
    vec_f32 half[OUT * MOST], numbers[MOST], y[OUT];
    const vec_f32 bias = vec_load(it->bias);
    int rows = it->h - it->row, columns = it->w - it->column;
    for (int i = 0; i < in; i++) {
        for (int j = 0; j < in; j++)
            numbers[j] = vec_load(it->form + (size_t)(j * in + i) * it->step);
        line(half + i, numbers, in, 1);
    }
    for (int row = 0; row < OUT && row < rows; row++) {
        line(y, half + row * in, 1, 1);
        for (int i = 0; i < OUT && i < columns; i++)
            finish(it, row, i, y[i] + bias, bf16);
    }
}

/* --- weights --- */

VEC_INLINE size_t tap_at(const struct vec_taps *it, int k, int tap, int c) {
    return ((size_t)k * TAPS + (size_t)tap) * (size_t)it->channels + (size_t)c;
}

VEC_INLINE int part(int first, int count) {
    return count - first < VEC_LANES ? count - first : VEC_LANES;
}

/* to[i]: a tap of input i to all outputs of a block; turned, of output i to all inputs. */
VEC_INLINE void load_taps(vec_f32 *to, const struct vec_taps *it, int k, int tap, int c) {
    int outputs = part(k, it->outputs), channels = part(c, it->channels);
    for (int i = 0; i < VEC_LANES; i++)
        to[i] = i < outputs ? vec_get_part(it->weight, tap_at(it, k + i, tap, c), channels, false)
                            : vec_set(0);
    if (!it->turned)
        vec_transpose(to);
}

VEC_INLINE void taps_to_forms(line_fn *line, const struct vec_taps *it, int k, int c) {
    vec_f32 taps[TAPS][VEC_LANES], weight[TAPS], form[IN * IN];
    int inputs = it->turned ? part(k, it->outputs) : part(c, it->channels);
    for (int tap = 0; tap < TAPS; tap++)
        load_taps(taps[tap], it, k, it->turned ? TAPS - 1 - tap : tap, c);
    for (int i = 0; i < inputs; i++) {
        for (int tap = 0; tap < TAPS; tap++)
            weight[tap] = taps[tap][i];
        transform(line, form, IN, weight, WINDOW);
        for (int j = 0; j < IN * IN; j++)
            vec_store(it->form + (size_t)j * it->step + i * VEC_LANES, form[j]);
    }
}

void VEC(taps_in)(const struct vec_taps *it, int k, int c) {
    taps_to_forms(line_weight, it, k, c);
}

void VEC(taps_in_2)(const struct vec_taps *it, int k, int c) {
    taps_to_forms(line_weight_2, it, k, c);
}

/* In order: the same sum every time. */
VEC_INLINE vec_f32 sum_forms(const struct vec_taps *it, const float *form) {
    vec_f32 sum = vec_load(form);
    for (int i = 1; i < it->forms; i++)
        sum += vec_load(form + (size_t)i * it->next);
    return sum;
}

void VEC(taps_out)(const struct vec_taps *it, int k, int c) {
    vec_f32 taps[TAPS][VEC_LANES], weight[TAPS], form[IN * IN];
    int outputs = part(k, it->outputs), channels = part(c, it->channels);
    for (int i = 0; i < VEC_LANES; i++) {
        for (int j = 0; j < IN * IN; j++)
            form[j] = sum_forms(it, it->form + (size_t)j * it->step + i * VEC_LANES);
        transform(line_dweight, weight, WINDOW, form, IN);
        for (int tap = 0; tap < TAPS; tap++)
            taps[tap][i] = weight[tap];
    }
    for (int tap = 0; tap < TAPS; tap++) {
        vec_transpose(taps[tap]);
        for (int i = 0; i < outputs; i++)
            vec_put_part(it->dweight, tap_at(it, k + i, tap, c), taps[tap][i], channels, false);
    }
}

void VEC(tile_in_2)(const struct vec_tile *it) {
    tile_to_form(line_in_2, IN_2, it, 1, 2 * OUT + 1, false);
}

void VEC(tile_out_2)(const struct vec_tile *it) {
    form_to_tile(line_out_2, IN_2, it, false);
}

#define INSTANCE(type, bf16)                                                                       \
    void VEC(tile_in_##type)(const struct vec_tile *it) {                                          \
        tile_to_form(line_in, IN, it, 1, OUT + 2, bf16);                                           \
    }                                                                                              \
    void VEC(tile_spread_##type)(const struct vec_tile *it) {                                      \
        tile_to_form(line_spread, IN, it, 0, OUT, bf16);                                           \
    }                                                                                              \
    void VEC(tile_out_##type)(const struct vec_tile *it) {                                         \
        form_to_tile(line_out, IN, it, bf16);                                                      \
    }

INSTANCE(f32, false)
INSTANCE(bf16, true)
