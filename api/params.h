/*
 * params.h - what the query of a request may have: the table made from api/routes.def.
 *
 * Threads: a constant table, pure functions.
 */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "engine/base/str.h"

enum param_type {
    PARAM_INT,  /* a whole number from min to max */
    PARAM_BOOL, /* true or false, or 1 or 0 */
    PARAM_WORD, /* one of words */
    PARAM_TEXT  /* anything: its handler checks it */
};

struct param {
    const char *route, *name;
    enum param_type type;
    int64_t min, max;
    int64_t usual; /* what holds when it is not given; of a word its place, or -1: none */
    const char *const *words; /* NULL ends them */
    const char *range;        /* the words in a sentence; NULL: "one of a, b, c" */
};
extern const struct param params[];
extern const int param_count;

/* The row of a parameter that this route knows, or NULL. */
const struct param *param_find(const char *route, const char *name);

/* The route takes any parameters: nobody looks at them, or the handler by a table of its own. */
bool params_are_open(const char *route);

/* Reads a value: a number, whether it is true, or the place of a word (text is left alone); false
 * when the parameter may not have it. */
bool param_read(const struct param *param, const char *text, int64_t *value);

/* Appends the values that a parameter may have, in words. */
void param_add_range(const struct param *param, struct str *out);

#endif
