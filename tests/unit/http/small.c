/* Small parts of the HTTP layer: Accept, Range, query parameters, bodies, crews, streams. */
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/spec/train_spec.h"
#include "service/http/accept.h"
#include "service/http/body.h"
#include "service/http/byte_range.h"
#include "service/http/content_range.h"
#include "service/http/crew.h"
#include "service/http/request.h"
#include "tests/support/t.h"

static void negotiates_types(void) {
    static const char *const types[] = {"application/json", "text/csv", "text/event-stream"};
    static const struct {
        const char *header;
        int best;
    } rows[] = {
        {NULL, 0},
        {"", 0},
        {"*/*", 0},
        {"text/csv", 1},
        {"Text/CSV", 1},
        {"text/*", 1},
        {"text/event-stream", 2},
        {"text/event-stream, */*;q=0.1", 2},
        {"text/csv;q=0.5, text/event-stream;q=0.9", 2},
        {"text/csv; q=0.9 ,application/json;q=0.8", 1},
        {"text/*, text/csv;q=0", 2},
        {"image/png", -1},
        {"application/json;q=0", -1},
        {"text/html, application/xhtml+xml, */*;q=0.8", 0},
        {",,;q=, text/csv", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (accept_best(rows[i].header, types, 3) != rows[i].best)
            T_FAIL("\"%s\" gives %d", rows[i].header, accept_best(rows[i].header, types, 3));
}

static void reads_content_ranges(void) {
    static const struct {
        const char *header;
        int64_t first, last, total;
    } rows[] = {
        {"bytes 0-0/1", 0, 0, 1},
        {"bytes 5-9/10", 5, 9, 10},
        {"bytes 5-9/9223372036854775807", 5, 9, INT64_MAX},
        {"bytes 5-9/*", 5, 9, -1},
        {"bytes */10", 10, 9, 10},
    };
    static const char *const wrong[] = {"",
                                        "bytes",
                                        "bytes 0-9",
                                        "bytes=0-9/10",
                                        "bytes 0-9/9",
                                        "bytes 9-0/10",
                                        "bytes -9/10",
                                        "bytes 0-/10",
                                        "bytes 0-9/",
                                        "bytes */*",
                                        "bytes */",
                                        "bytes +0-9/10",
                                        "bytes 0-9/10 ",
                                        "bytes 0-9/9223372036854775808",
                                        "octets 0-9/10",
                                        "bytes */-1"};
    struct content_range range;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        T_CHECK(content_range_parse(rows[i].header, &range));
        T_INT(range.first, rows[i].first);
        T_INT(range.last, rows[i].last);
        T_INT(range.total, rows[i].total);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (content_range_parse(wrong[i], &range))
            T_FAIL("\"%s\" is taken", wrong[i]);
}

static void reads_ranges(void) {
    static const struct {
        const char *header;
        uint64_t size;
        enum byte_range_kind kind;
        uint64_t first, last;
    } rows[] = {
        {"bytes=0-0", 10, BYTE_RANGE_PART, 0, 0},
        {"bytes=2-4", 10, BYTE_RANGE_PART, 2, 4},
        {"bytes=9-", 10, BYTE_RANGE_PART, 9, 9},
        {"bytes=0-99", 10, BYTE_RANGE_PART, 0, 9},
        {"bytes=-3", 10, BYTE_RANGE_PART, 7, 9},
        {"bytes=-99", 10, BYTE_RANGE_PART, 0, 9},
        {"bytes=10-", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-", 0, BYTE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=4-2", 10, BYTE_RANGE_NONE, 0, 0},
        {"bytes=0-1,3-4", 10, BYTE_RANGE_NONE, 0, 0},
        {"bytes=a-b", 10, BYTE_RANGE_NONE, 0, 0},
        {"bytes=", 10, BYTE_RANGE_NONE, 0, 0},
        {"lines=0-1", 10, BYTE_RANGE_NONE, 0, 0},
        {"bytes=99999999999999999999999999-1", 10, BYTE_RANGE_NONE, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct byte_range range = {0, 0};
        enum byte_range_kind kind = byte_range_parse(rows[i].header, rows[i].size, &range);
        if (kind != rows[i].kind)
            T_FAIL("%s gives %d", rows[i].header, kind);
        if (kind == BYTE_RANGE_PART) {
            T_INT(range.first, rows[i].first);
            T_INT(range.last, rows[i].last);
        }
    }
}

static void reads_query_parameters(void) {
    struct target target;
    struct field_errors wrong = {.count = 0};
    struct request request = {.route = "dataset_samples", .target = &target, .wrong = &wrong};
    struct error err = {0};
    T_INT(target_parse(&target, "/x?limit=7&split=test", &err), STATUS_OK);
    T_INT(request_check_query(&request, &err), STATUS_OK);
    T_INT(request_query_value(&request, "limit"), 7);
    T_INT(request_query_value(&request, "split"), SPLIT_TEST);
    T_INT(request_query_value(&request, "offset"), 0);
    target_release(&target);
    T_INT(target_parse(&target, "/x?follow=1", &err), STATUS_OK);
    request.route = "job_logs";
    T_INT(request_check_query(&request, &err), STATUS_OK);
    T_CHECK(request_query_value(&request, "follow"));
    T_INT(request_query_value(&request, "tail"), LIMIT_LOG_LINES);
    request.route = "health";
    T_INT(request_check_query(&request, &err), STATUS_OK);
    target_release(&target);
}

static void refuses_query_parameters(void) {
    static const struct {
        const char *route, *query, *message;
    } rows[] = {
        {"job_show", "many=a", "unknown parameter \"many\""},
        {"schema", "wait_s=1", "unknown parameter \"wait_s\""},
        {"job_show", "wait_s=61", "wait_s must be 0 to 60, not \"61\""},
        {"job_show", "wait_s=1s", "wait_s must be 0 to 60, not \"1s\""},
        {"job_create", "dry_run=yes", "dry_run must be true or false, not \"yes\""},
        {"dataset_samples", "split=all", "split must be train or test, not \"all\""},
        {"job_events", "format=csv", "format must be one of json, stream, not \"csv\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target target;
        struct field_errors wrong = {.count = 0};
        struct request request = {.route = rows[i].route, .target = &target, .wrong = &wrong};
        struct error err = {0};
        struct str raw = STR_INIT;
        str_addf(&raw, "/x?%s", rows[i].query);
        T_INT(target_parse(&target, str_text(&raw), &err), STATUS_OK);
        T_INT(request_check_query(&request, &err), STATUS_INVALID);
        T_STR(err.message, rows[i].message);
        T_INT(wrong.count, 1);
        target_release(&target);
        str_release(&raw);
    }
}

static void bounds_bodies(void) {
    struct body_budget budget = {.max_bytes = 10000};
    struct body one = {.max_bytes = 5000, .budget = &budget};
    struct body two = {.max_bytes = 5000, .budget = &budget};
    char bytes[5001];
    memset(bytes, 'x', sizeof bytes);
    T_INT(body_add(&one, bytes, 10, NULL), STATUS_OK);
    T_STR(one.data, "xxxxxxxxxx");
    T_INT(body_add(&one, bytes, 4991, NULL), STATUS_TOO_LARGE);
    T_INT(body_add(&one, bytes, 4990, NULL), STATUS_OK);
    T_INT(one.len, 5000);
    T_INT(body_add(&two, bytes, 5000, NULL), STATUS_UNAVAILABLE);
    body_release(&one);
    T_INT(body_add(&two, bytes, 5000, NULL), STATUS_OK);
    body_release(&two);
    T_INT(budget.used_bytes, 0);
}

struct counting {
    struct task task;
    atomic_int *ran, *gate;
};

static void count_run(struct task *task) {
    struct counting *counting = (struct counting *)task;
    while (atomic_load(counting->gate) == 0)
        clock_sleep_ms(1);
    atomic_fetch_add(counting->ran, 1);
}

static void crews_run_all_and_bound_the_queue(void) {
    atomic_int ran = 0, gate = 0;
    struct counting work[8];
    struct crew *crew = crew_create(1, 3);
    int accepted = 0;
    for (int i = 0; i < 8; i++) {
        work[i] = (struct counting){.task.run = count_run, .ran = &ran, .gate = &gate};
        accepted += crew_submit(crew, &work[i].task, NULL) == STATUS_OK;
    }
    T_CHECK(accepted == 3 || accepted == 4); /* three wait; the thread may hold one already */
    atomic_store(&gate, 1);
    crew_free(crew);
    T_INT(ran, accepted);
}

int main(void) {
    T_RUN(negotiates_types);
    T_RUN(reads_ranges);
    T_RUN(reads_content_ranges);
    T_RUN(reads_query_parameters);
    T_RUN(refuses_query_parameters);
    T_RUN(bounds_bodies);
    T_RUN(crews_run_all_and_bound_the_queue);
    return t_done();
}
