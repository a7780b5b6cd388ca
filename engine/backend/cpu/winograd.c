#include "engine/backend/cpu/conv_way.h"
#include "engine/backend/cpu/kept.h"
#include "engine/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct plane {
    int h, w;
};

struct winograd {
    enum dnn_direction direction;
    struct shape weight;    /* [k,3,3,c] */
    struct blocked in, out; /* out of weights' gradients: dy */
    struct plane in_plane, out_plane;
    int stride;
    int side, numbers; /* of a tile's form */
    int across, tiles; /* tiles of a row, of all pictures */
    int chunk, threads;
    const struct vec_kernels *vec;
    void *kept; /* forms of constant weights, or NULL */
};

/* Tiles that are worked on together, at the most; and forms that stay in the second cache. */
enum { CHUNK_MOST = 64, NEAR_FLOATS = 160 << 10 };

/* --- is it faster? --- */

static int tiles_of(int side) {
    return (side + WINOGRAD_SIDE - 1) / WINOGRAD_SIDE;
}

/* Vectors of a tile's form. */
static int numbers_of(int stride) {
    return stride == 2 ? WINOGRAD_NUMBERS_2 : WINOGRAD_NUMBERS;
}

/* Share of the window's weights that lie inside of the picture; with stride 2 they go beyond one
 * edge only. */
static double share_inside(const struct shape *y, int stride) {
    double beyond = 2.0 / stride;
    return (3 * y->h - beyond) * (3 * y->w - beyond) / (9.0 * y->h * y->w);
}

/* Cycles of a core in which oneDNN computes it: 16 products each, twice that in bf16, and less of
 * the gradient of weights. */
static double direct_cycles(const struct dnn_problem *problem) {
    const struct shape *y = &problem->y.shape, *w = &problem->weight;
    bool bf16 = problem->x.dtype == DTYPE_BF16 || problem->y.dtype == DTYPE_BF16;
    double products =
        9.0 * y->n * y->h * y->w * w->c * w->n * share_inside(y, problem->attr.stride);
    double share = problem->direction != DNN_BACKWARD_WEIGHTS ? 0.95 : bf16 ? 0.9 : 0.75;
    return products / (bf16 ? 32 : 16) / share;
}

/* Making the forms of weights and fetching them, for each 16 pairs of channels; sums of weights'
 * gradients are fetched and put back for each chunk of tiles. */
static double weight_cycles(const struct dnn_problem *problem, double tiles) {
    const double use = 288, make = 350, sum = 500;
    if (problem->direction == DNN_BACKWARD_WEIGHTS)
        return make + sum * tiles / CHUNK_MOST;
    return use + (problem->constant_weight ? 0 : make);
}

/* Do forms of the weights stay in the third cache? Each thread has sums of its own. Otherwise it is
 * memory that decides, and oneDNN's way of going through it is better. */
static bool is_cached(const struct dnn_problem *problem) {
    int most = problem->direction == DNN_BACKWARD_WEIGHTS ? 1 << 20 : 4 << 20;
    return WINOGRAD_NUMBERS * problem->weight.c * problem->weight.n <= most;
}

/* The same by Winograd: products of forms, and making these. */
static double cycles(const struct dnn_problem *problem) {
    const double tile = problem->attr.stride == 2 ? 1000 : 350;
    const struct shape *y = &problem->y.shape, *w = &problem->weight;
    double pairs = (double)w->c * w->n / 16;
    double tiles = (double)y->n * tiles_of(y->h) * tiles_of(y->w);
    return (numbers_of(problem->attr.stride) * tiles + weight_cycles(problem, tiles)) * pairs +
           tile * tiles * (w->c + w->n) / 16;
}

/* In bf16 a direct one is always faster. */
static bool suits_stride_2(const struct dnn_problem *problem) {
    return problem->attr.stride == 2 && problem->direction == DNN_FORWARD &&
           problem->x.dtype == DTYPE_F32 && problem->y.dtype == DTYPE_F32;
}

