#include "service/http/page.h"

#include "api/ids.h"
#include "api/limits.h"

enum status page_parse(struct page *page, struct request *request, const char *id_prefix,
                       const char *more, struct error *err) {
    struct str names = STR_INIT;
    str_addf(&names, "limit after%s%s", more[0] ? " " : "", more);
    *page = (struct page){LIMIT_PAGE_DEFAULT, request_query(request, "after")};
    enum status status = request_check_query(request, str_text(&names), err);
    if (!status)
        status = request_query_int(request, "limit", 1, LIMIT_PAGE, &page->limit, err);
    if (!status && page->after &&
        !(id_prefix ? id_is_valid(page->after, id_prefix) : page->after[0] != '\0'))
        status = request_refuse(request, "after", page->after, "the next of the page before", err);
    str_release(&names);
    return status;
}

void page_begin(struct str *out) {
    str_add(out, "{\"items\":[");
}

void page_separate(struct str *out, int i) {
    str_add(out, i ? "," : "");
}

void page_end(struct str *out, const char *next) {
    str_add(out, "],\"next\":");
    if (next[0])
        str_add_json(out, next);
    else
        str_add(out, "null");
    str_add(out, "}");
}
