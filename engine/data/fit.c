/* Resizing as PIL's Image.resize(BILINEAR) does it: a triangle filter that is widened by the
 * scale when it shrinks, as whole numbers with 22 bits behind the point, first along the rows and
 * then along the columns, rounded to 8 bits after each. */
#include "engine/data/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION_BITS = 32 - 8 - 2, ONE_HALF = 1 << (PRECISION_BITS - 1) };

/* For each output position the input positions it is made of and their weights. */
struct axis {
    int in, out, taps;  /* taps: most inputs of one output */
    int *first, *count; /* [out] */
    int32_t *weight;    /* [out,taps] */
};

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* support is the half width of the widened triangle. */
static void axis_position(struct axis *axis, int position, double scale, double support) {
    double center = (position + 0.5) * scale, sum = 0;
    int first = (int)(center - support + 0.5), end = (int)(center + support + 0.5);
    first = first < 0 ? 0 : first;
    end = end > axis->in ? axis->in : end;
    for (int i = first; i < end; i++)
        sum += triangle((i - center + 0.5) / support);
    for (int i = first; i < end; i++) {
        double weight = triangle((i - center + 0.5) / support) / sum;
        axis->weight[(size_t)position * (size_t)axis->taps + (size_t)(i - first)] =
            (int32_t)(weight * (1 << PRECISION_BITS) + 0.5);
    }
    axis->first[position] = first;
    axis->count[position] = end - first;
}

static void axis_init(struct axis *axis, int in, int out) {
    double scale = (double)in / out, support = scale < 1 ? 1 : scale;
    *axis = (struct axis){.in = in, .out = out, .taps = 2 * (int)ceil(support) + 1};
    axis->first = xcalloc((size_t)out, sizeof *axis->first);
    axis->count = xcalloc((size_t)out, sizeof *axis->count);
    axis->weight = xcalloc((size_t)out * (size_t)axis->taps, sizeof *axis->weight);
    for (int i = 0; i < out; i++)
        axis_position(axis, i, scale, support);
}

static void axis_release(struct axis *axis) {
    free(axis->first);
    free(axis->count);
    free(axis->weight);
}

/* Weights are not negative and sum to one, so 0..255 cannot be left by more than rounding. */
static uint8_t round_to_byte(int32_t sum) {
    int32_t value = sum >> PRECISION_BITS;
    return (uint8_t)(value > 255 ? 255 : value);
}

/* One row of in[axis->in,channels] to out[axis->out,channels]. */
static void resize_row(const struct axis *axis, const uint8_t *in, int channels, uint8_t *out) {
    for (int x = 0; x < axis->out; x++) {
        const int32_t *weight = axis->weight + (size_t)x * (size_t)axis->taps;
        const uint8_t *from = in + (size_t)axis->first[x] * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            int32_t sum = ONE_HALF;
            for (int i = 0; i < axis->count[x]; i++)
                sum += from[i * channels + c] * weight[i];
            *out++ = round_to_byte(sum);
        }
    }
}

/* Output row y from in[axis->in,row_bytes]; sums is scratch of row_bytes numbers. */
static void resize_column(const struct axis *axis, int y, const uint8_t *in, size_t row_bytes,
                          int32_t *sums, uint8_t *out) {
    const int32_t *weight = axis->weight + (size_t)y * (size_t)axis->taps;
    for (size_t x = 0; x < row_bytes; x++)
        sums[x] = ONE_HALF;
    for (int i = 0; i < axis->count[y]; i++) {
        const uint8_t *row = in + (size_t)(axis->first[y] + i) * row_bytes;
        for (size_t x = 0; x < row_bytes; x++)
            sums[x] += row[x] * weight[i];
    }
    for (size_t x = 0; x < row_bytes; x++)
        out[x] = round_to_byte(sums[x]);
}

/* One row of the picture in the number of channels that is wanted. */
static void convert_row(const struct picture *picture, int y, int channels, uint8_t *out) {
    size_t width = (size_t)picture->width;
    const uint8_t *in = picture->pixels + (size_t)y * width * (size_t)picture->channels;
    if (picture->channels == channels) {
        memcpy(out, in, width * (size_t)channels);
        return;
    }
    for (size_t x = 0; x < width; x++) {
        if (channels == 1) /* Rec. 601: 0.299, 0.587, 0.114 in 1/65536 */
            out[x] = (uint8_t)((in[3 * x] * 19595 + in[3 * x + 1] * 38470 + in[3 * x + 2] * 7471 +
                                0x8000) >>
                               16);
        else
            memset(out + 3 * x, in[x], 3);
    }
}

enum status picture_fit(const struct picture *picture, int height, int width, int channels,
                        uint8_t *out, struct error *err) {
    if (height < 1 || width < 1 || height > PICTURE_MAX_SIDE || width > PICTURE_MAX_SIDE ||
        (channels != 1 && channels != 3))
        return error_set(err, STATUS_INVALID, "a picture cannot be made %dx%dx%d", height, width,
                         channels);
    struct axis rows, columns;
    size_t row_bytes = (size_t)width * (size_t)channels;
    void *narrow = NULL; /* [picture->height,width,channels] */
    uint8_t *converted = xmalloc((size_t)picture->width * (size_t)channels);
    int32_t *sums = xmalloc(row_bytes * sizeof *sums);
    axis_init(&rows, picture->width, width);
    axis_init(&columns, picture->height, height);
    enum status status =
        mem_alloc_large(&narrow, (size_t)picture->height * row_bytes, "a resized picture", err);
    for (int y = 0; !status && y < picture->height; y++) {
        convert_row(picture, y, channels, converted);
        resize_row(&rows, converted, channels, (uint8_t *)narrow + (size_t)y * row_bytes);
    }
    for (int y = 0; !status && y < height; y++)
        resize_column(&columns, y, narrow, row_bytes, sums, out + (size_t)y * row_bytes);
    axis_release(&rows);
    axis_release(&columns);
    free(converted);
    free(sums);
    mem_free_large(narrow);
    return status;
}
