#include "engine/base/clock.h"

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

void clock_sleep_ms(int64_t duration_ms) {
    if (duration_ms <= 0)
        return;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(duration_ms / 1000);
    end.tv_nsec += (long)(duration_ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        continue;
}
