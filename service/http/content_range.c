#include "service/http/content_range.h"

#include "engine/base/str.h"

#include <string.h>

enum { NUMBER_BYTES = 24 };

/* The number that ends before the character; the text behind that, or NULL. */
static const char *take_number(const char *text, char end, int64_t *number) {
    char digits[NUMBER_BYTES];
    const char *at = text ? strchr(text, end) : NULL;
    if (!at || (size_t)(at - text) >= sizeof digits || *text == '+' || *text == '-')
        return NULL;
    memcpy(digits, text, (size_t)(at - text));
    digits[at - text] = '\0';
    return str_parse_i64(digits, number) ? at + 1 : NULL;
}

bool content_range_parse(const char *header, struct content_range *range) {
    static const char unit[] = "bytes ";
    if (!str_has_prefix(header, unit))
        return false;
    header += sizeof unit - 1;
    if (header[0] == '*' && header[1] == '/') {
        bool known = take_number(header + 2, '\0', &range->total) != NULL;
        range->first = range->total;
        range->last = range->total - 1;
        return known;
    }
    const char *rest = take_number(header, '-', &range->first);
    rest = take_number(rest, '/', &range->last);
    if (!rest || range->last < range->first)
        return false;
    range->total = -1;
    if (str_equal(rest, "*"))
        return true;
    return take_number(rest, '\0', &range->total) && range->total > range->last;
}
