#include "service/http/embedded.h"
#include "service/http/handlers.h"

#include <string.h>

/* What the page is made of. The page may load nothing from elsewhere; Swagger UI puts styles into
 * its elements and pictures into its style sheet. */
static const char policy[] = "default-src 'none'; connect-src 'self'; script-src 'self'; "
                             "style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
                             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
static const struct {
    const char *name, *type;
} part[] = {
    {"docs.js", "text/javascript; charset=utf-8"},
    {"swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
    {"swagger-ui.css", "text/css; charset=utf-8"},
};

static void reply_embedded(struct reply *reply, const struct embedded_file *file,
                           const char *type) {
    str_add_bytes(reply_body(reply, HTTP_OK, type), file->bytes, file->size);
}

enum status handle_openapi(struct request *request, struct reply *reply, struct error *err) {
    (void)request, (void)err;
    reply_embedded(reply, embedded_find("openapi.yaml"), "application/yaml");
    return STATUS_OK;
}

static bool has_page(void) {
    return embedded_find("swagger-ui-bundle.js");
}

enum status handle_root(struct request *request, struct reply *reply, struct error *err) {
    (void)request, (void)err;
    reply->code = HTTP_FOUND;
    reply_header(reply, "Location", "%s", has_page() ? "/docs" : "/openapi.yaml");
    return STATUS_OK;
}

enum status handle_docs(struct request *request, struct reply *reply, struct error *err) {
    (void)request;
    if (!has_page())
        return error_set(
            err, STATUS_UNSUPPORTED,
            "this distilld was built without Swagger UI; the contract is at /openapi.yaml");
    reply_embedded(reply, embedded_find("docs.html"), "text/html; charset=utf-8");
    reply_header(reply, "Content-Security-Policy", "%s", policy);
    return STATUS_OK;
}

enum status handle_docs_file(struct request *request, struct reply *reply, struct error *err) {
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        const struct embedded_file *file = embedded_find(part[i].name);
        if (file && strcmp(request->arg, part[i].name) == 0) {
            reply_embedded(reply, file, part[i].type);
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_NOT_FOUND, "the page has no such file");
}
