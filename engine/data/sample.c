#include "engine/data/sample.h"

#include "engine/data/encoded.h"
#include "engine/data/resample.h"

#include <string.h>

static enum status allocate(struct picture *picture, int height, int width, int channels,
                            struct error *err) {
    void *pixels = NULL;
    size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    enum status status = mem_alloc_large(&pixels, bytes, "a picture", err);
    *picture = (struct picture){height, width, channels, pixels};
    return status;
}

/* Channels that a picture file does not have are left out. */
static enum status copy_pixels(const struct dataset *dataset, const struct split *split,
                               int64_t index, struct picture *picture, struct error *err) {
    size_t has = (size_t)dataset->channels, shown = has < 3 ? 1 : 3;
    size_t count = (size_t)dataset->height * (size_t)dataset->width;
    const uint8_t *from = split->images + (size_t)index * count * has;
    enum status status = allocate(picture, dataset->height, dataset->width, (int)shown, err);
    for (size_t i = 0; i < count && !status; i++)
        memcpy(picture->pixels + i * shown, from + i * has, shown);
    return status;
}

static int scaled(int side, int longer) {
    int64_t size = (int64_t)side * SAMPLE_MAX_SIDE / longer;
    return size < 1 ? 1 : (int)size;
}

static enum status shrink(struct picture *picture, struct error *err) {
    int longer = picture->height > picture->width ? picture->height : picture->width;
    struct resampler resampler = {0};
    struct picture small;
    if (longer <= SAMPLE_MAX_SIDE)
        return STATUS_OK;
    int height = scaled(picture->height, longer), width = scaled(picture->width, longer);
    const struct resample how =
        resample_whole(picture, height, width, picture->channels, RESAMPLE_BILINEAR);
    enum status status = allocate(&small, height, width, picture->channels, err);
    if (!status)
        status = picture_resample(&resampler, picture, &how, small.pixels, err);
    resampler_release(&resampler);
    picture_release(picture);
    *picture = small;
    return status;
}

enum status sample_whole(const struct dataset *dataset, const struct split *split, int64_t index,
                         struct picture *picture, struct error *err) {
    *picture = (struct picture){0};
    if (index < 0 || index >= split->count)
        return error_set(err, STATUS_INVALID, "there is no picture %lld", (long long)index);
    return split->encoded ? encoded_decode(split->encoded, index, picture, err)
                          : copy_pixels(dataset, split, index, picture, err);
}

enum status sample_picture(const struct dataset *dataset, const struct split *split, int64_t index,
                           struct picture *picture, struct error *err) {
    enum status status = sample_whole(dataset, split, index, picture, err);
    if (!status)
        status = shrink(picture, err);
    if (status)
        picture_release(picture);
    return status;
}