static bool winograd_fits(const struct dnn_problem *problem, const struct vec_kernels *vec) {
    const struct shape *w = &problem->weight;
    const struct conv_attr *attr = &problem->attr;
    int least = w->c < w->n ? w->c : w->n;
    if (w->h != 3 || w->w != 3 || attr->pad != 1 || attr->groups != 1)
        return false;
    if (attr->stride != 1 && !suits_stride_2(problem))
        return false;
    return vec->fma && least >= 16 && is_cached(problem) &&
           cycles(problem) < direct_cycles(problem);
}

/* --- create --- */

/* Few tiles, so that their forms stay in the second cache, or many where the sums of weights'
 * gradients do not; each thread has some. */
static int chunk_of(const struct winograd *it) {
    enum { LEAST = 16 };
    bool sums = it->direction == DNN_BACKWARD_WEIGHTS;
    int blocks = it->in.blocks + it->out.blocks,
        share = (it->tiles + it->threads - 1) / it->threads;
    int chunk = NEAR_FLOATS / (it->numbers * it->in.lanes * blocks) / LEAST * LEAST;
    if (sums && WINOGRAD_NUMBERS * it->weight.n * it->weight.c > NEAR_FLOATS)
        chunk = CHUNK_MOST;
    chunk = chunk > CHUNK_MOST ? CHUNK_MOST : chunk < LEAST ? LEAST : chunk;
    return chunk < share ? chunk : share;
}

static struct plane plane_of(const struct value *value) {
    return (struct plane){value->shape.h, value->shape.w};
}

static struct winograd *describe(const struct kernel_context *context,
                                 const struct dnn_problem *problem) {
    struct winograd *it = xcalloc(1, sizeof *it);
    bool sums = problem->direction == DNN_BACKWARD_WEIGHTS;
    const struct value *in = context_in(context, sums),
                       *out = sums ? context_in(context, 0) : context_out(context, 0);
    it->direction = problem->direction;
    it->weight = problem->weight;
    it->in = blocked_of(context, in);
    it->out = blocked_of(context, out);
    it->in_plane = plane_of(in);
    it->out_plane = plane_of(out);
    it->stride = problem->attr.stride;
    it->side = it->stride == 2 ? WINOGRAD_TAPS_2 : WINOGRAD_TAPS;
    it->numbers = numbers_of(it->stride);
    it->across = tiles_of(it->out_plane.w);
    it->tiles = it->in.n * it->across * tiles_of(it->out_plane.h);
    it->threads = context->device->threads;
    it->vec = cpu_of(context)->vec;
    it->chunk = chunk_of(it);
    return it;
}

/* Numbers from one vector of a form to the next; the vector more keeps them from meeting in the
 * same lines of the cache. */
static size_t tile_step(const struct winograd *it, const struct blocked *of) {
    return (size_t)(of->blocks * it->chunk + 1) * (size_t)of->lanes;
}

/* Input channels of the forms of weights; their gradients are made in whole blocks. */
static size_t weight_inputs(const struct winograd *it) {
    bool sums = it->direction == DNN_BACKWARD_WEIGHTS;
    return (size_t)(sums ? it->in.blocks * it->in.lanes : it->in.channels);
}

/* The same of weights, which lie as [out.blocks][inputs][lanes]. */
static size_t weight_step(const struct winograd *it) {
    return ((size_t)it->out.blocks * weight_inputs(it) + 1) * (size_t)it->in.lanes;
}

static size_t tiles_floats(const struct winograd *it) {
    return (size_t)it->numbers * (tile_step(it, &it->in) + tile_step(it, &it->out));
}

static size_t weight_floats(const struct winograd *it) {
    return WINOGRAD_NUMBERS * weight_step(it);
}

/* Forms of weights in the workspace: each thread has sums of its own. */
static size_t forms_floats(const struct winograd *it) {
    if (it->direction == DNN_BACKWARD_WEIGHTS)
        return weight_floats(it) * (size_t)it->threads;
    return it->kept ? 0 : weight_floats(it);
}

