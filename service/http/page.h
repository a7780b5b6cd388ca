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

/* Begins an answer that is a list, to which the caller appends items (str_json_item), and ends it.
 * next "": the last. */
struct str *page_begin(struct reply *reply);
void page_end(struct str *out, const char *next);

#endif
