/* What is computed over a whole data set: statistics and digest. */
#include "engine/data/dataset_internal.h"
#include "engine/data/encoded.h"

#include <math.h>

struct histogram {
    uint64_t count[DATASET_MAX_CHANNELS][256];
};

static void histogram_add(struct histogram *histogram, const struct dataset *dataset) {
    const uint8_t *value = dataset->train.images;
    int64_t pixels = dataset->train.count * dataset->height * dataset->width;
    for (int64_t i = 0; i < pixels; i++)
        for (int c = 0; c < dataset->channels; c++)
            histogram->count[c][*value++]++;
}

void dataset_measure(struct dataset *dataset) {
    struct histogram histogram = {0};
    histogram_add(&histogram, dataset);
    for (int c = 0; c < dataset->channels; c++) {
        double n = 0, sum = 0, squares = 0;
        for (int value = 0; value < 256; value++) {
            double count = (double)histogram.count[c][value];
            n += count;
            sum += count * value;
            squares += count * value * value;
        }
        double mean = sum / n, variance = squares / n - mean * mean;
        dataset->mean[c] = (float)(mean / 255);
        /* A constant channel carries nothing; 1 keeps the division by it harmless. */
        dataset->deviation[c] = variance > 1e-9 ? (float)(sqrt(variance) / 255) : 1.0f;
    }
}

static void digest_split(struct sha256 *sha, const struct dataset *dataset,
                         const struct split *split) {
    size_t picture = (size_t)dataset->height * (size_t)dataset->width * (size_t)dataset->channels;
    sha256_add(sha, &split->count, sizeof split->count);
    if (split->encoded)
        sha256_add(sha, split->encoded->digest, (size_t)split->count * SHA256_BYTES);
    else
        sha256_add(sha, split->images, (size_t)split->count * picture);
    sha256_add(sha, split->labels, (size_t)split->count * sizeof *split->labels);
}

/* Numbers enter as little-endian, which is the order of every machine this runs on. */
void dataset_digest(struct dataset *dataset) {
    int32_t shape[] = {dataset->height, dataset->width, dataset->channels, dataset->classes};
    struct sha256 sha;
    sha256_init(&sha);
    sha256_add(&sha, shape, sizeof shape);
    digest_split(&sha, dataset, &dataset->train);
    digest_split(&sha, dataset, &dataset->test);
    sha256_finish_hex(&sha, dataset->sha256);
}
