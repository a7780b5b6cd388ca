#include "engine/data/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION_BITS = 32 - 8 - 2, ONE_HALF = 1 << (PRECISION_BITS - 1), BLOCK = 32 };

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Keys' cubic with a = -1/2. */
static double cubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static const struct filter {
    double (*weight)(double x);
    double support; /* half width */
} filters[] = {
    [RESAMPLE_BILINEAR] = {triangle, 1},
    [RESAMPLE_BICUBIC] = {cubic, 2},
};

/* At least that many bytes; what was there is lost. */
static void *room(void *memory, size_t *bytes, size_t wanted) {
    if (*bytes >= wanted)
        return memory;
    free(memory);
    *bytes = wanted;
    return xmalloc(wanted);
}

/* The inputs of output number place of the window, and their weights. */
static void axis_place(struct resample_axis *axis, const struct filter *filter, int place) {
    double scale = (double)axis->size / axis->out, widening = scale < 1 ? 1 : scale;
    double center = (axis->begin + place + 0.5) * scale, support = filter->support * widening;
    int first = (int)(center - support + 0.5), end = (int)(center + support + 0.5);
    int32_t *weight = axis->weight + (size_t)place * (size_t)axis->taps;
    double sum = 0;
    first = first < 0 ? 0 : first;
    end = end > axis->size ? axis->size : end;
    for (int i = first; i < end; i++) {
        axis->exact[i - first] = filter->weight((i - center + 0.5) * (1 / widening));
        sum += axis->exact[i - first];
    }
    for (int i = 0; i < end - first; i++) {
        double scaled = axis->exact[i] / sum * (1 << PRECISION_BITS);
        weight[i] = (int32_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    }
    axis->first[place] = first;
    axis->inputs[place] = end - first;
}

static void axis_set(struct resample_axis *axis, const struct filter *filter) {
    double scale = (double)axis->size / axis->out, support = filter->support * fmax(scale, 1);
    size_t count = (size_t)axis->count, taps = 2 * (size_t)ceil(support) + 1;
    axis->taps = (int)taps;
    axis->exact = room(axis->exact, &axis->exact_bytes, taps * sizeof *axis->exact);
    axis->weight = room(axis->weight, &axis->weight_bytes, count * taps * sizeof *axis->weight);
    axis->first = room(axis->first, &axis->places_bytes, 2 * count * sizeof *axis->first);
    axis->inputs = axis->first + count;
    for (int place = 0; place < axis->count; place++)
        axis_place(axis, filter, place);
}

static uint8_t round_to_byte(int32_t sum) {
    int32_t value = sum >> PRECISION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* The window's part of one row of the crop; inlined for 1 and for 3 channels. */
static inline void resize_row(const struct resample_axis *axis, const uint8_t *in, int channels,
                              uint8_t *out) {
    const int32_t *weight = axis->weight;
    for (int x = 0; x < axis->count; x++, weight += axis->taps, out += channels) {
        const uint8_t *from = in + (size_t)axis->first[x] * (size_t)channels;
        int32_t sum[3] = {ONE_HALF, ONE_HALF, ONE_HALF};
        for (int i = 0; i < axis->inputs[x]; i++, from += channels)
            for (int c = 0; c < channels; c++)
                sum[c] += from[c] * weight[i];
        for (int c = 0; c < channels; c++)
            out[c] = round_to_byte(sum[c]);
    }
}

/* BLOCK bytes (or fewer) of an output row from so many input rows. */
static inline void sum_rows(const uint8_t *in, size_t row_bytes, const int32_t *weight, int inputs,
                            int bytes, uint8_t *out) {
    int32_t sum[BLOCK];
    for (int x = 0; x < bytes; x++)
        sum[x] = ONE_HALF;
    for (int i = 0; i < inputs; i++, in += row_bytes)
        for (int x = 0; x < bytes; x++)
            sum[x] += in[x] * weight[i];
    for (int x = 0; x < bytes; x++)
        out[x] = round_to_byte(sum[x]);
}

/* Row y of the window from in[.,row_bytes], whose first row is the crop's row number top. */
static void resize_column(const struct resample_axis *axis, int y, int top, const uint8_t *in,
                          size_t row_bytes, uint8_t *out) {
    const int32_t *weight = axis->weight + (size_t)y * (size_t)axis->taps;
    int inputs = axis->inputs[y];
    size_t x = 0;
    in += (size_t)(axis->first[y] - top) * row_bytes;
    for (; x + BLOCK <= row_bytes; x += BLOCK)
        sum_rows(in + x, row_bytes, weight, inputs, BLOCK, out + x);
    sum_rows(in + x, row_bytes, weight, inputs, (int)(row_bytes - x), out + x);
}

/* width pixels in the number of channels that is wanted. */
static void convert_row(const uint8_t *in, int width, int channels, uint8_t *out) {
    for (size_t x = 0; x < (size_t)width; x++) {
        if (channels == 1) /* Rec. 601: 0.299, 0.587, 0.114 in 1/65536 */
            out[x] = (uint8_t)((in[3 * x] * 19595 + in[3 * x + 1] * 38470 + in[3 * x + 2] * 7471 +
                                0x8000) >>
                               16);
        else
            memset(out + 3 * x, in[x], 3);
    }
}

static void narrow_row(struct resampler *resampler, const struct picture *picture,
                       const struct resample *resample, int y, uint8_t *out) {
    const struct box *crop = &resample->crop;
    size_t at = (size_t)(crop->top + y) * (size_t)picture->width + (size_t)crop->left;
    const uint8_t *in = picture->pixels + at * (size_t)picture->channels;
    if (picture->channels != resample->channels) {
        convert_row(in, crop->width, resample->channels, resampler->converted);
        in = resampler->converted;
    }
    if (resample->channels == 3)
        resize_row(&resampler->rows, in, 3, out);
    else
        resize_row(&resampler->rows, in, 1, out);
}

static bool box_fits(const struct box *box, int height, int width) {
    return box->top >= 0 && box->left >= 0 && box->height >= 1 && box->width >= 1 &&
           box->height <= height - box->top && box->width <= width - box->left;
}

static enum status check(const struct picture *picture, const struct resample *resample,
                         struct error *err) {
    int height = resample->height, width = resample->width, channels = resample->channels;
    if (height < 1 || width < 1 || height > PICTURE_MAX_SIDE || width > PICTURE_MAX_SIDE ||
        (channels != 1 && channels != 3))
        return error_set(err, STATUS_INVALID, "a picture cannot be made %dx%dx%d", height, width,
                         channels);
    const struct box *crop = &resample->crop, *window = &resample->window;
    if (!box_fits(crop, picture->height, picture->width))
        return error_set(err, STATUS_INVALID, "%dx%d at %d,%d cannot be cut from a %dx%d picture",
                         crop->height, crop->width, crop->top, crop->left, picture->height,
                         picture->width);
    if (!box_fits(window, height, width))
        return error_set(err, STATUS_INVALID, "%dx%d at %d,%d cannot be cut from %dx%d pixels",
                         window->height, window->width, window->top, window->left, height, width);
    return STATUS_OK;
}

/* Takes large memory again where what there is does not do. */
static enum status reserve(struct resampler *resampler, size_t narrow_bytes, struct error *err) {
    if (resampler->narrow_bytes >= narrow_bytes)
        return STATUS_OK;
    mem_free_large(resampler->narrow);
    resampler->narrow = NULL;
    resampler->narrow_bytes = 0;
    void *narrow;
    enum status status = mem_alloc_large(&narrow, narrow_bytes, "a resized picture", err);
    if (status)
        return status;
    resampler->narrow = narrow;
    resampler->narrow_bytes = narrow_bytes;
    return STATUS_OK;
}

static void set_axes(struct resampler *resampler, const struct resample *resample) {
    struct resample_axis *rows = &resampler->rows, *columns = &resampler->columns;
    rows->size = resample->crop.width;
    rows->out = resample->width;
    rows->begin = resample->window.left;
    rows->count = resample->window.width;
    axis_set(rows, &filters[resample->filter]);
    columns->size = resample->crop.height;
    columns->out = resample->height;
    columns->begin = resample->window.top;
    columns->count = resample->window.height;
    axis_set(columns, &filters[resample->filter]);
}

enum status picture_resample(struct resampler *resampler, const struct picture *picture,
                             const struct resample *resample, uint8_t *out, struct error *err) {
    enum status status = check(picture, resample, err);
    if (status)
        return status;
    set_axes(resampler, resample);
    const struct resample_axis *columns = &resampler->columns;
    size_t row_bytes = (size_t)resample->window.width * (size_t)resample->channels;
    int last = columns->count - 1, top = columns->first[0];
    int end = columns->first[last] + columns->inputs[last]; /* the rows that columns need */
    status = reserve(resampler, (size_t)(end - top) * row_bytes, err);
    if (status)
        return status;
    resampler->converted = room(resampler->converted, &resampler->converted_bytes,
                                (size_t)resample->crop.width * (size_t)resample->channels);
    for (int y = top; y < end; y++)
        narrow_row(resampler, picture, resample, y,
                   resampler->narrow + (size_t)(y - top) * row_bytes);
    for (int y = 0; y <= last; y++)
        resize_column(columns, y, top, resampler->narrow, row_bytes, out + (size_t)y * row_bytes);
    return STATUS_OK;
}

static void axis_release(struct resample_axis *axis) {
    free(axis->first);
    free(axis->weight);
    free(axis->exact);
}

void resampler_release(struct resampler *resampler) {
    axis_release(&resampler->rows);
    axis_release(&resampler->columns);
    free(resampler->converted);
    mem_free_large(resampler->narrow);
    *resampler = (struct resampler){0};
}

static struct box box_whole(int height, int width) {
    return (struct box){0, 0, height, width};
}

struct resample resample_whole(const struct picture *picture, int height, int width, int channels,
                               enum resample_filter filter) {
    return (struct resample){filter,
                             box_whole(picture->height, picture->width),
                             height,
                             width,
                             box_whole(height, width),
                             channels};
}

struct resample resample_crop(struct box crop, int side, int channels,
                              enum resample_filter filter) {
    return (struct resample){filter, crop, side, side, box_whole(side, side), channels};
}

/* Where a window of side begins in size pixels; halves go to the even place, as in Python. */
static int centered(int size, int side) {
    return (int)nearbyint((size - side) / 2.0);
}

/* The whole picture, or so much around its middle that its longer side stays within the limit when
 * its shorter one becomes `shorter`. */
static struct box box_middle(int height, int width, int shorter) {
    int64_t small = height < width ? height : width, limit = PICTURE_MAX_SIDE * small / shorter;
    int tall = height > limit ? (int)limit : height, wide = width > limit ? (int)limit : width;
    tall = tall < small ? (int)small : tall;
    wide = wide < small ? (int)small : wide;
    return (struct box){(height - tall) / 2, (width - wide) / 2, tall, wide};
}

struct resample resample_center(const struct picture *picture, int shorter, int side, int channels,
                                enum resample_filter filter) {
    struct box crop = box_middle(picture->height, picture->width, shorter);
    int64_t height = crop.height, width = crop.width;
    int out_height = (int)(height <= width ? shorter : shorter * height / width);
    int out_width = (int)(width <= height ? shorter : shorter * width / height);
    struct box window = {centered(out_height, side), centered(out_width, side), side, side};
    return (struct resample){filter, crop, out_height, out_width, window, channels};
}
