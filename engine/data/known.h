/*
 * known.h - published facts about well-known data sets: sizes, classes, mean and deviation.
 *
 * Threads: constant tables and pure functions.
 */
#ifndef ENGINE_DATA_KNOWN_H
#define ENGINE_DATA_KNOWN_H

enum { KNOWN_MAX_CHANNELS = 3 };

struct known_set {
    const char *name;
    int channels;
    int side;                                                      /* 0: pictures differ in size */
    int classes;                                                   /* 0: as many as there are */
    float mean[KNOWN_MAX_CHANNELS], deviation[KNOWN_MAX_CHANNELS]; /* of pixels in 0..1 */
    const char *const *class_names;                                /* [classes], or NULL */
};

/* The set meant by a name as people and archives write it ("Fashion-MNIST",
 * "dataset-fashion-mnist", "cifar-100-binary", "imagenet1k"), or NULL. */
const struct known_set *known_find(const char *name);

#endif
