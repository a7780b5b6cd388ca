/* Batches are the same with any number of threads, wherever a run begins. */
#include "engine/data/loader.h"

#include "engine/base/parallel.h"
#include "engine/data/encoded.h"
#include "tests/unit/data/image_fixture.h"

enum { SIDE = 16, BATCH = 2, PICTURES = 7, EPOCHS = 3 };

static const char *root;
static struct dataset encoded;

static struct loader_plan plan_of(int threads) {
    return (struct loader_plan){
        .dataset = &encoded,
        .split = &encoded.train,
        .input = {SIDE, SIDE, 3, 18, RESAMPLE_BILINEAR},
        .batch = BATCH,
        .end = EPOCHS * loader_batches(encoded.train.count, BATCH),
        .data_seed = 5,
        .shuffle = true,
        .crop = true,
        .mirror = true,
        .augment = {.rand_augment = 2,
                    .magnitude = 9,
                    .deviation = 0.5,
                    .erase = 0.5,
                    .mean = {0.5f, 0.5f, 0.5f},
                    .spread = {0.2f, 0.2f, 0.2f}},
        .threads = threads,
    };
}

static struct loader *must_create(const struct loader_plan *plan) {
    struct loader *loader;
    struct error err = {0};
    if (loader_create(&loader, plan, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return loader;
}

/* SHA-256 of everything that the batches from number first on hold. */
static void digest_run(const struct loader_plan *plan, char hex[SHA256_HEX_BYTES]) {
    struct loader *loader = must_create(plan);
    struct sha256 sha;
    sha256_init(&sha);
    for (int64_t k = plan->first; k < plan->end; k++) {
        struct loader_batch batch;
        struct error err = {0};
        if (loader_next(loader, &batch, &err) != STATUS_OK)
            T_FAIL("batch %lld: %s", (long long)k, err.message);
        size_t rows = (size_t)batch.rows;
        sha256_add(&sha, batch.images, rows * input_bytes(&plan->input));
        sha256_add(&sha, batch.labels, rows * sizeof *batch.labels);
        sha256_add(&sha, batch.indices, rows * sizeof *batch.indices);
        if (k % 3 == 0)
            usleep(2000); /* the ring runs full now and then */
    }
    loader_free(loader);
    sha256_finish_hex(&sha, hex);
}

static void test_threads(void) {
    static const int threads[] = {1, 2, 5};
    char expected[SHA256_HEX_BYTES], hex[SHA256_HEX_BYTES];
    struct loader_plan plan = plan_of(0);
    digest_run(&plan, expected);
    for (int round = 0; round < 9; round++) {
        plan = plan_of(threads[round % 3]);
        digest_run(&plan, hex);
        T_STR(hex, expected);
    }
    plan.data_seed++;
    digest_run(&plan, hex);
    T_CHECK(strcmp(hex, expected) != 0);
}

/* A resumed run sees what the uninterrupted one saw. */
static void test_begin_anywhere(void) {
    for (int64_t first = 1; first < plan_of(0).end; first += 3) {
        struct loader_plan plan = plan_of(2), rest = plan_of(2);
        struct loader *whole = must_create(&plan), *part;
        struct loader_batch a, b;
        rest.first = first;
        part = must_create(&rest);
        for (int64_t k = 0; k <= first; k++)
            T_INT(loader_next(whole, &a, NULL), STATUS_OK);
        T_INT(loader_next(part, &b, NULL), STATUS_OK);
        T_INT(b.rows, a.rows);
        T_INT(b.epoch, a.epoch);
        T_CHECK(memcmp(a.images, b.images, (size_t)a.rows * SIDE * SIDE * 3) == 0);
        T_CHECK(memcmp(a.indices, b.indices, (size_t)a.rows * sizeof *a.indices) == 0);
        loader_free(whole); /* in the middle of what it has begun */
        loader_free(part);
    }
}

/* Each epoch holds every picture once, its last batch what is left. */
static void test_epochs(void) {
    struct loader_plan plan = plan_of(2);
    struct loader *loader = must_create(&plan);
    for (uint32_t epoch = 1; epoch <= EPOCHS; epoch++) {
        int seen[PICTURES] = {0};
        for (int k = 0; k < 4; k++) {
            struct loader_batch batch;
            T_INT(loader_next(loader, &batch, NULL), STATUS_OK);
            T_INT(batch.epoch, epoch);
            T_INT(batch.rows, k < 3 ? 2 : 1);
            for (int i = 0; i < batch.rows; i++) {
                seen[batch.indices[i]]++;
                T_INT(batch.labels[i], encoded.train.labels[batch.indices[i]]);
            }
        }
        for (int i = 0; i < PICTURES; i++)
            T_INT(seen[i], 1);
    }
    loader_free(loader);
}

/* Without chance a picture is what prediction makes of it. */
static void test_evaluation(void) {
    struct loader_plan plan = plan_of(2);
    struct resampler resampler = {.narrow = NULL};
    uint8_t expected[SIDE * SIDE * 3];
    plan.crop = plan.mirror = plan.shuffle = false;
    plan.augment = (struct augment){.rand_augment = 0};
    plan.batch = PICTURES;
    plan.end = 1;
    struct loader *loader = must_create(&plan);
    struct loader_batch batch;
    T_INT(loader_next(loader, &batch, NULL), STATUS_OK);
    for (int i = 0; i < PICTURES; i++) {
        struct picture picture;
        CHECK(encoded_decode(encoded.train.encoded, i, &picture, NULL) == STATUS_OK);
        T_INT(input_take(&plan.input, &resampler, &picture, expected, NULL), STATUS_OK);
        T_INT(memcmp(expected, batch.images + (size_t)i * sizeof expected, sizeof expected), 0);
        picture_release(&picture);
    }
    resampler_release(&resampler);
    loader_free(loader);
}

/* The first picture of the batch that cannot be read is named, whoever meets it first. */
static void test_unreadable(void) {
    char folder[FILE_PATH_BYTES];
    struct dataset dataset;
    CHECK(file_join(folder, root, "broken", NULL) == STATUS_OK);
    put_images(folder);
    CHECK(dataset_open(&dataset, folder, NULL, NULL) == STATUS_OK);
    put_text(folder, "train/cat/b.PNG", "changed");
    shell("rm %s/train/dog/z.png", folder);
    for (int round = 0; round < 6; round++) {
        struct loader_plan plan = plan_of(round % 3);
        struct loader_batch batch;
        struct error err = {0};
        plan.dataset = &dataset;
        plan.split = &dataset.train;
        plan.shuffle = false;
        plan.batch = 5;
        plan.end = 9;
        struct loader *loader = must_create(&plan);
        T_INT(loader_next(loader, &batch, &err), STATUS_CORRUPT);
        T_CONTAINS(err.message, "train/cat/b.PNG: its bytes have changed");
        loader_free(loader);
    }
    dataset_close(&dataset);
}

/* Pictures of a fixed size are copied, or resized as others are. */
static void test_fixed(void) {
    uint8_t images[3 * 4 * 4];
    static const int32_t labels[3] = {0, 1, 0};
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(5 * i);
    struct dataset dataset = {.height = 4, .width = 4, .channels = 1, .classes = 2};
    dataset.train = (struct split){.count = 3, .images = images, .labels = labels};
    struct loader_plan plan = {.dataset = &dataset, .split = &dataset.train, .batch = 3, .end = 1};
    plan.input = (struct input){4, 4, 1, 0, RESAMPLE_BILINEAR};
    T_INT(loader_threads(&plan), 0);
    struct loader *loader = must_create(&plan);
    struct loader_batch batch;
    T_INT(loader_next(loader, &batch, NULL), STATUS_OK);
    T_INT(memcmp(batch.images, images, sizeof images), 0);
    loader_free(loader);
    plan.input = (struct input){8, 8, 3, 9, RESAMPLE_BILINEAR};
    T_INT(loader_threads(&plan), parallel_processors());
    loader = must_create(&plan);
    T_INT(loader_next(loader, &batch, NULL), STATUS_OK);
    T_INT(batch.images[8 * 8 * 3 + 1], images[4 * 4]); /* the corner of the second */
    loader_free(loader);
}

int main(void) {
    if (!has_images())
        return 77;
    root = t_temp_dir();
    const char *folder = fresh(root);
    put_images(folder);
    put_png(folder, "train/dog/large.png", 9, 300, 410); /* takes longer than the others */
    put_png(folder, "train/cat/tiny.png", 9, 3, 2);
    CHECK(dataset_open(&encoded, folder, NULL, NULL) == STATUS_OK);
    T_RUN(test_threads);
    T_RUN(test_begin_anywhere);
    T_RUN(test_epochs);
    T_RUN(test_evaluation);
    T_RUN(test_unreadable);
    T_RUN(test_fixed);
    dataset_close(&encoded);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
