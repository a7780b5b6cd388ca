#include "engine/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

/* RFC 3339 has years of four digits: 0000-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z. */
#define FIRST_WALL_MS (-62167219200000)
#define LAST_WALL_MS 253402300799999

int64_t clock_mono_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_BYTES]) {
    if (wall_ms < FIRST_WALL_MS)
        wall_ms = FIRST_WALL_MS;
    if (wall_ms > LAST_WALL_MS)
        wall_ms = LAST_WALL_MS;
    int64_t ms = wall_ms % 1000;
    if (ms < 0) /* before 1970 the remainder is negative, the milliseconds are not */
        ms += 1000;
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char day[24], rest[24];
    strftime(day, sizeof day, "-%m-%dT%H:%M:%S", &utc);
    snprintf(rest, sizeof rest, ".%03uZ", (unsigned)ms % 1000u);
    snprintf(out, CLOCK_TEXT_BYTES, "%04u%.15s%.6s", ((unsigned)utc.tm_year + 1900u) % 10000u, day,
             rest);
}

/* Reads so many digits and moves behind them; -1 when there is something else. */
static int read_digits(const char **at, int count) {
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return -1;
        value = 10 * value + (**at - '0');
    }
    return value;
}

static bool read_mark(const char **at, const char *one_of) {
    for (; *one_of; one_of++)
        if (**at == *one_of) {
            (*at)++;
            return true;
        }
    return false;
}

/* "Z" or "+01:30", in minutes. */
static bool read_offset(const char **at, int *minutes) {
    *minutes = 0;
    if (read_mark(at, "Zz"))
        return true;
    bool west = **at == '-';
    if (!read_mark(at, "+-"))
        return false;
    int hour = read_digits(at, 2);
    if (hour < 0 || hour > 23 || !read_mark(at, ":"))
        return false;
    int minute = read_digits(at, 2);
    *minutes = (west ? -1 : 1) * (60 * hour + minute);
    return minute >= 0 && minute <= 59;
}

/* Whole milliseconds of ".123456"; digits after the third are dropped. */
static bool read_fraction(const char **at, int *ms) {
    *ms = 0;
    if (!read_mark(at, "."))
        return true;
    int scale = 100;
    const char *first = *at;
    for (; isdigit((unsigned char)**at); (*at)++, scale /= 10)
        *ms += scale * (**at - '0');
    return *at > first;
}

/* Seconds from 1970 to a day (year, month, day) that the calendar has. */
static bool day_begin(const int part[3], int64_t *seconds) {
    struct tm day = {.tm_year = part[0] - 1900, .tm_mon = part[1] - 1, .tm_mday = part[2]};
    *seconds = timegm(&day);
    return day.tm_mday == part[2]; /* 31 February has become 3 March */
}

bool clock_parse(const char *text, int64_t *wall_ms) {
    static const char *const marks[] = {"-", "-", "Tt ", ":", ":", ""};
    static const int most[] = {9999, 12, 31, 23, 59, 60}; /* 60: a leap second */
    int part[6], ms, offset_minutes;
    for (int i = 0; i < 6; i++) {
        part[i] = read_digits(&text, i ? 2 : 4);
        if (part[i] < (i == 1 || i == 2) || part[i] > most[i] ||
            (*marks[i] && !read_mark(&text, marks[i])))
            return false;
    }
    int64_t seconds;
    if (!read_fraction(&text, &ms) || !read_offset(&text, &offset_minutes) || *text ||
        !day_begin(part, &seconds))
        return false;
    seconds += 3600 * part[3] + 60 * (part[4] - offset_minutes) + part[5];
    *wall_ms = seconds * 1000 + ms;
    return true;
}

void clock_sleep_ms(int64_t duration_ms) {
    if (duration_ms <= 0)
        return;
    struct timespec left = {.tv_sec = (time_t)(duration_ms / 1000),
                            .tv_nsec = (long)(duration_ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}
