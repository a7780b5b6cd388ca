/*
 * blobs.h - the pictures of data sets are stored once, however many data sets have them.
 *
 *     blobs/<sha256>/train.safetensors, test.safetensors    named by the data set's digest
 *
 * The files of a data set are hard links to them: what a data set names cannot go away under it,
 * and a blob that no data set has any more is one that has a single link. So nothing has to be
 * counted or locked: a sweep that meets an import takes at most a name from a blob that the
 * import's own link keeps. Equal digests alone are not believed: bytes are compared before they are
 * shared. On a file system without hard links nothing is shared.
 *
 * Errors:  file errors as in base/file.h.
 * Threads: any.
 */
#ifndef SERVICE_STORE_BLOBS_H
#define SERVICE_STORE_BLOBS_H

#include "engine/base/file.h"

/* Lets the files of a folder that dataset_write has filled, of this digest, be the blob's. Takes as
 * long as reading both when there is such a blob. */
MUST_CHECK enum status blobs_share(const char *data, const char *sha256, const char *folder,
                                   struct error *err);

/* Removes the blobs that no data set has. */
MUST_CHECK enum status blobs_sweep(const char *data, struct error *err);

/* Bytes of all pictures that are stored, shared ones counted once, and those of a folder that has
 * no name yet (or NULL). */
MUST_CHECK enum status blobs_usage(const char *data, const char *folder, int64_t *bytes,
                                   struct error *err);

#endif
