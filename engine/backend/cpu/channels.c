/*
 * Concat, shuffle and split of blocked tensors: each moves whole channels. One kernel does any of
 * them, or those that follow each other, in one pass: groups of as many pixels as there are lanes
 * become rows, one a channel, and blocks of the outputs are put together from rows. Groups are
 * taken by tiles, because memory likes long runs of a plane.
 */
#include "engine/backend/cpu/cpu_internal.h"

#include <string.h>

enum { TILE_GROUPS = 16 };

/* Inputs a and b, put behind each other, shuffled in groups, cut into one or two outputs. */
struct job {
    const struct vec_kernels *vec;
    const void *in[2];
    void *out[2];
    struct blocked from[2], to[2]; /* without blocks: absent */
    size_t lanes, pixels;          /* pixels of a picture */
    int groups, tiles;             /* groups of a tile, tiles of a picture */
    int *row;                      /* [channels of the outputs]: the row that each is made of */
    uint32_t *rows;                /* [threads][tile_rows][lanes] */
};

/* Rows of a group: channels of the inputs, padding included. */
static size_t group_rows(const struct job *job) {
    return (size_t)(job->from[0].blocks + job->from[1].blocks) * job->lanes;
}

/* Those of all groups of a tile, and one of zeros. */
static size_t tile_rows(const struct job *job) {
    return (size_t)job->groups * group_rows(job) + 1;
}

static struct job job_of(const struct kernel_context *context) {
    const struct op *op = context->op;
    struct job job = {.vec = cpu_of(context)->vec};
    for (int i = 0; i < 2 && op->in[i] != NO_VALUE; i++)
        job.from[i] = blocked_of(context, context_in(context, i));
    for (int i = 0; i < 2 && op->out[i] != NO_VALUE; i++)
        job.to[i] = blocked_of(context, context_out(context, i));
    job.lanes = (size_t)job.vec->lanes;
    job.pixels = job.from[0].plane / job.lanes;
    int groups = (int)((job.pixels + job.lanes - 1) / job.lanes);
    job.groups = groups < TILE_GROUPS ? groups : TILE_GROUPS;
    job.tiles = (groups + job.groups - 1) / job.groups;
    return job;
}

size_t cpu_channels_workspace(const struct kernel_context *context) {
    struct job job = job_of(context);
    size_t rows = (size_t)context->device->threads * tile_rows(&job);
    return rows * job.lanes * sizeof *job.rows + group_rows(&job) * sizeof *job.row;
}

/* Says which row becomes which channel: channel k of a shuffle comes from k / g of group k % g. */
static void find_rows(struct job *job, int groups) {
    int first = job->from[0].channels, channels = first + job->from[1].channels;
    for (int k = 0; k < channels; k++) {
        int c = k % groups * (channels / groups) + k / groups;
        job->row[k] = c < first ? c : job->from[0].blocks * (int)job->lanes + c - first;
    }
}

/* The groups of pixels first..end-1 of a picture. */
struct tile {
    int n;
    size_t first, end;
    uint32_t *rows;
};

static int width_of(const struct job *job, const struct tile *tile, size_t pixel) {
    size_t rest = tile->end - pixel;
    return (int)(rest < job->lanes ? rest : job->lanes);
}

/* A block of an input, which lies from row first on in each group. */
static void read_block(const struct job *job, const struct tile *tile, int in, int block,
                       size_t first) {
    const struct blocked *from = &job->from[in];
    uint32_t *rows = tile->rows + first * job->lanes;
    size_t at = blocked_at(from, tile->n, block);
    for (size_t i = tile->first; i < tile->end; i += job->lanes) {
        job->vec->rows_in[from->bf16](job->in[in], at + i * job->lanes, width_of(job, tile, i),
                                      rows);
        rows += group_rows(job) * job->lanes;
    }
}

/* A block of an output, whose channels are made of the rows that index names. */
static void write_block(const struct job *job, const struct tile *tile, int out, int block,
                        const int *index) {
    const struct blocked *to = &job->to[out];
    const uint32_t *row[VEC_MAX_LANES], *zeros = tile->rows + (tile_rows(job) - 1) * job->lanes;
    size_t at = blocked_at(to, tile->n, block), group = 0;
    int width = blocked_width(to, block);
    for (size_t i = tile->first; i < tile->end; i += job->lanes, group += group_rows(job)) {
        for (int lane = 0; lane < to->lanes; lane++)
            row[lane] =
                lane < width ? tile->rows + (group + (size_t)index[lane]) * job->lanes : zeros;
        job->vec->rows_out[to->bf16](row, job->out[out], at + i * job->lanes,
                                     width_of(job, tile, i));
    }
}

static void move_tile(const struct job *job, const struct tile *tile) {
    size_t first = 0;
    const int *index = job->row;
    memset(tile->rows + (tile_rows(job) - 1) * job->lanes, 0, job->lanes * sizeof *tile->rows);
    for (int i = 0; i < 2; i++)
        for (int block = 0; block < job->from[i].blocks; block++, first += job->lanes)
            read_block(job, tile, i, block, first);
    for (int i = 0; i < 2; i++)
        for (int block = 0; block < job->to[i].blocks; block++) {
            write_block(job, tile, i, block, index);
            index += blocked_width(&job->to[i], block);
        }
}

static void move_tiles(const void *context, int begin, int end) {
    const struct job *job = context;
    size_t most = (size_t)job->groups * job->lanes;
    for (int i = begin; i < end; i++) {
        size_t first = (size_t)(i % job->tiles) * most, rest = job->pixels - first;
        struct tile tile = {.n = i / job->tiles,
                            .first = first,
                            .end = first + (rest < most ? rest : most),
                            .rows = job->rows + parallel_worker() * tile_rows(job) * job->lanes};
        move_tile(job, &tile);
    }
}

void cpu_channels(const struct kernel_args *args) {
    const struct kernel_context *context = args->context;
    int threads = context->device->threads, groups = context->op->attr.channel.groups;
    struct job job = job_of(context);
    for (int i = 0; i < 2; i++) {
        job.in[i] = args->in[i];
        job.out[i] = args->out[i];
    }
    job.rows = args->workspace;
    job.row = (int *)(job.rows + (size_t)threads * tile_rows(&job) * job.lanes);
    find_rows(&job, groups > 0 ? groups : 1);
    parallel_run(threads, job.from[0].n * job.tiles,
                 blocked_count(&job.from[0]) + blocked_count(&job.from[1]), move_tiles, &job);
}

/* --- merging --- */

/* Is the op's only output read by the next op alone, and has this the code? */
static bool leads_to(const struct program *program, int index, enum opcode code) {
    if (index + 1 == program->n_ops)
        return false;
    const struct op *op = &program->op[index], *next = op + 1;
    const struct value *between = &program->value[op->out[0]];
    return next->code == code && next->section == op->section && next->in[0] == op->out[0] &&
           between->kind == VALUE_ACTIVATION && between->last == index + 1;
}

int cpu_merge(const struct program *program, int index, struct op *merged) {
    int last = index;
    if (merged->code == OP_CONCAT && leads_to(program, last, OP_CHANNEL_SHUFFLE))
        merged->attr.channel.groups = program->op[++last].attr.channel.groups;
    if (program->op[last].code == OP_CHANNEL_SHUFFLE && leads_to(program, last, OP_SPLIT))
        last++;
    memcpy(merged->out, program->op[last].out, sizeof merged->out);
    return last - index + 1;
}
