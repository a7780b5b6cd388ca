/*
 * t.h - a very small test framework: checks that go on after a failure, and a summary.
 *
 * A test is a program: call T_RUN(function) for each case and return t_done(). A failed check
 * prints file, line and both values, is counted, and the case continues; t_done prints
 * "N passed, N failed" and returns the exit status.
 */
#ifndef TESTS_SUPPORT_T_H
#define TESTS_SUPPORT_T_H

#include "engine/base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int t_failures, t_cases, t_failed_cases;

#define T_FAIL(...)                                                                                \
    do {                                                                                           \
        t_failures++;                                                                              \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
    } while (0)

/* The condition holds. */
#define T_CHECK(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            T_FAIL("%s is false", #condition);                                                     \
    } while (0)

/* Two integers are equal. */
#define T_INT(actual, expected)                                                                    \
    do {                                                                                           \
        long long t_a = (long long)(actual), t_e = (long long)(expected);                          \
        if (t_a != t_e)                                                                            \
            T_FAIL("%s is %lld, expected %lld", #actual, t_a, t_e);                                \
    } while (0)

/* Two strings are equal. */
#define T_STR(actual, expected)                                                                    \
    do {                                                                                           \
        const char *t_a = (actual), *t_e = (expected);                                             \
        if (!t_a || !t_e || strcmp(t_a, t_e) != 0)                                                 \
            T_FAIL("%s is \"%s\", expected \"%s\"", #actual, t_a ? t_a : "(null)",                 \
                   t_e ? t_e : "(null)");                                                          \
    } while (0)

/* The first string contains the second. */
#define T_CONTAINS(text, part)                                                                     \
    do {                                                                                           \
        const char *t_a = (text), *t_e = (part);                                                   \
        if (!t_a || !strstr(t_a, t_e))                                                             \
            T_FAIL("%s is \"%s\", which does not contain \"%s\"", #text, t_a ? t_a : "(null)",     \
                   t_e);                                                                           \
    } while (0)

/* Two numbers differ by at most the tolerance; NaN never does. */
#define T_NEAR(actual, expected, tolerance)                                                        \
    do {                                                                                           \
        double t_a = (actual), t_e = (expected);                                                   \
        if (!(fabs(t_a - t_e) <= (tolerance)))                                                     \
            T_FAIL("%s is %.12g, expected %.12g within %g", #actual, t_a, t_e,                     \
                   (double)(tolerance));                                                           \
    } while (0)

#define T_RUN(function)                                                                            \
    do {                                                                                           \
        int t_before = t_failures;                                                                 \
        function();                                                                                \
        t_cases++;                                                                                 \
        if (t_failures != t_before) {                                                              \
            t_failed_cases++;                                                                      \
            fprintf(stderr, "FAILED %s\n", #function);                                             \
        }                                                                                          \
    } while (0)

static inline int t_done(void) {
    printf("%d passed, %d failed\n", t_cases - t_failed_cases, t_failed_cases);
    return t_failures ? 1 : 0;
}

enum { T_TEMP_DIRS = 4 };
static char t_dir[T_TEMP_DIRS][256];
static int t_dirs;
static pid_t t_owner; /* of the directories: a child that ends leaves them */

static inline void t_remove_dirs(void) {
    for (int i = 0; t_owner == getpid() && i < t_dirs; i++)
        if (file_remove_all(t_dir[i], NULL))
            fprintf(stderr, "%s is left behind\n", t_dir[i]);
}

/* A fresh directory under TMPDIR or the system's folder for temporary files. It goes with the
 * process. */
static inline const char *t_temp_dir(void) {
    const char *base = getenv("TMPDIR");
    if (t_dirs == T_TEMP_DIRS || (t_dirs == 0 && atexit(t_remove_dirs) != 0))
        abort();
    t_owner = getpid();
    char *path = t_dir[t_dirs++];
    snprintf(path, sizeof t_dir[0], "%s/distill-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path))
        abort();
    return path;
}

#endif
