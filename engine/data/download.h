/*
 * download.h - fetches the known data sets from their official addresses with the curl program.
 *
 * A download resumes where it stopped, is checked against the published checksum, and is visible
 * under its name only when whole. The environment variable DISTILL_MIRROR names another place to
 * take the files from: a folder or an address.
 */
#ifndef ENGINE_DATA_DOWNLOAD_H
#define ENGINE_DATA_DOWNLOAD_H

#include "engine/base/status.h"

#include <stdbool.h>

/* Calls back with a line of progress text. */
typedef void download_progress_fn(void *ctx, const char *file, double fraction);

/* Puts the data set (cifar10, cifar100, mnist, fashion_mnist) into folder, ready for
 * dataset_open. INVALID for an unknown name (the message lists the known ones), UNAVAILABLE when
 * the place does not answer, CORRUPT for a wrong checksum. */
MUST_CHECK enum status download_dataset(const char *name, const char *folder,
                                        download_progress_fn *progress, void *ctx,
                                        struct error *err);

#endif
