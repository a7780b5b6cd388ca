/* Pictures, maps element by element, copies of channels. */
#include "engine/backend/cuda/kernels/device.cuh"

#include "engine/graph/augment_draw.h"
#include "engine/graph/program.h"

/* --- pictures --- */

/* An index that is not known in advance would move the array to local memory. */
__device__ static float one_of(const float (&x)[4], uint32_t i) {
    return i == 0 ? x[0] : i == 1 ? x[1] : i == 2 ? x[2] : x[3];
}

template <class T> __global__ void normalize(normalize_args args, T *y) {
    GRID_LOOP(i, args.extent.pixels * args.extent.channels) {
        uint32_t c = i % args.extent.channels;
        store(y[i], (args.x[i] / 255.0f - one_of(args.mean, c)) / one_of(args.deviation, c));
    }
}

extern "C" void launch_normalize(const struct queue *queue, const struct normalize_args *args) {
    unsigned blocks = loop_blocks(queue, args->extent.pixels * args->extent.channels);
    if (args->y.bf16)
        LAUNCH(normalize<bf16>, blocks, BLOCK, queue, *args, (bf16 *)args->y.data);
    else
        LAUNCH(normalize<float>, blocks, BLOCK, queue, *args, (float *)args->y.data);
}

__global__ void augment(augment_args args) {
    const struct step *step = (const struct step *)args.step;
    GRID_LOOP(pixel, (uint32_t)(args.n * args.h * args.w)) {
        int n = pixel / (args.h * args.w), r = pixel / args.w % args.h, q = pixel % args.w;
        struct augment_draw draw = augment_draw(step->data_seed, (uint32_t)args.index[n],
                                                step->epoch, args.padding, args.flip);
        int h = r + draw.dy - args.padding;
        int w = (draw.flip ? args.w - 1 - q : q) + draw.dx - args.padding;
        bool inside = h >= 0 && h < args.h && w >= 0 && w < args.w;
        const uint8_t *from = args.x + ((size_t)(n * args.h + h) * args.w + w) * args.c;
        for (int c = 0; c < args.c; c++)
            args.y[(size_t)pixel * args.c + c] = inside ? from[c] : 0;
    }
}

extern "C" void launch_augment(const struct queue *queue, const struct augment_args *args) {
    unsigned blocks = loop_blocks(queue, (uint32_t)(args->n * args->h * args->w));
    LAUNCH(augment, blocks, BLOCK, queue, *args);
}

/* --- maps --- */

template <class T, int V> __global__ void scale_act(map_args args) {
    GRID_LOOP(i, args.extent.pixels * args.extent.channels / V) {
        uint32_t c = i * V % args.extent.channels;
        float x[V], scale[V] = {0}, shift[V] = {0};
        load_pack(x, (const T *)args.x.data + i * V);
        if (args.scale) {
            load_pack(scale, args.scale + c);
            load_pack(shift, args.shift + c);
        }
#pragma unroll
        for (int v = 0; v < V; v++)
            x[v] = activate(args.scale ? fmaf(x[v], scale[v], shift[v]) : x[v], args.act);
        store_pack((T *)args.y.data + i * V, x);
    }
}

extern "C" void launch_scale_act(const struct queue *queue, const struct map_args *args) {
    with_type(args->x.bf16, args->extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        unsigned blocks = loop_blocks(queue, args->extent.pixels * args->extent.channels / V);
        LAUNCH((scale_act<T, V>), blocks, BLOCK, queue, *args);
    });
}

template <class T, int V> __global__ void add(map_args args) {
    GRID_LOOP(i, args.extent.pixels * args.extent.channels / V) {
        float a[V], b[V];
        load_pack(a, (const T *)args.x.data + i * V);
        load_pack(b, (const T *)args.b.data + i * V);
#pragma unroll
        for (int v = 0; v < V; v++)
            a[v] += b[v];
        store_pack((T *)args.y.data + i * V, a);
    }
}