static enum status winograd_create(const struct kernel_context *context,
                                   const struct dnn_problem *problem, void **state,
                                   size_t *workspace_bytes, struct error *err) {
    struct winograd *it = *state = describe(context, problem);
    enum status status = STATUS_OK;
    if (problem->constant_weight)
        status = mem_alloc_large(&it->kept, weight_floats(it) * sizeof(float),
                                 "weights of a convolution", err);
    *workspace_bytes = (forms_floats(it) + tiles_floats(it) * (size_t)it->threads) * sizeof(float);
    return status;
}

static void winograd_free(void *state) {
    struct winograd *it = state;
    kept_release(it->kept);
    free(it);
}

/* --- a run --- */

struct job {
    const struct winograd *it;
    const struct vec_kernels *vec;
    vec_tile_fn *tile_in, *tile_out;
    const void *in, *residual; /* x; of its gradient: dy */
    const void *dy;            /* of weights' gradients */
    void *out;
    const float *weight, *bias;
    float *dweight;
    float *tiles; /* forms of both sides of a chunk, for each thread */
    float *forms; /* of weights; of their gradients one set for each share of the tiles */
    enum activation act;
};

/* Where tile number i lies in a plane of its picture, of in or out. */
static struct vec_tile tile_of(const struct winograd *it, const struct blocked *of, int block,
                               int i) {
    int picture = it->tiles / it->in.n, n = i / picture, at = i % picture;
    struct plane plane = of == &it->in ? it->in_plane : it->out_plane;
    int side = of == &it->in ? WINOGRAD_SIDE * it->stride : WINOGRAD_SIDE;
    return (struct vec_tile){.at = blocked_at(of, n, block),
                             .h = plane.h,
                             .w = plane.w,
                             .row = at / it->across * side,
                             .column = at % it->across * side,
                             .step = tile_step(it, of)};
}

/* Place of a tile of the chunk among the vectors with the same number of their forms. */
static size_t form_at(const struct winograd *it, int block, int i) {
    return (size_t)(block * it->chunk + i) * (size_t)it->in.lanes;
}

static void transform_in(const struct job *job, float *forms, int first, int i) {
    const struct winograd *it = job->it;
    for (int block = 0; block < it->in.blocks; block++) {
        struct vec_tile tile = tile_of(it, &it->in, block, first + i);
        tile.x = job->in;
        tile.form = forms + form_at(it, block, i);
        job->tile_in(&tile);
    }
}

static void transform_out(const struct job *job, float *forms, int first, int i) {
    const struct winograd *it = job->it;
    float bias[VEC_MAX_LANES] = {0};
    for (int block = 0; block < it->out.blocks; block++) {
        struct vec_tile tile = tile_of(it, &it->out, block, first + i);
        tile.form = forms + form_at(it, block, i);
        tile.y = job->out;
        tile.residual = job->residual;
        tile.act = job->act;
        tile.bias = bias;
        int width = blocked_width(&it->out, block);
        for (int lane = 0; lane < it->out.lanes; lane++)
            bias[lane] = job->bias && lane < width ? job->bias[block * it->out.lanes + lane] : 0;
        job->tile_out(&tile);
    }
}

/* Sums over channels of one number of all tiles with one of weights. */
static void multiply(const struct job *job, const float *in, float *out, int number, int weight,
                     int count) {
    const struct winograd *it = job->it;
    size_t lanes = (size_t)it->in.lanes;
    struct vec_pointwise vec = {.x = in + (size_t)number * tile_step(it, &it->in),
                                .x_block = form_at(it, 1, 0),
                                .last = it->in.channels,
                                .y = out + (size_t)number * tile_step(it, &it->out)};
    for (int block = 0; block < it->out.blocks; block++) {
        vec.weight = job->forms + (size_t)weight * weight_step(it) +
                     (size_t)block * weight_inputs(it) * lanes;
        job->vec->pointwise[0](&vec, form_at(it, block, 0), count);
    }
}

/* Those numbers of tiles that one of weights meets; the last of a row or column meets all others.
 */
