#include "service/http/router.h"

#include "engine/base/str.h"
#include "service/http/handlers.h"

#include <string.h>

#define ROUTE(method, path, role, handler, doc)                                                    \
    {#method, path, #handler, KEY_ROLE_##role, handle_##handler},
const struct route routes[] = {
#include "api/routes.def"
};
const int route_count = sizeof routes / sizeof routes[0];

static bool takes_anything(const char *type) {
    (void)type;
    return true;
}

static bool takes_json(const char *type) {
    return str_equal(type, "application/json");
}

static bool takes_octets(const char *type) {
    return str_equal(type, "application/octet-stream");
}

static bool takes_pictures(const char *type) {
    return takes_json(type) || str_has_prefix(type, "image/") ||
           str_equal(type, "multipart/form-data");
}

static bool takes_tensors(const char *type) {
    return !type[0] || takes_json(type) || takes_octets(type);
}

static bool takes_archive(const char *type) {
    return str_equal(type, "application/x-tar") || str_equal(type, "application/gzip");
}

static const struct {
    bool (*takes)(const char *content_type);
    const char *media;
} kinds[] = {
    [BODY_UNUSED] = {takes_anything, "anything"},
    [BODY_JSON] = {takes_json, "application/json"},
    [BODY_PICTURES] = {takes_pictures, "application/json, multipart/form-data and image/*"},
    [BODY_TENSORS] = {takes_tensors, "application/json and application/octet-stream"},
    [BODY_FILE] = {takes_octets, "application/octet-stream"},
    [BODY_STREAM] = {takes_anything, "anything"},
    [BODY_ARCHIVE] = {takes_archive, "application/json, application/x-tar and application/gzip"},
};

/* All others look at no body. A handler may have several rows; the last one tells them all. */
static const struct row {
    handler_fn handler;
    enum body_kind body;
    handler_fn begin;
} rows[] = {
    {handle_job_create, BODY_JSON, NULL},
    {handle_job_edit, BODY_JSON, NULL},
    {handle_dataset_create, BODY_JSON, NULL},
    {handle_dataset_create, BODY_ARCHIVE, begin_dataset_archive},
    {handle_predict, BODY_PICTURES, NULL},
    {handle_model_create, BODY_FILE, NULL},
    {handle_v2_infer, BODY_TENSORS, NULL},
    {handle_alias_put, BODY_JSON, NULL},
    {handle_key_create, BODY_JSON, NULL},
    {handle_key_edit, BODY_JSON, NULL},
    {handle_webhook_create, BODY_JSON, NULL},
    {handle_upload_create, BODY_JSON, NULL},
    {handle_upload_file, BODY_STREAM, begin_upload_file},
};
static const struct row unused = {NULL, BODY_UNUSED, NULL};

/* The row that takes the type; or else any of the route's, with *takes false. */
static const struct row *find_row(const struct route *route, const char *type, bool *takes) {
    const struct row *found = &unused;
    *takes = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !*takes; i++)
        if (rows[i].handler == route->handler) {
            found = &rows[i];
            *takes = kinds[found->body].takes(type);
        }
    *takes = *takes || found == &unused;
    return found;
}

enum body_kind route_body(const struct route *route, const char *content_type) {
    bool takes;
    return find_row(route, content_type, &takes)->body;
}

handler_fn route_begin(const struct route *route, const char *content_type) {
    bool takes;
    return find_row(route, content_type, &takes)->begin;
}

const char *route_media(const struct route *route) {
    bool takes;
    return kinds[find_row(route, "", &takes)->body].media;
}

bool route_takes(const struct route *route, const char *content_type) {
    bool takes;
    find_row(route, content_type, &takes);
    return takes;
}

/* Compares a pattern such as "/jobs/{id}" with a path part by part. */
static bool path_matches(const char *pattern, const struct target *target, const char *arg[2]) {
    int i = 0, args = 0;
    arg[0] = arg[1] = NULL;
    for (; pattern[0] == '/' && pattern[1]; i++) { /* "/" alone has no parts */
        const char *part = pattern + 1;
        size_t len = strcspn(part, "/");
        if (i == target->segment_count)
            return false;
        const char *segment = target->segment[i];
        if (part[0] == '{' && segment[0] && args < 2)
            arg[args++] = segment;
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
        const char *arg[2];
        if (!path_matches(routes[i].path, target, arg))
            continue;
        allow(match, routes[i].method);
        if (!str_equal(routes[i].method, looked_for))
            continue;
        match->route = &routes[i];
        match->arg[0] = arg[0];
        match->arg[1] = arg[1];
    }
}
