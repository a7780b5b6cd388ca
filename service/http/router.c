#include "service/http/router.h"

#include "engine/base/str.h"
#include "service/http/handlers.h"

#include <string.h>

#define ROUTE(method, path, role, handler, doc)                                                    \
    {#method, path, #handler, KEY_ROLE_##role, handle_##handler},
const struct route routes[] = {
#include "api/routes.def"
};
#undef ROUTE
const int route_count = sizeof routes / sizeof routes[0];

/* All others look at no body. */
static const struct {
    handler_fn handler;
    enum body_kind body;
} bodies[] = {
    {handle_job_create, BODY_JSON},     {handle_job_edit, BODY_JSON},
    {handle_dataset_create, BODY_JSON}, {handle_predict, BODY_PICTURES},
    {handle_model_create, BODY_FILE},   {handle_v2_infer, BODY_TENSORS},
    {handle_alias_put, BODY_JSON},      {handle_key_create, BODY_JSON},
};

enum body_kind route_body(const struct route *route) {
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (bodies[i].handler == route->handler)
            return bodies[i].body;
    return BODY_UNUSED;
}

const char *route_media(const struct route *route) {
    static const char *const media[] = {
        [BODY_UNUSED] = "anything",
        [BODY_JSON] = "application/json",
        [BODY_PICTURES] = "application/json, multipart/form-data and image/*",
        [BODY_TENSORS] = "application/json and application/octet-stream",
        [BODY_FILE] = "application/octet-stream"};
    return media[route_body(route)];
}

bool route_takes(const struct route *route, const char *content_type) {
    enum body_kind body = route_body(route);
    if (body == BODY_TENSORS && !content_type[0])
        return true;
    if (body == BODY_FILE ||
        (body == BODY_TENSORS && str_equal(content_type, "application/octet-stream")))
        return str_equal(content_type, "application/octet-stream");
    return body == BODY_UNUSED || str_equal(content_type, "application/json") ||
           (body == BODY_PICTURES && (str_has_prefix(content_type, "image/") ||
                                      str_equal(content_type, "multipart/form-data")));
}

/* Compares a pattern such as "/jobs/{id}" with a path part by part. */
static bool path_matches(const char *pattern, const struct target *target, const char **arg) {
    *arg = NULL;
    int i = 0;
    for (; *pattern == '/'; i++) {
        const char *part = pattern + 1;
        size_t len = strcspn(part, "/");
        if (i == target->segment_count)
            return false;
        const char *segment = target->segment[i];
        if (part[0] == '{' && segment[0])
            *arg = segment;
        else if (strlen(segment) != len || memcmp(segment, part, len) != 0)
            return false;
        pattern = part + len;
    }
    return i == target->segment_count;
}

static void allow(struct route_match *match, const char *method) {
    size_t used = strlen(match->allow);
    bool is_get = str_equal(method, "GET");
    str_copy(match->allow + used, sizeof match->allow - used, used ? ", " : "");
    used = strlen(match->allow);
    str_copy(match->allow + used, sizeof match->allow - used, is_get ? "GET, HEAD" : method);
}

void router_match(const char *method, const struct target *target, struct route_match *match) {
    *match = (struct route_match){0};
    const char *looked_for = str_equal(method, "HEAD") ? "GET" : method;
    for (int i = 0; i < route_count; i++) {
        const char *arg;
        if (!path_matches(routes[i].path, target, &arg))
            continue;
        allow(match, routes[i].method);
        if (!str_equal(routes[i].method, looked_for))
            continue;
        match->route = &routes[i];
        match->arg = arg;
    }
}