static void multiply_with(const struct job *job, const float *in, float *out, int weight,
                          int count) {
    const int last = WINOGRAD_TAPS - 1, side = job->it->side;
    int row = weight / WINOGRAD_TAPS, first = weight % WINOGRAD_TAPS;
    int row_end = row == last ? side : row + 1, end = first == last ? side : first + 1;
    for (; row < row_end; row++)
        for (int column = first; column < end; column++)
            multiply(job, in, out, row * side + column, weight, count);
}

static void run_chunk(const struct job *job, float *in, int chunk) {
    const struct winograd *it = job->it;
    float *out = in + (size_t)it->numbers * tile_step(it, &it->in);
    int first = chunk * it->chunk, rest = it->tiles - first;
    int count = rest < it->chunk ? rest : it->chunk;
    for (int i = 0; i < count; i++)
        transform_in(job, in, first, i);
    for (int weight = 0; weight < WINOGRAD_NUMBERS; weight++)
        multiply_with(job, in, out, weight, count);
    for (int i = 0; i < count; i++)
        transform_out(job, out, first, i);
}

static void run_chunks(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int i = begin; i < end; i++)
        run_chunk(job, job->tiles + parallel_worker() * tiles_floats(job->it), i);
}

/* --- weights --- */

/* Blocks of outputs and of channels of the weights, whatever the direction. */
static int taps_blocks(int channels, int lanes) {
    return (channels + lanes - 1) / lanes;
}

static struct vec_taps taps_of(const struct job *job, int k, int c) {
    const struct winograd *it = job->it;
    bool turned = it->direction == DNN_BACKWARD_DATA;
    int lanes = it->in.lanes, in = turned ? k : c, out = turned ? c : k;
    size_t at = (size_t)out / (size_t)lanes * weight_inputs(it) + (size_t)in;
    return (struct vec_taps){.weight = job->weight,
                             .dweight = job->dweight,
                             .outputs = it->weight.n,
                             .channels = it->weight.c,
                             .turned = turned,
                             .form = job->forms + at * (size_t)lanes,
                             .step = weight_step(it),
                             .forms = it->threads,
                             .next = weight_floats(it)};
}

static void for_taps(const struct job *job, int begin, int end,
                     void (*run)(const struct vec_taps *taps, int k, int c)) {
    int lanes = job->it->in.lanes, across = taps_blocks(job->it->weight.c, lanes);
    for (int i = begin; i < end; i++) {
        int k = i / across * lanes, c = i % across * lanes;
        struct vec_taps taps = taps_of(job, k, c);
        run(&taps, k, c);
    }
}

static void transform_weights(const void *context, int begin, int end) {
    const struct job *job = context;
    for_taps(job, begin, end, job->it->stride == 2 ? job->vec->taps_in_2 : job->vec->taps_in);
}

static void transform_sums(const void *context, int begin, int end) {
    const struct job *job = context;
    for_taps(job, begin, end, job->vec->taps_out);
}

static void run_taps(const struct job *job, parallel_task_fn *task) {
    const struct winograd *it = job->it;
    int lanes = it->in.lanes;
    int blocks = taps_blocks(it->weight.n, lanes) * taps_blocks(it->weight.c, lanes);
    parallel_run(it->threads, blocks, weight_floats(it), task, job);
}

/* --- forward, and the gradient of x --- */

/* Numbers that take as long as this to pass over. */
static size_t work_of(const struct winograd *it) {
    return (size_t)it->tiles * (size_t)it->in.channels * (size_t)it->out.channels;
}

static struct job job_of(const struct winograd *it, const struct kernel_args *args) {
    float *workspace = args->workspace;
    struct job job = {.it = it, .vec = it->vec, .forms = it->kept ? it->kept : workspace};
    bool twos = it->stride == 2;
    job.tile_in = twos ? it->vec->tile_in_2 : it->vec->tile_in[it->in.bf16];
    job.tile_out = twos ? it->vec->tile_out_2 : it->vec->tile_out[it->out.bf16];
    job.tiles = workspace + forms_floats(it);
    return job;
}

