#include "service/http/target.h"

#include "tests/support/t.h"

static struct target parsed(const char *raw) {
    struct target target;
    struct error err = {0};
    if (target_parse(&target, raw, &err))
        T_FAIL("%s: %s", raw, err.message);
    return target;
}

static void splits_path_and_query(void) {
    struct target target = parsed("/jobs/job_1/metrics?since=4&format=csv&flag");
    T_INT(target.segment_count, 3);
    T_STR(target.segment[0], "jobs");
    T_STR(target.segment[2], "metrics");
    T_INT(target.param_count, 3);
    T_STR(target_param(&target, "since"), "4");
    T_STR(target_param(&target, "format"), "csv");
    T_STR(target_param(&target, "flag"), "");
    T_CHECK(target_param(&target, "sinc") == NULL);
    target_release(&target);
}

static void decodes_after_splitting(void) {
    struct target target = parsed("/a%20b/c+d?x%3Dy=1%262&z=a+b%2Fc&%C3%BC=%E2%82%AC");
    T_INT(target.segment_count, 2);
    T_STR(target.segment[0], "a b");
    T_STR(target.segment[1], "c+d");
    T_STR(target_param(&target, "x=y"), "1&2");
    T_STR(target_param(&target, "z"), "a b/c");
    T_STR(target_param(&target, "\xC3\xBC"), "\xE2\x82\xAC");
    target_release(&target);
}

static void knows_root_empty_parts_and_absolute_form(void) {
    struct target target = parsed("/");
    T_INT(target.segment_count, 0);
    target_release(&target);
    target = parsed("/jobs/");
    T_INT(target.segment_count, 2);
    T_STR(target.segment[1], "");
    target_release(&target);
    target = parsed("https://example.org/jobs");
    T_STR(target.segment[0], "jobs");
    target_release(&target);
    target = parsed("http://example.org:80/jobs?limit=3&&");
    T_INT(target.segment_count, 1);
    T_STR(target_param(&target, "limit"), "3");
    target_release(&target);
    target = parsed("HTTP://example.org");
    T_INT(target.segment_count, 0);
    target_release(&target);
}

static void refuses_what_is_ambiguous(void) {
    static const char *const bad[] = {
        "",
        "jobs",
        "*",
        "ftp://x/jobs",
        "/a%2fb",
        "/a%2Fb",
        "/a%00b",
        "/a?x=%00",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a%2",
        "/./a",
        "/a/..",
        "/%2e%2e/a",
        "/a/%2E",
        "/a\x01",
        "/a%0d%0a",
        "/a?x=%0a",
        "/a?x=1&x=2",
        "/a?x&x=",
        "/a%ff",
        "/a%c0%ae",
        "/a%ed%a0%80",
        "/1/2/3/4/5/6/7/8/9",
        "/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct target target;
        struct error err = {0};
        enum status status = target_parse(&target, bad[i], &err);
        if (status != STATUS_INVALID || !err.message[0])
            T_FAIL("\"%s\" gives %s", bad[i], status_slug(status));
        target_release(&target);
    }
}

int main(void) {
    T_RUN(splits_path_and_query);
    T_RUN(decodes_after_splitting);
    T_RUN(knows_root_empty_parts_and_absolute_form);
    T_RUN(refuses_what_is_ambiguous);
    return t_done();
}
