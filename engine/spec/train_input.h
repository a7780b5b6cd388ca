/*
 * train_input.h - what size of pictures a run trains on, from its spec and its data set.
 *
 * Pictures of a fixed size are taken as they are, unless image_size asks for another one. All
 * others are resized: in training by a random crop, in evaluation by resizing their shorter side to
 * resize_size and taking the middle.
 *
 * Errors:  INVALID with the field.
 * Threads: a pure function.
 */
#ifndef ENGINE_SPEC_TRAIN_INPUT_H
#define ENGINE_SPEC_TRAIN_INPUT_H

#include "engine/spec/train_spec.h"

enum { IMAGE_SIZE_DEFAULT = 224, IMAGE_SIZE_MIN = 16, IMAGE_SIZE_MAX = 1024 };

struct train_input {
    int height, width;
    int shorter; /* resize_size; 0: pictures are taken as they are */
};

/* height and width are the data set's, 0 where its pictures differ in size. */
MUST_CHECK enum status train_input_of(struct train_input *input, const struct train_spec *spec,
                                      int height, int width, struct error *err);

/* INVALID if the spec asks for something that pictures with this number of channels do not
 * support. */
MUST_CHECK enum status train_input_check_channels(const struct train_spec *spec, int channels,
                                                  struct error *err);

/* What the shorter side becomes when nothing else is said: the published 256 for 224. */
int train_input_shorter(int image_size);

#endif
