#include "engine/base/clock.h"

#include "tests/support/t.h"

#include <signal.h>
#include <sys/time.h>

static const char *format(int64_t wall_ms) {
    static char text[CLOCK_TEXT_BYTES];
    clock_format(wall_ms, text);
    return text;
}

static void test_format(void) {
    T_STR(format(0), "1970-01-01T00:00:00.000Z");
    T_STR(format(1769860800123), "2026-01-31T12:00:00.123Z");
    T_STR(format(951782399999), "2000-02-28T23:59:59.999Z");
    T_STR(format(951782400000), "2000-02-29T00:00:00.000Z");
    T_STR(format(-1), "1969-12-31T23:59:59.999Z");
    T_STR(format(-1000), "1969-12-31T23:59:59.000Z");
}

static void test_format_stays_within_four_digits(void) {
    T_STR(format(INT64_MAX), "9999-12-31T23:59:59.999Z");
    T_STR(format(INT64_MIN), "0000-01-01T00:00:00.000Z");
}

static void test_parse(void) {
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2026-01-31T12:00:00.123Z", 1769860800123},
                {"2026-01-31T13:30:00.1239+01:30", 1769860800123},
                {"2026-01-31t07:00:00-05:00", 1769860800000},
                {"2000-02-29 00:00:00z", 951782400000},
                {"2000-02-28T23:59:60Z", 951782400000},
                {"2000-02-28T23:30:00-00:30", 951782400000},
                {"2000-03-01T00:30:00+00:30", 951868800000},
                {"0000-02-29T00:00:00Z", -62162121600000}};
    static const char *const bad[] = {"",
                                      "tomorrow",
                                      "2026-01-31",
                                      "2026-01-31T12:00:00",
                                      "2026-01-31T12:00:00.Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-02-31T00:00:00Z",
                                      "2026-02-29T00:00:00-23:00",
                                      "1900-02-29T00:00:00Z",
                                      "2026-04-31T12:00:00Z",
                                      "2026-01-31T24:00:00Z",
                                      "2026-01-31T12:00:00+24:00",
                                      "2026-01-31T12:00:00+0100",
                                      "2026-01-31T12:00:00Zx",
                                      "26-01-31T12:00:00Z",
                                      "+026-01-31T12:00:00Z"};
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        T_CHECK(clock_parse(good[i].text, &ms));
        T_INT(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (clock_parse(bad[i], &ms))
            T_FAIL("%s was read", bad[i]);
}

static void test_clocks_advance(void) {
    int64_t mono = clock_mono_ns(), wall = clock_wall_ms();
    T_CHECK(wall > 1700000000000);
    clock_sleep_ms(20);
    T_CHECK(clock_mono_ns() - mono >= 20000000);
    T_CHECK(clock_mono_ns() - mono < 30000000000);
}

static void ignore(int number) {
    (void)number;
}

static void test_sleep_goes_on_after_signals(void) {
    struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    int64_t start = clock_mono_ns();
    clock_sleep_ms(40);
    T_CHECK(clock_mono_ns() - start >= 40000000);
    timer = (struct itimerval){0};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void test_no_sleep(void) {
    int64_t start = clock_mono_ns();
    clock_sleep_ms(0);
    clock_sleep_ms(-60000);
    T_CHECK(clock_mono_ns() - start < 30000000000);
}

int main(void) {
    T_RUN(test_format);
    T_RUN(test_format_stays_within_four_digits);
    T_RUN(test_parse);
    T_RUN(test_clocks_advance);
    T_RUN(test_sleep_goes_on_after_signals);
    T_RUN(test_no_sleep);
    return t_done();
}
