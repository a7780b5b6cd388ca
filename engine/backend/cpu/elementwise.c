#include "engine/backend/cpu/cpu_internal.h"

#include "engine/base/mem.h"

/* --- between blocked tensors, and to and from PLAIN ones --- */

/* One pass over the planes of a blocked tensor. */
struct planes {
    const struct vec_kernels *vec;
    struct blocked blocked;
    const void *a, *b;
    void *y;
    void *plain;     /* [n][pixels][channels], f32 ... */
    bool plain_bf16; /* ... or bf16 */
};

static struct planes planes_of(const struct kernel_args *args, const struct value *value) {
    return (struct planes){.vec = cpu_of(args->context)->vec,
                           .blocked = blocked_of(args->context, value)};
}

static void for_planes(const struct kernel_args *args, const struct planes *planes,
                       parallel_task_fn *task) {
    parallel_run(args->context->device->threads, planes->blocked.n * planes->blocked.blocks,
                 blocked_count(&planes->blocked), task, planes);
}

/* Where the channels of plane item are in a PLAIN tensor of so many pixels. */
static size_t plain_at(const struct planes *planes, int item, size_t pixels) {
    const struct blocked *blocked = &planes->blocked;
    size_t n = (size_t)(item / blocked->blocks), block = (size_t)(item % blocked->blocks);
    return n * pixels * (size_t)blocked->channels + block * (size_t)blocked->lanes;
}

static int width_at(const struct planes *planes, int item) {
    return blocked_width(&planes->blocked, item % planes->blocked.blocks);
}

static void add_planes(const void *context, int begin, int end) {
    const struct planes *it = context;
    size_t plane = it->blocked.plane;
    it->vec->add[it->blocked.bf16](it->a, it->b, it->y, (size_t)begin * plane,
                                   (size_t)(end - begin) * plane);
}

void cpu_add(const struct kernel_args *args) {
    struct planes planes = planes_of(args, context_out(args->context, 0));
    planes.a = args->in[0];
    planes.b = args->in[1];
    planes.y = args->out[0];
    for_planes(args, &planes, add_planes);
}

static void pool_planes(const void *context, int begin, int end) {
    const struct planes *it = context;
    for (int i = begin; i < end; i++) {
        float mean[VEC_MAX_LANES], *out = (float *)it->plain + plain_at(it, i, 1);
        it->vec->pool_mean[it->blocked.bf16](it->a, (size_t)i * it->blocked.plane,
                                             it->blocked.plane, mean);
        for (int lane = 0; lane < width_at(it, i); lane++)
            out[lane] = mean[lane];
    }
}

void cpu_global_pool(const struct kernel_args *args) {
    struct planes planes = planes_of(args, context_in(args->context, 0));
    planes.a = args->in[0];
    planes.plain = args->out[0];
    for_planes(args, &planes, pool_planes);
}

static void fill_planes(const void *context, int begin, int end) {
    const struct planes *it = context;
    size_t plane = it->blocked.plane, count = plane / (size_t)it->blocked.lanes;
    float pixels = (float)count;
    for (int i = begin; i < end; i++) {
        float value[VEC_MAX_LANES] = {0}, *in = (float *)it->plain + plain_at(it, i, 1);
        for (int lane = 0; lane < width_at(it, i); lane++)
            value[lane] = in[lane] / pixels;
        it->vec->pool_fill[it->blocked.bf16](it->y, (size_t)i * plane, plane, value);
    }
}

void cpu_global_pool_bwd(const struct kernel_args *args) {
    struct planes planes = planes_of(args, context_out(args->context, 0));
    planes.plain = args->in[0];
    planes.y = args->out[0];
    for_planes(args, &planes, fill_planes);
}

static struct vec_pixels pixels_of(const struct planes *planes, int item) {
    size_t pixels = planes->blocked.plane / (size_t)planes->blocked.lanes;
    size_t at = plain_at(planes, item, pixels) * (planes->plain_bf16 ? 2 : sizeof(float));
    return (struct vec_pixels){(char *)planes->plain + at, planes->blocked.channels,
                               width_at(planes, item), planes->plain_bf16};
}

static void block_planes(const void *context, int begin, int end) {
    const struct planes *it = context;
    size_t plane = it->blocked.plane;
    for (int i = begin; i < end; i++) {
        struct vec_pixels pixels = pixels_of(it, i);
        it->vec->block_in[it->blocked.bf16](&pixels, it->y, (size_t)i * plane, plane);
    }
}

static void unblock_planes(const void *context, int begin, int end) {
    const struct planes *it = context;
    size_t plane = it->blocked.plane;
    for (int i = begin; i < end; i++) {
        struct vec_pixels pixels = pixels_of(it, i);
        it->vec->block_out[it->blocked.bf16](&pixels, it->a, (size_t)i * plane, plane);
    }
}

void cpu_reorder(const struct kernel_args *args) {
    struct planes planes = planes_of(args, context_in(args->context, 0));
    enum format from = args->context->in[0], to = args->context->out[0];
    bool blocks = to == FORMAT_NATIVE;
    if (!blocks && from != FORMAT_NATIVE) {
        cpu_convert_rows(args);
        return;
    }
    planes.plain_bf16 = from == FORMAT_ROWS || to == FORMAT_ROWS;
    planes.a = args->in[0];
    planes.y = args->out[0];
    planes.plain = blocks ? args->in[0] : args->out[0];
    for_planes(args, &planes, blocks ? block_planes : unblock_planes);
}

/* --- pictures --- */

/* What each byte becomes in each channel. */
struct normalize_table {
    float of[4][256];
};

struct normalize_job {
    const struct normalize_table *table;
    const uint8_t *x;
    float *y;
    size_t pixels; /* of a picture */
    int channels;
};

enum status cpu_normalize_prepare(const struct kernel_context *context, void **state,
                                  size_t *workspace_bytes, struct error *err) {
    const struct normalize_attr *attr = &context->op->attr.normalize;
    struct normalize_table *table = xcalloc(1, sizeof *table);
    (void)workspace_bytes;
    (void)err;
    for (int c = 0; c < context_in(context, 0)->shape.c; c++)
        for (int byte = 0; byte < 256; byte++)
            table->of[c][byte] =
                (float)((byte / 255.0 - (double)attr->mean[c]) / (double)attr->deviation[c]);
    *state = table;
    return STATUS_OK;
}

static void normalize_pictures(const void *context, int begin, int end) {
    const struct normalize_job *job = context;
    size_t channels = (size_t)job->channels, first = (size_t)begin * job->pixels * channels;
    const uint8_t *x = job->x + first;
    float *y = job->y + first;
    for (size_t i = 0; i < (size_t)(end - begin) * job->pixels; i++)
        for (size_t c = 0; c < channels; c++)
            *y++ = job->table->of[c][*x++];
}

void cpu_normalize(const struct kernel_args *args) {
    struct shape shape = context_out(args->context, 0)->shape;
    struct normalize_job job = {.table = args->state,
                                .x = args->in[0],
                                .y = args->out[0],
                                .pixels = (size_t)shape.h * (size_t)shape.w,
                                .channels = shape.c};
    parallel_run(args->context->device->threads, shape.n, (size_t)shape_elements(shape),
                 normalize_pictures, &job);
}
