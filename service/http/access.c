#include "service/http/access.h"

#include "service/http/app.h"

#include <string.h>
#include <strings.h>

#define SCHEME "Bearer"

const char *access_secret(const char *authorization, const char *api_key) {
    size_t len = strlen(SCHEME);
    if (!authorization || strncasecmp(authorization, SCHEME, len) != 0 ||
        authorization[len] != ' ') /* another scheme is a proxy's */
        return api_key;
    return authorization + len + strspn(authorization + len, " ");
}

/* As RFC 6750 has it: only who sent something is told that it is wrong. */
static void refuse_caller(bool sent_one, struct reply *reply) {
    reply_problem(reply, PROBLEM_UNAUTHORIZED,
                  sent_one ? "the key is not known"
                           : "send a key as Authorization: Bearer SECRET, or as X-API-Key");
    reply_header(reply, "WWW-Authenticate", SCHEME "%s",
                 sent_one ? " error=\"invalid_token\"" : "");
}

void access_refuse(struct reply *reply) {
    refuse_caller(true, reply);
}

static void refuse_role(const char *name, const char *role, struct reply *reply) {
    reply_problem(reply, PROBLEM_FORBIDDEN, "key %s does not have the role %s", name, role);
    reply_header(reply, "WWW-Authenticate", SCHEME " error=\"insufficient_scope\", scope=\"%s\"",
                 role);
}

/* What the key does not say, the settings say. */
static void fill_limits(struct key_limits *limits, const struct config *config) {
    if (limits->requests_per_s <= 0)
        limits->requests_per_s = config->requests_per_s;
    if (limits->requests_burst == 0)
        limits->requests_burst = config->requests_burst;
    if (limits->active_jobs == 0)
        limits->active_jobs = config->active_jobs;
}

static bool may_use(const struct request *request, enum key_role role, struct key_holder *holder,
                    struct reply *reply) {
    struct key_ring *keys = request->app->keys;
    if (role == KEY_ROLE_NONE || !key_ring_asks(keys))
        return true;
    const char *secret = access_secret(request_header(request, "Authorization"),
                                       request_header(request, "X-API-Key"));
    if (!secret || !key_ring_find(keys, secret, holder)) {
        refuse_caller(secret != NULL, reply);
        return false;
    }
    if (key_roles_allow(holder->roles, role))
        return true;
    refuse_role(holder->name, key_role_slug(role), reply);
    return false;
}

bool access_check(const struct request *request, const struct route *route,
                  struct key_holder *holder, struct reply *reply) {
    bool may = may_use(request, route->role, holder, reply);
    fill_limits(&holder->limits, request->app->config);
    return may;
}
