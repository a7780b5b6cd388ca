/*
 * dataset_open: any bytes as the files of a data set; labels and shape of what it accepts hold.
 *
 * The first byte says of which format, the next two how long the first file is (pictures), and the
 * rest is the second one (labels). Both splits get the same files.
 */
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

#include "engine/data/dataset.h"
#include "engine/data/encoded.h"

enum { HEAD_BYTES = 3, MOST_NAMES = 6, FORMATS = 6 };

/* Names for the first and for the second file. */
static const char *const names[FORMATS][2][MOST_NAMES] = {
    {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin", "test_batch.bin"},
     {"batches.meta.txt"}},
    {{"train.bin", "test.bin"}, {"fine_label_names.txt"}},
    {{"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"},
     {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"}},
    {{"train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"},
     {"train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}},
    {{"train.safetensors", "test.safetensors"}, {"classes.txt"}},
    {{"train.tar", "test.tar"}, {"classes.txt"}},
};

static void check_encoded(const struct split *split) {
    CHECK(split->count >= 1 && split->count == split->encoded->count);
    for (int64_t i = 0; i < split->count; i++) {
        struct picture picture;
        CHECK(encoded_decode(split->encoded, i, &picture, NULL) == STATUS_OK);
        picture_release(&picture);
    }
}

static void check_split(const struct dataset *dataset, const struct split *split) {
    size_t picture = (size_t)dataset->height * (size_t)dataset->width * (size_t)dataset->channels;
    unsigned sum = 0;
    CHECK(split->count >= 1);
    for (int64_t i = 0; i < split->count; i++)
        CHECK(split->labels[i] >= 0 && split->labels[i] < dataset->classes);
    if (split->encoded) {
        check_encoded(split);
        return;
    }
    for (size_t i = 0; i < (size_t)split->count * picture; i++)
        sum += split->images[i]; /* a sanitizer sees what is not there */
    CHECK(sum <= (size_t)split->count * picture * 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (len < HEAD_BYTES)
        return 0;
    int format = bytes[0] % FORMATS;
    size_t rest = len - HEAD_BYTES, first = bytes[1] + 256u * bytes[2];
    first = first < rest ? first : rest;
    const char *folder = folder_empty();
    for (int i = 0; i < MOST_NAMES; i++) {
        if (names[format][0][i])
            folder_put(names[format][0][i], bytes + HEAD_BYTES, first);
        if (names[format][1][i])
            folder_put(names[format][1][i], bytes + HEAD_BYTES + first, rest - first);
    }
    struct dataset dataset;
    struct error err = {0};
    if (dataset_open(&dataset, folder, NULL, &err) != STATUS_OK) {
        CHECK(err.message[0]);
        return 0;
    }
    check_split(&dataset, &dataset.train);
    check_split(&dataset, &dataset.test);
    dataset_close(&dataset);
    return 0;
}
