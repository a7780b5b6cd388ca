#include "engine/backend/cuda/cuda_internal.h"

void cuda_gather(const struct kernel_args *args) {
    struct shape shape = context_out(args->context, 0)->shape;
    struct gather_args launch = {.images = args->in[0],
                                 .labels = args->in[1],
                                 .order = args->in[2],
                                 .image = args->out[0],
                                 .label = args->out[1],
                                 .index = args->out[2],
                                 .step = cuda_of(args->context)->step,
                                 .batch = (uint32_t)shape.n,
                                 .count = (uint32_t)context_in(args->context, 2)->shape.n,
                                 .picture_bytes = (uint32_t)(shape.h * shape.w * shape.c)};
    launch_gather(queue_of(args), &launch);
}
