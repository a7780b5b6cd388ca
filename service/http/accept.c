#include "service/http/accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One element of the header: "text/x;q=0.5". */
struct range {
    const char *type;
    size_t type_len;
    double quality;
};

/* Reads the element at *at and moves behind it; false at the end. */
static bool next_range(const char **at, struct range *range) {
    *at += strspn(*at, ", \t");
    if (!**at)
        return false;
    range->type = *at;
    range->type_len = strcspn(*at, ";, \t");
    range->quality = 1;
    const char *end = *at + strcspn(*at, ",");
    for (const char *p = *at + range->type_len; p && p < end; p = strchr(p + 1, ';')) {
        const char *parameter = p + strspn(p, "; \t");
        if (parameter < end && strncasecmp(parameter, "q=", 2) == 0)
            range->quality = strtod(parameter + 2, NULL);
    }
    *at = end;
    return true;
}

/* How exactly a range names a type: 3 fully, 2 by its first half, 1 as anything, 0 not. */
static int precision(const struct range *range, const char *type) {
    size_t half = strcspn(type, "/") + 1;
    if (range->type_len == strlen(type) && strncasecmp(range->type, type, range->type_len) == 0)
        return 3;
    if (range->type_len == half + 1 && strncasecmp(range->type, type, half) == 0 &&
        range->type[half] == '*')
        return 2;
    return range->type_len == 3 && memcmp(range->type, "*/*", 3) == 0;
}

/* The quality that the most precise range gives to a type. */
static double quality_of(const char *header, const char *type) {
    struct range range;
    int best = 0;
    double quality = 0;
    while (next_range(&header, &range)) {
        int found = precision(&range, type);
        if (found > best) {
            best = found;
            quality = range.quality;
        }
    }
    return quality;
}

int accept_best(const char *header, const char *const *types, int type_count) {
    if (!header || !*header)
        return 0;
    int best = -1;
    double best_quality = 0;
    for (int i = 0; i < type_count; i++) {
        double quality = quality_of(header, types[i]);
        if (quality > best_quality) {
            best = i;
            best_quality = quality;
        }
    }
    return best;
}
