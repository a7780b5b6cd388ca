/*
 * clock.h - time.
 *
 * Units: nanoseconds for the monotonic clock, milliseconds since 1970 UTC for the wall clock.
 */
#ifndef ENGINE_BASE_CLOCK_H
#define ENGINE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_TEXT_BYTES = 32, NS_PER_MS = 1000000 };

int64_t clock_mono_ns(void); /* Never jumps; for durations. */
int64_t clock_wall_ms(void); /* The time of day; may jump. */

/* RFC 3339 in UTC with milliseconds: 2026-01-31T12:00:00.000Z. */
void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_BYTES]);

/* Reads RFC 3339 with any offset from UTC; false when it is something else. */
bool clock_parse(const char *text, int64_t *wall_ms);

void clock_sleep_ms(int64_t duration_ms); /* Sleeps at least so long, through signals. */

#endif
