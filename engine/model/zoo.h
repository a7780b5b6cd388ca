/*
 * zoo.h - architectures by name.
 *
 * A new architecture is one file with a build function and a row in zoo.c.
 */
#ifndef ENGINE_MODEL_ZOO_H
#define ENGINE_MODEL_ZOO_H

#include "engine/graph/build.h"

struct architecture;

/* Appends the network's ops behind x (normalised, [n,h,w,c]); returns the logits [n,1,1,classes].
 */
typedef int architecture_build_fn(const struct architecture *architecture, struct builder *builder,
                                  int x, int classes);

/* Whose layers and names of tensors an architecture has, and what the original is made for. */
struct origin {
    const char *name;  /* "torchvision" */
    int side, classes; /* of the pictures, of the data set */
    int side_multiple; /* height and width of any pictures are multiples of it */
    bool drops_paths;  /* the family knows builder.drop_path */
};

struct architecture {
    const char *name;     /* "resnet8x4" */
    const char *sentence; /* for lists */
    architecture_build_fn *build;
    const struct origin *origin;
    int depth, width; /* parameters of the family */
};

/* All architectures, in the order of the documentation; a NULL name ends the table. */
extern const struct architecture zoo[];

/* The architecture of that name, or NULL. */
const struct architecture *zoo_find(const char *name);

/* INVALID, with that field ("" for none) and the nearest name or all, if none has that name. */
MUST_CHECK enum status zoo_check(const char *name, const char *field, struct error *err);

/* Appends "resnet8, resnet14, ..." for messages. */
void zoo_add_names(struct str *out);

#endif
