#include "service/http/byte_range.h"

#include "engine/base/str.h"

#include <string.h>

enum { NUMBER_BYTES = 24 };

enum byte_range_kind byte_range_parse(const char *header, uint64_t size, struct byte_range *range) {
    static const char unit[] = "bytes=";
    char first[NUMBER_BYTES];
    if (!str_has_prefix(header, unit))
        return BYTE_RANGE_NONE;
    header += sizeof unit - 1;
    size_t len = strcspn(header, "-");
    const char *last = header + len + 1;
    if (header[len] != '-' || len >= sizeof first)
        return BYTE_RANGE_NONE;
    memcpy(first, header, len);
    first[len] = '\0';
    uint64_t from, to = size ? size - 1 : 0;
    if (len == 0) { /* the last so many */
        if (!str_parse_u64(last, &from))
            return BYTE_RANGE_NONE;
        *range = (struct byte_range){from < size ? size - from : 0, to};
        return from && size ? BYTE_RANGE_PART : BYTE_RANGE_UNSATISFIABLE;
    }
    if (!str_parse_u64(first, &from) || (*last && (!str_parse_u64(last, &to) || to < from)))
        return BYTE_RANGE_NONE;
    *range = (struct byte_range){from, to < size ? to : size - 1};
    return from < size ? BYTE_RANGE_PART : BYTE_RANGE_UNSATISFIABLE;
}
