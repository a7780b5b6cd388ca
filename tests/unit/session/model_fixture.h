/*
 * model_fixture.h - a small random model on disk, for tests of what loads one.
 *
 * Its running statistics are not the initial ones, so that folding them has something to do.
 */
#ifndef TESTS_UNIT_SESSION_MODEL_FIXTURE_H
#define TESTS_UNIT_SESSION_MODEL_FIXTURE_H

#include "tests/support/t.h"

#include "engine/base/rng.h"
#include "engine/model/network.h"

enum { FIXTURE_SIDE = 16, FIXTURE_CHANNELS = 3, FIXTURE_CLASSES = 10 };
enum { FIXTURE_PIXELS = FIXTURE_SIDE * FIXTURE_SIDE * FIXTURE_CHANNELS };

static inline void fixture_shake(float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] += 0.5f * rng_unit(rng_philox(3, (uint32_t)i, 0, RNG_TEST, 0).word[0]);
}

/* Writes folder/model.safetensors: a resnet8 with random weights. */
static inline void fixture_write_model(const char *folder) {
    char *names[FIXTURE_CLASSES], text[FIXTURE_CLASSES][16], path[FILE_PATH_BYTES];
    struct network network = {0};
    struct network_values values;
    struct error err = {0};
    struct model_info info = {.architecture = "resnet8",
                              .dataset = "test",
                              .height = FIXTURE_SIDE,
                              .width = FIXTURE_SIDE,
                              .channels = FIXTURE_CHANNELS,
                              .classes = FIXTURE_CLASSES,
                              .mean = {0.5f, 0.4f, 0.3f},
                              .deviation = {0.25f, 0.2f, 0.3f},
                              .class_names = names};
    for (int i = 0; i < FIXTURE_CLASSES; i++) {
        snprintf(text[i], sizeof text[i], "class %d", i);
        names[i] = text[i];
    }
    struct network_size size = {FIXTURE_SIDE, FIXTURE_SIDE, FIXTURE_CHANNELS, FIXTURE_CLASSES};
    T_INT(network_init(&network, info.architecture, size, true, &err), STATUS_OK);
    network_randomise(&network, 1, &values);
    fixture_shake(values.state, network.table.state_floats);
    T_INT(file_join(path, folder, "model.safetensors", &err), STATUS_OK);
    T_INT(network_save(&network, &info, &values, path, &err), STATUS_OK);
    T_STR(err.message, "");
    network_values_release(&values);
    network_release(&network);
}

/* Pictures [count,h,w,c] of random pixels; the caller frees them. */
static inline uint8_t *fixture_pictures(int count) {
    size_t bytes = (size_t)count * FIXTURE_PIXELS;
    uint8_t *pictures = xmalloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        pictures[i] = (uint8_t)rng_philox(5, (uint32_t)i, 0, RNG_TEST, 0).word[0];
    return pictures;
}

#endif