static void run_data(const struct winograd *it, const struct kernel_args *args) {
    struct job job = job_of(it, args);
    bool forward = it->direction == DNN_FORWARD;
    job.in = args->in[0];
    job.out = args->out[0];
    job.weight = args->in[1];
    if (forward) {
        job.bias = args->in[2];
        job.residual = args->in[3];
        job.act = args->context->op->attr.conv.act;
    }
    if (!it->kept)
        run_taps(&job, transform_weights);
    parallel_share(it->threads, (it->tiles + it->chunk - 1) / it->chunk, work_of(it), run_chunks,
                   &job);
}

/* --- gradient of the weights --- */

static void transform_dy(const struct job *job, float *forms, int first, int i) {
    const struct winograd *it = job->it;
    for (int block = 0; block < it->out.blocks; block++) {
        struct vec_tile tile = tile_of(it, &it->out, block, first + i);
        tile.x = job->dy;
        tile.form = forms + form_at(it, block, i);
        job->vec->tile_spread[it->out.bf16](&tile);
    }
}

/* Adds the sums over some tiles, of one number of the forms. */
static void add_products(const struct job *job, const float *in, float *sums, int number,
                         int count) {
    const struct winograd *it = job->it;
    size_t lanes = (size_t)it->in.lanes, square = lanes * lanes;
    const float *dy = in + WINOGRAD_NUMBERS * tile_step(it, &it->in);
    struct vec_products products = {.x = in + (size_t)number * tile_step(it, &it->in),
                                    .dy = dy + (size_t)number * tile_step(it, &it->out),
                                    .n = form_at(it, 0, count)};
    sums += (size_t)number * weight_step(it);
    for (int block = 0; block < it->out.blocks; block++)
        for (int c = 0; c < it->in.blocks; c++, sums += square) {
            products.dy_at = form_at(it, block, 0);
            products.x_at = form_at(it, c, 0);
            job->vec->pointwise_dw[0](&products, sums);
        }
}

/* A share of the tiles. Sums are the same whichever thread makes them. */
static void sum_share(const struct job *job, float *in, int share) {
    const struct winograd *it = job->it;
    float *sums = job->forms + (size_t)share * weight_floats(it);
    float *dy = in + WINOGRAD_NUMBERS * tile_step(it, &it->in);
    int first = (int)((long)it->tiles * share / it->threads);
    int end = (int)((long)it->tiles * (share + 1) / it->threads);
    memset(sums, 0, weight_floats(it) * sizeof *sums);
    for (; first < end; first += it->chunk) {
        int count = end - first < it->chunk ? end - first : it->chunk;
        for (int i = 0; i < count; i++) {
            transform_in(job, in, first, i);
            transform_dy(job, dy, first, i);
        }
        for (int number = 0; number < WINOGRAD_NUMBERS; number++)
            add_products(job, in, sums, number, count);
    }
}

static void sum_shares(const void *context, int begin, int end) {
    const struct job *job = context;
    for (int i = begin; i < end; i++)
        sum_share(job, job->tiles + parallel_worker() * tiles_floats(job->it), i);
}

static void run_weights(const struct winograd *it, const struct kernel_args *args) {
    struct job job = job_of(it, args);
    job.in = args->in[1];
    job.dy = args->in[0];
    job.dweight = args->out[0];
    parallel_run(it->threads, it->threads, work_of(it), sum_shares, &job);
    run_taps(&job, transform_sums);
}

static void winograd_refresh(void *state, const struct kernel_args *args) {
    struct winograd *it = state;
    struct job job = {.it = it, .vec = it->vec, .weight = args->in[1], .forms = it->kept};
    run_taps(&job, transform_weights);
    it->kept = kept_share(args->context->device, it->kept, weight_floats(it) * sizeof(float));
}

static void winograd_run(void *state, const struct kernel_args *args) {
    const struct winograd *it = state;
    (it->direction == DNN_BACKWARD_WEIGHTS ? run_weights : run_data)(it, args);
}

const struct conv_way conv_winograd = {.fits = winograd_fits,
                                       .create = winograd_create,
                                       .refresh = winograd_refresh,
                                       .run = winograd_run,
                                       .free = winograd_free};
