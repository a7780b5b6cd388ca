/* Batches out of a data set that stays in the device's memory. */
#include "engine/backend/cuda/kernels/device.cuh"

#include "engine/graph/program.h"

/* T is a part of a picture, of which it has so many. */
template <class T> __global__ void gather(gather_args args, uint32_t parts) {
    const struct step *step = (const struct step *)args.step;
    GRID_LOOP(i, args.batch * parts) {
        uint32_t row = i / parts, part = i % parts, place = (uint32_t)step->first + row;
        bool inside = place < args.count;
        int32_t from = inside ? args.order[place] : 0;
        ((T *)args.image)[i] = inside ? ((const T *)args.images)[(size_t)from * parts + part] : T();
        if (part > 0)
            continue;
        args.label[row] = inside ? args.labels[from] : 0;
        if (args.index)
            args.index[row] = from;
    }
}

template <class T> static void launch_parts(const struct queue *queue, const gather_args &args) {
    uint32_t parts = args.picture_bytes / sizeof(T);
    LAUNCH(gather<T>, loop_blocks(queue, args.batch * parts), BLOCK, queue, args, parts);
}

extern "C" void launch_gather(const struct queue *queue, const struct gather_args *args) {
    if (args->picture_bytes % PACK_BYTES == 0)
        launch_parts<pack<uint32_t, 4>>(queue, *args);
    else
        launch_parts<uint8_t>(queue, *args);
}
