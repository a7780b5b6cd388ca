/*
 * embedded.h - the files that the build puts into the program, so that one file is all there is to
 * install: the contract, and the page that shows it.
 *
 * Threads: constants.
 */
#ifndef SERVICE_HTTP_EMBEDDED_H
#define SERVICE_HTTP_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* without a folder */
    const unsigned char *bytes;
    size_t size;
};

/* The file of that name, or NULL if the build was without it. */
const struct embedded_file *embedded_find(const char *name);

#endif
