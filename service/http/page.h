/*
 * page.h - lists in pieces: ?limit= and ?after=, and {"items": [...], "next": cursor | null}.
 *
 * Threads: pure functions.
 */
#ifndef SERVICE_HTTP_PAGE_H
#define SERVICE_HTTP_PAGE_H

#include "service/http/request.h"

/* What piece of a list a request asks for. */
struct page {
    int limit;
    const char *after; /* cursor, or NULL for the beginning; the request's */
};

/* Reads the two parameters. The cursor must be an id with this prefix, or with NULL may be any
 * text. */
MUST_CHECK enum status page_parse(struct page *page, struct request *request, const char *id_prefix,
                                  struct error *err);

/* Appends the beginning of a list, what goes between two items, and its end. next "": the last. */
void page_begin(struct str *out);
void page_separate(struct str *out, int i); /* Before item i. */
void page_end(struct str *out, const char *next);

#endif