extern "C" void launch_add(const struct queue *queue, const struct map_args *args) {
    with_type(args->x.bf16, args->extent.channels, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int V = decltype(type)::width;
        unsigned blocks = loop_blocks(queue, args->extent.pixels * args->extent.channels / V);
        LAUNCH((add<T, V>), blocks, BLOCK, queue, *args);
    });
}

/* --- copies --- */

template <int V, class From, class To>
__device__ static void move_rows(const struct reorder &of, const From *x, To *y) {
    uint32_t width = (uint32_t)of.y_channels / V;
    GRID_LOOP(i, of.rows * width) {
        uint32_t row = i / width, c = i % width * V;
        float numbers[V] = {0};
        if (c < (uint32_t)of.x_channels)
            load_pack(numbers, x + row * of.x_channels + c);
        store_pack(y + row * of.y_channels + c, numbers);
    }
}

template <int V> __device__ static void move_rows(const struct reorder &of) {
    if (of.x.bf16 && of.y.bf16)
        move_rows<V>(of, (const bf16 *)of.x.data, (bf16 *)of.y.data);
    else if (of.x.bf16)
        move_rows<V>(of, (const bf16 *)of.x.data, (float *)of.y.data);
    else
        move_rows<V>(of, (const float *)of.x.data, (bf16 *)of.y.data);
}

struct reorder_list {
    struct reorder at[LAUNCH_TOGETHER];
};

/* An array for each y of the grid. */
__global__ void reorders(reorder_list list) {
    const struct reorder &of = list.at[blockIdx.y];
    if ((of.x_channels | of.y_channels) % 4 == 0)
        move_rows<4>(of);
    else
        move_rows<1>(of);
}

/* Where rows keep their length they are one. */
static struct reorder as_one_row(struct reorder of) {
    if (of.x_channels == of.y_channels) {
        of.x_channels = of.y_channels = (int)(of.rows * (uint32_t)of.x_channels);
        of.rows = of.rows > 0;
    }
    return of;
}

extern "C" void launch_reorders(const struct queue *queue, const struct reorder *of, int count) {
    struct reorder_list list;
    uint32_t largest = 0;
    for (int i = 0; i < count; i++) {
        uint32_t packs = of[i].rows * (uint32_t)of[i].y_channels / 4;
        list.at[i] = as_one_row(of[i]);
        largest = packs > largest ? packs : largest;
    }
    unsigned blocks = loop_blocks(queue, largest), most = loop_blocks(queue, UINT32_MAX - BLOCK);
    unsigned each = most / (unsigned)count + 1; /* no more than what fills the device */
    LAUNCH(reorders, dim3(blocks < each ? blocks : each, (unsigned)count), BLOCK, queue, list);
}

/* V neighbours at a time; those of a shuffle (groups > 1) come from different places. */
template <int V, class From, class To>
__global__ void channels(channels_args args, const From *x, To *y) {
    uint32_t width = (uint32_t)args.count / V, each = args.count / args.groups;
    GRID_LOOP(i, args.pixels * width) {
        uint32_t pixel = i / width, c = i % width * V;
        uint32_t from = V > 1 ? c : c % args.groups * each + c / args.groups;
        float numbers[V];
        load_pack(numbers, x + pixel * args.x_channels + args.first_x + from);
        store_pack(y + pixel * args.y_channels + args.first_y + c, numbers);
    }
}

extern "C" void launch_channels(const struct queue *queue, const struct channels_args *args) {
    int all = args->x_channels | args->y_channels | args->first_x | args->first_y | args->count |
              (args->groups > 1);
    with_types(args->x, args->y, [&](auto from, auto to) {
        uint32_t count = args->pixels * (uint32_t)args->count;
        if (all % 4 == 0)
            LAUNCH(channels<4>, loop_blocks(queue, count / 4), BLOCK, queue, *args, from, to);
        else if (all % 2 == 0)
            LAUNCH(channels<2>, loop_blocks(queue, count / 2), BLOCK, queue, *args, from, to);
        else
            LAUNCH(channels<1>, loop_blocks(queue, count), BLOCK, queue, *args, from, to);
    });
}
