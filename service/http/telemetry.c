#include "service/http/telemetry.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "service/http/router.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Upper bounds of the histogram's buckets, in seconds; the last, +Inf, is not listed. */
static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,  0.5,    1,     2.5,  5,     10};
enum { BOUND_COUNT = sizeof bounds / sizeof bounds[0], CODE_MIN = 100, CODE_COUNT = 500 };

static const double NS_PER_S = 1e9;

struct route_counters {
    _Atomic uint64_t bucket[BOUND_COUNT + 1];
    _Atomic uint64_t total_ns;
    _Atomic uint64_t code[CODE_COUNT]; /* from CODE_MIN */
};

struct telemetry {
    double started_s;
    _Atomic uint64_t predictions;
    struct route_counters *routes; /* [route_count + 1]; the last is for unknown paths */
};

struct telemetry *telemetry_create(void) {
    struct telemetry *telemetry = xcalloc(1, sizeof *telemetry);
    telemetry->started_s = (double)clock_wall_ms() * 1e-3;
    telemetry->routes = xcalloc((size_t)route_count + 1, sizeof *telemetry->routes);
    return telemetry;
}

void telemetry_free(struct telemetry *telemetry) {
    if (!telemetry)
        return;
    free(telemetry->routes);
    free(telemetry);
}

void telemetry_request(struct telemetry *telemetry, const struct route *route, int code,
                       double seconds) {
    if (code < CODE_MIN || code >= CODE_MIN + CODE_COUNT)
        return;
    struct route_counters *counters = &telemetry->routes[route ? route - routes : route_count];
    int bucket = 0;
    while (bucket < BOUND_COUNT && seconds > bounds[bucket])
        bucket++;
    atomic_fetch_add(&counters->bucket[bucket], 1);
    atomic_fetch_add(&counters->total_ns, (uint64_t)(seconds * NS_PER_S));
    atomic_fetch_add(&counters->code[code - CODE_MIN], 1);
}

void telemetry_predictions(struct telemetry *telemetry, int pictures) {
    atomic_fetch_add(&telemetry->predictions, (uint64_t)pictures);
}

void telemetry_add_help(struct str *out, const char *name, const char *type, const char *help) {
    str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *route_name(int i) {
    return i < route_count ? routes[i].name : "none";
}

static void add_codes(const struct telemetry *telemetry, struct str *out) {
    static const char name[] = "distilld_http_requests_total";
    telemetry_add_help(out, name, "counter", "Requests that were answered.");
    for (int i = 0; i <= route_count; i++)
        for (int code = 0; code < CODE_COUNT; code++) {
            uint64_t count = atomic_load(&telemetry->routes[i].code[code]);
            if (count)
                str_addf(out, "%s{route=\"%s\",code=\"%d\"} %llu\n", name, route_name(i),
                         code + CODE_MIN, (unsigned long long)count);
        }
}

static void add_histogram(const struct route_counters *counters, const char *route,
                          struct str *out) {
    static const char name[] = "distilld_http_request_duration_seconds";
    unsigned long long sum = 0;
    for (int i = 0; i <= BOUND_COUNT; i++) {
        sum += atomic_load(&counters->bucket[i]);
        str_addf(out, "%s_bucket{route=\"%s\",le=\"", name, route);
        if (i < BOUND_COUNT)
            str_add_double(out, bounds[i]);
        str_addf(out, "%s\"} %llu\n", i < BOUND_COUNT ? "" : "+Inf", sum);
    }
    str_addf(out, "%s_sum{route=\"%s\"} ", name, route);
    str_add_double(out, (double)atomic_load(&counters->total_ns) / NS_PER_S);
    str_addf(out, "\n%s_count{route=\"%s\"} %llu\n", name, route, sum);
}

static bool was_used(const struct route_counters *counters) {
    for (int i = 0; i <= BOUND_COUNT; i++)
        if (atomic_load(&counters->bucket[i]))
            return true;
    return false;
}

/* Resident memory from /proc, 0 where that does not exist. */
static unsigned long long resident_bytes(void) {
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void add_process(const struct telemetry *telemetry, struct str *out) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    telemetry_add_help(out, "process_resident_memory_bytes", "gauge", "Memory in use.");
    str_addf(out, "process_resident_memory_bytes %llu\n", resident_bytes());
    telemetry_add_help(out, "process_cpu_seconds_total", "counter", "Processor time spent.");
    str_addf(out, "process_cpu_seconds_total %.3f\n",
             (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6);
    telemetry_add_help(out, "process_start_time_seconds", "gauge", "When the process started.");
    str_addf(out, "process_start_time_seconds %.3f\n", telemetry->started_s);
}

void telemetry_add_text(const struct telemetry *telemetry, struct str *out) {
    add_codes(telemetry, out);
    telemetry_add_help(out, "distilld_http_request_duration_seconds", "histogram",
                       "Time from the request line to the end of the answer.");
    for (int i = 0; i <= route_count; i++)
        if (was_used(&telemetry->routes[i]))
            add_histogram(&telemetry->routes[i], route_name(i), out);
    telemetry_add_help(out, "distilld_predictions_total", "counter", "Pictures classified.");
    str_addf(out, "distilld_predictions_total %llu\n",
             (unsigned long long)atomic_load(&telemetry->predictions));
    add_process(telemetry, out);
}
