/* Looks at every picture of a data set once: can it be read, what is its digest, how bright is it.
 */
#include "engine/base/parallel.h"
#include "engine/base/str.h"
#include "engine/data/images.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LISTED = 4, LISTED_BYTES = 300 };

/* Pictures a thread that are looked at between two questions whether to go on. */
enum { ROUND = 16 };

/* Of one picture's pixels in 0..255, by channel. */
struct brightness {
    double mean[ENCODED_CHANNELS], square[ENCODED_CHANNELS];
};

struct inspection {
    struct encoded *list;
    struct brightness *brightness; /* [count], or NULL */
    bool *unusable;                /* [count] */
    int64_t begin;                 /* of this round */
};

static void measure(struct brightness *out, const struct picture *picture) {
    uint64_t sum[ENCODED_CHANNELS] = {0}, squares[ENCODED_CHANNELS] = {0};
    size_t pixels = (size_t)picture->height * (size_t)picture->width;
    const uint8_t *value = picture->pixels;
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < picture->channels; c++, value++) {
            sum[c] += *value;
            squares[c] += (unsigned)*value * *value;
        }
    for (int c = 0; c < ENCODED_CHANNELS; c++) {
        int from = picture->channels == 1 ? 0 : c;
        out->mean[c] = (double)sum[from] / (double)pixels;
        out->square[c] = (double)squares[from] / (double)pixels;
    }
}

static enum status look_at(const struct inspection *inspection, int64_t index, struct error *err) {
    struct encoded *list = inspection->list;
    struct encoded_load load;
    struct picture picture = {0};
    enum status status = encoded_read(list, index, &load, err);
    if (status)
        return status;
    if (list->own_digest)
        sha256_of(load.bytes, load.len, list->own_digest + index * SHA256_BYTES);
    status = picture_decode(&picture, load.bytes, load.len, err);
    encoded_unload(&load);
    if (!status && inspection->brightness)
        measure(&inspection->brightness[index], &picture);
    picture_release(&picture);
    return encoded_blame(list, index, status, err);
}

static void inspect_one(void *ctx, int64_t index) {
    const struct inspection *inspection = ctx;
    int64_t at = inspection->begin + index;
    inspection->unusable[at] = look_at(inspection, at, NULL) != STATUS_OK;
}

static enum status inspect_all(struct inspection *inspection, const struct dataset_watch *watch,
                               struct error *err) {
    int64_t count = inspection->list->count, round = (int64_t)ROUND * parallel_processors();
    for (int64_t begin = 0; begin < count; begin += round) {
        inspection->begin = begin;
        if (watch && !watch->go_on(watch->ctx, begin, count))
            return error_set(err, STATUS_CANCELLED,
                             "stopped after looking at %lld of %lld pictures", (long long)begin,
                             (long long)count);
        parallel_each(count - begin < round ? count - begin : round, inspect_one, inspection);
    }
    return STATUS_OK;
}

/* Says how many pictures cannot be used and, of the first ones, why: they are read again, so that
 * which ones are named does not depend on threads. */
static enum status list_unusable(const struct inspection *inspection, struct error *err) {
    const struct encoded *list = inspection->list;
    struct str text = {.max = LISTED_BYTES};
    enum status status = STATUS_OK;
    int64_t count = 0;
    for (int64_t i = 0; i < list->count; i++) {
        struct error why = {0};
        count += inspection->unusable[i];
        if (!inspection->unusable[i] || count > MOST_LISTED)
            continue;
        enum status found = look_at(inspection, i, &why);
        status = status ? status : found;
        if (found == STATUS_UNSUPPORTED || found == STATUS_OUT_OF_MEMORY) {
            status = error_set(err, found, "%s", why.message); /* not the picture's fault */
            goto out;
        }
        size_t place = strlen(list->place) + 1; /* once is enough */
        bool begins = str_has_prefix(why.message, list->place);
        str_addf(&text, "%s%s", count > 1 ? "; " : "", why.message + (begins ? place : 0));
    }
    if (count)
        status = error_set(err, status ? status : STATUS_IO,
                           "%s: %lld of %lld pictures cannot be used; repair or remove them: %s%s",
                           list->place, (long long)count, (long long)list->count, str_text(&text),
                           text.clipped || count > MOST_LISTED ? "; ..." : "");
out:
    str_release(&text);
    return status;
}

static void average(struct dataset *dataset, const struct brightness *brightness) {
    int64_t count = dataset->train.encoded->count;
    for (int c = 0; c < ENCODED_CHANNELS; c++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < count; i++) {
            mean += brightness[i].mean[c];
            square += brightness[i].square[c];
        }
        mean /= (double)count;
        double variance = square / (double)count - mean * mean;
        dataset->mean[c] = (float)(mean / 255);
        dataset->deviation[c] = variance > 1e-9 ? (float)(sqrt(variance) / 255) : 1.0f;
    }
}

static enum status inspect_part(struct dataset *dataset, enum part part,
                                const struct dataset_watch *watch, struct error *err) {
    struct encoded *list = dataset->storage[STORAGE_ENCODED + part];
    struct inspection inspection = {.list = list};
    inspection.unusable = xcalloc((size_t)list->count, sizeof *inspection.unusable);
    if (part == PART_TRAIN)
        inspection.brightness = xcalloc((size_t)list->count, sizeof *inspection.brightness);
    if (!list->digest)
        list->own_digest = xcalloc((size_t)list->count, SHA256_BYTES);
    enum status status = inspect_all(&inspection, watch, err);
    if (!status)
        status = list_unusable(&inspection, err);
    if (!status && part == PART_TRAIN)
        average(dataset, inspection.brightness);
    if (!status && !list->digest)
        list->digest = list->own_digest;
    free(inspection.unusable);
    free(inspection.brightness);
    return status;
}

enum status images_inspect(struct dataset *dataset, const struct dataset_watch *watch,
                           struct error *err) {
    enum status status = inspect_part(dataset, PART_TRAIN, watch, err);
    return status ? status : inspect_part(dataset, PART_TEST, watch, err);
}
