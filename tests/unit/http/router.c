#include "service/http/router.h"

#include "service/http/handlers.h"
#include "tests/support/t.h"

static struct target target;

static struct route_match match(const char *method, const char *raw) {
    struct route_match found;
    target_release(&target);
    if (target_parse(&target, raw, NULL))
        T_FAIL("%s does not parse", raw);
    router_match(method, &target, &found);
    return found;
}

/* A path of this pattern, with "thing" for the part in braces. */
static void add_path(const char *pattern, struct str *out) {
    for (; *pattern; pattern++) {
        bool is_arg = *pattern == '{';
        str_add_bytes(out, is_arg ? "thing" : pattern, is_arg ? strlen("thing") : 1);
        if (is_arg)
            pattern = strchr(pattern, '}');
    }
}

static void finds_each_route(void) {
    for (int i = 0; i < route_count; i++) {
        struct str path = STR_INIT;
        add_path(routes[i].path, &path);
        struct route_match found = match(routes[i].method, str_text(&path));
        T_CHECK(found.route == &routes[i]);
        const char *open = strchr(routes[i].path, '{');
        for (int arg = 0; arg < 2; arg++, open = open ? strchr(open + 1, '{') : NULL)
            if (open)
                T_STR(found.arg[arg], "thing");
            else
                T_CHECK(!found.arg[arg]);
        str_release(&path);
    }
}

static void tells_methods(void) {
    struct route_match found = match("PUT", "/jobs");
    T_CHECK(!found.route);
    T_STR(found.allow, "POST, GET, HEAD");
    found = match("POST", "/jobs/x");
    T_CHECK(!found.route);
    T_STR(found.allow, "GET, HEAD, PATCH, DELETE");
    T_STR(match("get", "/healthz").allow, "GET, HEAD");
    T_CHECK(!match("get", "/healthz").route);
}

static void answers_head_like_get(void) {
    T_CHECK(match("HEAD", "/healthz").route->handler == handle_health);
    T_CHECK(!match("HEAD", "/predict").route);
}

static void knows_no_other_paths(void) {
    static const char *const unknown[] = {"//",
                                          "/job",
                                          "/jobsx",
                                          "/jobs/",
                                          "/jobs//",
                                          "/jobs/x/",
                                          "/jobs/x/y",
                                          "//jobs",
                                          "/JOBS",
                                          "/models/x/y",
                                          "/predict/x",
                                          "/healthz/",
                                          "/jobs/x/metrics/more"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct route_match found = match("GET", unknown[i]);
        if (found.route || found.allow[0])
            T_FAIL("%s is known", unknown[i]);
    }
}

static void takes_the_right_bodies(void) {
    const struct route *predict = match("POST", "/predict").route;
    const struct route *create = match("POST", "/jobs").route;
    const struct route *infer = match("POST", "/v2/models/x/infer").route;
    const struct route *cancel = match("POST", "/jobs/x/cancel").route;
    T_CHECK(route_takes(predict, "image/png"));
    T_CHECK(route_takes(predict, "application/json"));
    T_CHECK(route_takes(predict, "multipart/form-data"));
    T_CHECK(!route_takes(predict, "multipart/mixed"));
    T_CHECK(!route_takes(predict, "text/plain"));
    T_CHECK(!route_takes(predict, ""));
    T_CHECK(route_takes(create, "application/json"));
    T_CHECK(!route_takes(create, "image/png"));
    T_CHECK(route_takes(cancel, ""));
    T_CHECK(route_takes(infer, "") && route_takes(infer, "application/octet-stream"));
    T_CHECK(route_takes(infer, "application/json") && !route_takes(infer, "image/png"));
}

static void knows_what_is_a_stream(void) {
    const struct route *dataset = match("POST", "/datasets").route;
    const struct route *file = match("PUT", "/uploads/x/files/train.bin").route;
    T_INT(route_body(dataset, "application/json"), BODY_JSON);
    T_CHECK(!route_begin(dataset, "application/json"));
    T_INT(route_body(dataset, "application/x-tar"), BODY_ARCHIVE);
    T_CHECK(route_begin(dataset, "application/gzip") == begin_dataset_archive);
    T_CHECK(!route_takes(dataset, "text/plain"));
    T_CHECK(strstr(route_media(dataset), "application/json") &&
            strstr(route_media(dataset), "application/x-tar"));
    T_CHECK(route_takes(file, "") && route_takes(file, "application/gzip"));
    T_CHECK(route_begin(file, "") == begin_upload_file);
    T_CHECK(!route_begin(match("GET", "/uploads").route, ""));
}

int main(void) {
    T_RUN(finds_each_route);
    T_RUN(tells_methods);
    T_RUN(answers_head_like_get);
    T_RUN(knows_no_other_paths);
    T_RUN(takes_the_right_bodies);
    T_RUN(knows_what_is_a_stream);
    target_release(&target);
    return t_done();
}
