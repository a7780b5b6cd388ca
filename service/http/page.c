#include "service/http/page.h"

#include "api/ids.h"

enum status page_parse(struct page *page, struct request *request, const char *id_prefix,
                       struct error *err) {
    *page =
        (struct page){(int)request_query_value(request, "limit"), request_query(request, "after")};
    if (!page->after || (id_prefix ? id_is_valid(page->after, id_prefix) : page->after[0] != '\0'))
        return STATUS_OK;
    return request_refuse(request, "after", page->after, "the next of the page before", err);
}

struct str *page_begin(struct reply *reply) {
    struct str *out = reply_json(reply, HTTP_OK);
    str_add(out, "{\"items\":[");
    return out;
}

void page_end(struct str *out, const char *next) {
    str_add(out, "],\"next\":");
    if (next[0])
        str_add_json(out, next);
    else
        str_add(out, "null");
    str_add(out, "}");
}
