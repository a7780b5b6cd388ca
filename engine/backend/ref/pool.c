#include "engine/backend/ref/ref_internal.h"

#include <math.h>
#include <string.h>

void ref_global_pool(const struct kernel_args *args) {
    struct shape shape = context_in(args->context, 0)->shape;
    const float *x = args->in[0];
    float *y = args->out[0];
    double *sum = args->workspace;
    int plane = shape.h * shape.w;
    for (int n = 0; n < shape.n; n++) {
        memset(sum, 0, (size_t)shape.c * sizeof *sum);
        for (int i = 0; i < plane; i++)
            for (int c = 0; c < shape.c; c++)
                sum[c] += *x++;
        for (int c = 0; c < shape.c; c++)
            *y++ = (float)(sum[c] / plane);
    }
}

void ref_global_pool_bwd(const struct kernel_args *args) {
    struct shape shape = context_out(args->context, 0)->shape;
    const float *dy = args->in[0];
    float *dx = args->out[0];
    int plane = shape.h * shape.w;
    for (int n = 0; n < shape.n; n++, dy += shape.c)
        for (int i = 0; i < plane; i++)
            for (int c = 0; c < shape.c; c++)
                *dx++ = (float)((double)dy[c] / plane);
}

/* --- windows --- */

/* The part of a window that lies inside of x. */
struct window {
    int h, h_end, w, w_end;
};

static struct window window_at(const struct pool_attr *attr, struct shape x, int h, int w) {
    int top = h * attr->stride - attr->pad, left = w * attr->stride - attr->pad;
    int bottom = top + attr->kernel, right = left + attr->kernel;
    return (struct window){top < 0 ? 0 : top, bottom > x.h ? x.h : bottom, left < 0 ? 0 : left,
                           right > x.w ? x.w : right};
}

/* Index of the first largest element in channel 0 of plane, or of the last that is no number. */
static size_t largest_at(const float *plane, struct shape x, const struct window *window) {
    size_t best = ((size_t)window->h * x.w + window->w) * x.c;
    for (int h = window->h; h < window->h_end; h++)
        for (int w = window->w; w < window->w_end; w++) {
            size_t at = ((size_t)h * x.w + w) * x.c;
            if (plane[at] > plane[best] || isnan(plane[at]))
                best = at;
        }
    return best;
}

static double mean_of(const float *plane, struct shape x, const struct window *window, int kernel) {
    double sum = 0;
    for (int h = window->h; h < window->h_end; h++)
        for (int w = window->w; w < window->w_end; w++)
            sum += plane[((size_t)h * x.w + w) * x.c];
    return sum / ((double)kernel * kernel);
}

void ref_pool(const struct kernel_args *args) {
    const struct pool_attr *attr = &args->context->op->attr.pool;
    struct shape x = context_in(args->context, 0)->shape;
    struct shape y = context_out(args->context, 0)->shape;
    size_t plane = (size_t)x.h * x.w * x.c;
    const float *from = args->in[0];
    float *to = args->out[0];
    for (int n = 0; n < y.n; n++, from += plane)
        for (int h = 0; h < y.h; h++)
            for (int w = 0; w < y.w; w++) {
                struct window window = window_at(attr, x, h, w);
                for (int c = 0; c < y.c; c++)
                    *to++ = attr->average ? (float)mean_of(from + c, x, &window, attr->kernel)
                                          : from[c + largest_at(from + c, x, &window)];
            }
}

/* Adds the gradient of one window to a channel's sums. */
static void spread(double *sum, struct shape x, const struct window *window, double each) {
    for (int h = window->h; h < window->h_end; h++)
        for (int w = window->w; w < window->w_end; w++)
            sum[((size_t)h * x.w + w) * x.c] += each;
}

size_t ref_pool_bwd_workspace(const struct kernel_context *context) {
    struct shape x = context_out(context, 0)->shape;
    return (size_t)x.h * x.w * x.c * sizeof(double);
}

void ref_pool_bwd(const struct kernel_args *args) {
    const struct pool_attr *attr = &args->context->op->attr.pool;
    struct shape x = context_out(args->context, 0)->shape;
    struct shape y = context_in(args->context, 0)->shape;
    size_t plane = (size_t)x.h * x.w * x.c;
    const float *dy = args->in[0], *from = args->in[1];
    float *dx = args->out[0];
    double *sum = args->workspace;
    for (int n = 0; n < y.n; n++, dx += plane) {
        memset(sum, 0, plane * sizeof *sum);
        for (int h = 0; h < y.h; h++)
            for (int w = 0; w < y.w; w++) {
                struct window window = window_at(attr, x, h, w);
                for (int c = 0; c < y.c; c++, dy++)
                    if (attr->average)
                        spread(sum + c, x, &window, *dy / ((double)attr->kernel * attr->kernel));
                    else
                        sum[c + largest_at(from + n * plane + c, x, &window)] += *dy;
            }
        ref_round(dx, sum, plane);
    }
}
