/*
 * images.h - data sets of JPEG and PNG files; for the files of engine/data only.
 *
 * A split is a folder, a .tar or a .tar.gz of a folder for each class: train, and test or val.
 * Classes are the names of the training split's folders, sorted by byte. Pictures stand in an order
 * of their own, so that a folder and its archive are the same data set: the first of each class, by
 * name, then the second of each, and so on; the first thousand are a sample of all. Names that
 * begin with a dot are passed over, and so is what is not called .jpg, .jpeg or .png, unless it is
 * called like another kind of picture: that is an error, so that no picture is lost silently. Links
 * are refused: what an import reads lies under its root.
 *
 * Errors:  CORRUPT with the place and what to do, as in dataset.h.
 * Threads: as in dataset_internal.h.
 */
#ifndef ENGINE_DATA_IMAGES_H
#define ENGINE_DATA_IMAGES_H

#include "engine/data/dataset_internal.h"
#include "engine/data/encoded.h"

/* Appends the pictures below list->place, a folder, as "class/name". */
MUST_CHECK enum status images_list_folder(struct encoded *list, struct error *err);

/* The same for an archive's bytes; a folder `top` around all is taken off. */
MUST_CHECK enum status images_list_archive(struct encoded *list, const void *bytes, size_t len,
                                           const char *top, struct error *err);

/* Adds an empty list to a data set being opened, which owns it and its pictures' labels. */
struct encoded *images_add_list(struct dataset *dataset, enum part part, const char *place);

/* Reads and decodes every picture, by as many threads as there are processors: fills or compares
 * the digests, and sets mean and deviation, each picture counting the same. CORRUPT lists what
 * cannot be used. */
MUST_CHECK enum status images_inspect(struct dataset *dataset, const struct dataset_watch *watch,
                                      struct error *err);

/* Pictures, ends and digests of an imported file's part, as images_write left them. */
struct safetensors;
MUST_CHECK enum status images_take(struct dataset *dataset, enum part part,
                                   const struct safetensors *file, struct error *err);

/* The file has such a part; looks at types and shapes only. */
MUST_CHECK enum status images_check(const struct safetensors *file, struct error *err);

/* Copies the pictures and labels of a split into one file, atomically. */
MUST_CHECK enum status images_write(const struct split *split, const char *path, struct error *err);

#endif
