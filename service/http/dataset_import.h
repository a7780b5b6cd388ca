/*
 * dataset_import.h - an import on its way: it takes as long as reading and writing all pictures, so
 * a thread of the crew does it while the request is suspended. Private to the handlers of data sets
 * and uploads.
 *
 * Ownership: the import is the first member of what request->state points to, or all of it.
 * Threads:   as in chore.h.
 */
#ifndef SERVICE_HTTP_DATASET_IMPORT_H
#define SERVICE_HTTP_DATASET_IMPORT_H

#include "service/http/app.h"
#include "service/http/chore.h"
#include "service/store/uploads.h"

struct import {
    struct chore chore;           /* first */
    struct dataset_request asked; /* a folder on the server, */
    char upload[ID_BYTES];        /* or an upload, if this is not "" */
    struct dataset_entry entry;
};

/* Suspends the request, imports, and answers with the data set or what is wrong. */
void import_start(struct import *import, struct request *request);

void import_release(struct import *import); /* Zeroed or started. */

#endif
