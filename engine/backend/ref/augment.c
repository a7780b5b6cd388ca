#include "engine/backend/ref/ref_internal.h"

#include "engine/graph/augment_draw.h"

#include <string.h>

void ref_gather(const struct kernel_args *args) {
    struct shape shape = context_out(args->context, 0)->shape;
    size_t bytes = (size_t)shape.h * shape.w * shape.c;
    const uint8_t *images = args->in[0];
    const int32_t *labels = args->in[1], *order = args->in[2];
    int64_t count = context_in(args->context, 2)->shape.n;
    uint8_t *image = args->out[0];
    int32_t *label = args->out[1], *index = args->out[2];
    for (int row = 0; row < shape.n; row++, image += bytes) {
        int64_t place = (int64_t)args->step->first + row;
        bool inside = place < count;
        int32_t from = inside ? order[place] : 0;
        if (inside)
            memcpy(image, images + (size_t)from * bytes, bytes);
        else
            memset(image, 0, bytes);
        label[row] = inside ? labels[from] : 0;
        if (index)
            index[row] = from;
    }
}

void ref_normalize(const struct kernel_args *args) {
    const struct normalize_attr *attr = &args->context->op->attr.normalize;
    struct shape shape = context_out(args->context, 0)->shape;
    int64_t pixels = shape_elements(shape) / shape.c;
    const uint8_t *x = args->in[0];
    float *y = args->out[0];
    for (int64_t i = 0; i < pixels; i++)
        for (int c = 0; c < shape.c; c++)
            *y++ = (float)((*x++ / 255.0 - attr->mean[c]) / attr->deviation[c]);
}

static void augment_picture(const uint8_t *x, uint8_t *y, struct shape shape, int padding,
                            const struct augment_draw *draw) {
    for (int r = 0; r < shape.h; r++)
        for (int c = 0; c < shape.w; c++, y += shape.c) {
            int h = r + draw->dy - padding;
            int w = (draw->flip ? shape.w - 1 - c : c) + draw->dx - padding;
            if (h < 0 || h >= shape.h || w < 0 || w >= shape.w)
                memset(y, 0, (size_t)shape.c);
            else
                memcpy(y, x + ((size_t)h * shape.w + w) * shape.c, (size_t)shape.c);
        }
}

void ref_augment(const struct kernel_args *args) {
    const struct augment_attr *attr = &args->context->op->attr.augment;
    struct shape shape = context_out(args->context, 0)->shape;
    size_t picture_bytes = (size_t)shape.h * shape.w * shape.c;
    const uint8_t *x = args->in[0];
    const int32_t *index = args->in[1];
    uint8_t *y = args->out[0];
    for (int n = 0; n < shape.n; n++) {
        struct augment_draw draw = augment_draw(args->step->data_seed, (uint32_t)index[n],
                                                args->step->epoch, attr->padding, attr->flip);
        augment_picture(x + n * picture_bytes, y + n * picture_bytes, shape, attr->padding, &draw);
    }
}
