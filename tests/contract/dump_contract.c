/*
 * dump_contract - prints what the code knows about the contract, as JSON: routes, field tables,
 * states, statuses and problems. With an argument, it reads a request's body from stdin instead and
 * prints what the service would make of it:
 *
 *     dump_contract KIND < body.json, for example job, edit, dataset or predict
 *
 * contract_test.py compares both with openapi.yaml.
 */
#include "api/alias.h"
#include "api/cards.h"
#include "api/checkpoint.h"
#include "api/codec.h"
#include "api/event.h"
#include "api/job_edit.h"
#include "api/key.h"
#include "api/params.h"
#include "api/upload.h"
#include "api/webhook.h"
#include "api/worker.h"
#include "engine/base/mem.h"
#include "engine/spec/evaluation.h"
#include "engine/spec/import_spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* By the names of their schemas. */
static const struct {
    const char *name;
    const struct field_table *table;
} tables[] = {
    {"TrainSpec", &train_spec_table},
    {"JobEdit", &job_edit_table},
    {"Progress", &job_progress_table},
    {"Point", &point_table},
    {"Event", &event_table},
    {"Checkpoint", &checkpoint_card_table},
    {"Model", &model_card_table},
    {"Dataset", &dataset_card_table},
    {"Estimate", &job_estimate_table},
    {"DatasetRequest", &dataset_request_table},
    {"PredictRequest", &predict_request_table},
    {"Worker", &worker_card_table},
    {"Alias", &alias_card_table},
    {"AliasRequest", &alias_request_table},
    {"Webhook", &webhook_card_table},
    {"WebhookRequest", &webhook_request_table},
    {"Key", &key_card_table},
    {"KeyRequest", &key_request_table},
    {"Upload", &upload_card_table},
    {"UploadFile", &upload_file_table},
    {"UploadRequest", &upload_request_table},
    {"Evaluation", &evaluation_table},
    {"ClassScore", &class_score_table},
    {"Confusion", &confusion_table},
    {"ConfidenceBin", &confidence_bin_table},
    {"WorstPicture", &worst_picture_table},
    {"KeyEdit", &key_edit_table},
};

static const char *const type_names[] = {
    [FIELD_INT] = "int",   [FIELD_FLOAT] = "float", [FIELD_BOOL] = "bool",   [FIELD_TEXT] = "text",
    [FIELD_ENUM] = "enum", [FIELD_INTS] = "ints",   [FIELD_TEXTS] = "texts",
};

static void add_text(struct str *out, const char *key, const char *text) {
    str_addf(out, ",\"%s\":", key);
    str_add_json(out, text);
}

static void add_flag(struct str *out, const char *key, const struct field *field, unsigned flag) {
    str_addf(out, ",\"%s\":%s", key, field->flags & flag ? "true" : "false");
}

static void add_field(struct str *out, const struct field *field) {
    str_add(out, "{\"name\":");
    str_add_json(out, field->name);
    add_text(out, "type", type_names[field->type]);
    str_add(out, ",\"min\":");
    str_add_double(out, field->min);
    str_add(out, ",\"max\":");
    str_add_double(out, field->max);
    add_text(out, "default", field->fallback ? field->fallback : "");
    str_add(out, ",\"choices\":[");
    for (int i = 0; field->choices && field->choices[i]; i++)
        str_add_json(str_json_item(out), field->choices[i]);
    str_add(out, "]");
    add_text(out, "doc", field->doc);
    add_flag(out, "min_open", field, FIELD_MIN_OPEN);
    add_flag(out, "max_open", field, FIELD_MAX_OPEN);
    add_flag(out, "cli", field, FIELD_CLI);
    add_flag(out, "required", field, FIELD_REQUIRED);
    add_flag(out, "hidden", field, FIELD_HIDDEN);
    str_addf(out, ",\"variants\":%u", field->variants);
    str_add(out, "}");
}

static void add_table(struct str *out, const struct field_table *table) {
    for (int i = 0; i < table->count; i++) {
        str_add(out, i ? ",\n" : "[");
        add_field(out, &table->fields[i]);
    }
    str_add(out, "]");
}

static void add_tables(struct str *out) {
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        str_addf(out, "%s\"%s\":", i ? ",\n" : "\"tables\":{", tables[i].name);
        add_table(out, tables[i].table);
    }
    str_add(out, "}");
}

/* What a query is read by. */
static void add_queries(struct str *out) {
    str_add(out, ",\n\"queries\":{\"/models\":");
    add_table(out, &import_spec_table);
    str_add(out, "}");
}

static void add_routes(struct str *out) {
    const struct {
        const char *method, *path, *role, *handler, *doc;
    } routes[] = {
#define ROUTE(method, path, role, handler, doc)                                                    \
    {#method, path, key_role_slug(KEY_ROLE_##role), #handler, doc},
#include "api/routes.def"
    };
    str_add(out, ",\n\"routes\":[");
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        str_addf(out, "%s{\"method\":\"%s\"", i ? ",\n" : "", routes[i].method);
        add_text(out, "path", routes[i].path);
        add_text(out, "role", routes[i].role);
        add_text(out, "handler", routes[i].handler);
        add_text(out, "doc", routes[i].doc);
        str_add(out, "}");
    }
    str_add(out, "]");
}

static void add_param(struct str *out, const struct param *param) {
    static const char *const types[] = {"int", "bool", "word", "text"};
    str_addf(out, "{\"route\":\"%s\",\"name\":\"%s\"", param->route, param->name);
    add_text(out, "type", types[param->type]);
    str_addf(out, ",\"min\":%lld,\"max\":%lld,\"usual\":%lld,\"words\":[", (long long)param->min,
             (long long)param->max, (long long)param->usual);
    for (int i = 0; param->words && param->words[i]; i++)
        str_add_json(str_json_item(out), param->words[i]);
    str_add(out, "]}");
}

/* What routes take in their query; a handler has those of all its routes. */
static void add_params(struct str *out) {
    str_add(out, ",\n\"params\":[");
    for (int i = 0; i < param_count; i++)
        add_param(str_json_item(out), &params[i]);
    str_add(out, "]");
}

static void add_slugs(struct str *out) {
    str_add(out, ",\n\"states\":[");
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        str_addf(out, "%s\"%s\"", i ? "," : "", job_state_slug((enum job_state)i));
    str_add(out, "],\n\"requests\":[");
    for (int i = 0; i < JOB_REQUEST_COUNT; i++)
        str_addf(out, "%s\"%s\"", i ? "," : "", job_request_slug((enum job_request)i));
    str_add(out, "],\n\"webhook_kinds\":[\"" WEBHOOK_TEST "\"");
#define SLUG(slug, doc) str_add(out, ",\"" slug "\"");
    WEBHOOK_KIND_MAP(SLUG)
#undef SLUG
    str_add(out, "],\n\"statuses\":[");
    for (int i = 0; i < STATUS_COUNT; i++)
        str_addf(out, "%s\"%s\"", i ? "," : "", status_slug((enum status)i));
    str_add(out, "]");
}

static void add_problem(struct str *out, const struct problem_kind *kind) {
    str_addf(out, "{\"http\":%d", kind->http_code);
    add_text(out, "slug", kind->slug);
    add_text(out, "title", kind->title);
    str_add(out, "}");
}

static void add_problems(struct str *out) {
    str_addf(out, ",\n\"problem_type_prefix\":\"%s\",\n\"problems\":[", PROBLEM_TYPE_PREFIX);
    for (int i = STATUS_OK + 1; i < STATUS_COUNT; i++) {
        struct error err = {.status = (enum status)i, .field = "field"};
        add_problem(out, problem_of_error(&err));
        str_add(out, ",\n");
    }
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        str_add(out, i ? ",\n" : "");
        add_problem(out, problem_of_http((enum problem)i));
    }
    str_add(out, "]");
}

static void add_points(struct job *job) {
    struct point *points[] = {&job->train, &job->eval, &job->best};
    for (size_t i = 0; i < 3; i++) {
        fields_default(&point_table, points[i]);
        points[i]->seq = (int64_t)i + 1;
    }
}

/* One row of each list; model, dataset and split are the route's. */
static void add_evaluation(struct str *out) {
    struct class_score score = {.count = 1};
    struct confusion confusion = {.count = 1};
    struct evaluation evaluation = {.n_classes = 1,
                                    .n_confusions = 1,
                                    .n_worst = 1,
                                    .class_score = &score,
                                    .confusion = &confusion};
    char name[] = "ant", *names[] = {name};
    const struct evaluation_view view = {.class_names = names};
    str_add(out, ",\n\"Evaluation\":");
    evaluation_add_open(&evaluation, &view, out);
    str_add(out, ",\"model\":\"m\",\"dataset\":\"d\",\"split\":\"test\"}");
}

/* A job, a model, a data set and an evaluation as they are sent, for the names of their members. */
static void add_samples(struct str *out) {
    static struct job job;
    struct train_spec spec;
    struct model_card model = {.reproducible = true};
    struct dataset_card dataset = {.name = "d"};
    fields_default(&train_spec_table, &spec);
    job_init(&job, "job_01ARZ3NDEKTSV4RRFFQ69G5FAV", &spec, 1);
    job.error.code = STATUS_DIVERGED;
    add_points(&job);
    str_add(out, ",\n\"samples\":{\"Job\":");
    job_add_json(&job, out);
    str_add(out, ",\n\"Model\":");
    model_card_add_json(&model, out);
    str_add(out, ",\n\"Dataset\":");
    dataset_card_add_json(&dataset, out);
    struct upload_card upload = {.id = "u", .file_count = 1};
    str_add(out, ",\n\"Upload\":");
    upload_card_add_json(&upload, out);
    add_evaluation(out);
    str_add(out, "}");
}

static void dump(struct str *out) {
    str_add(out, "{");
    add_tables(out);
    add_queries(out);
    add_routes(out);
    add_params(out);
    add_slugs(out);
    add_problems(out);
    add_samples(out);
    str_add(out, "}\n");
}

/* ---- what the service makes of a body ---- */

static enum status decode_job(const char *text, size_t len, struct field_errors *errors,
                              struct error *err, struct str *out) {
    struct train_spec spec;
    enum status status = job_spec_decode(&spec, text, len, errors, err);
    if (!status)
        train_spec_add_json(&spec, out);
    return status;
}

static enum status decode_edit(const char *text, size_t len, struct field_errors *errors,
                               struct error *err, struct str *out) {
    struct job_edit edit;
    enum status status = job_edit_decode(&edit, text, len, errors, err);
    if (!status)
        fields_add_json(&job_edit_table, &edit, 0, out);
    return status;
}

static enum status decode_dataset(const char *text, size_t len, struct field_errors *errors,
                                  struct error *err, struct str *out) {
    struct dataset_request request;
    enum status status = dataset_request_decode(&request, text, len, errors, err);
    if (!status)
        fields_add_json(&dataset_request_table, &request, 0, out);
    return status;
}

static enum status decode_predict(const char *text, size_t len, struct field_errors *errors,
                                  struct error *err, struct str *out) {
    struct predict_request request;
    enum status status = predict_request_decode(&request, text, len, errors, err);
    if (status)
        return status;
    fields_add_json(&predict_request_table, &request, 0, out);
    predict_request_release(&request);
    return STATUS_OK;
}

static enum status decode_alias(const char *text, size_t len, struct field_errors *errors,
                                struct error *err, struct str *out) {
    struct alias_request request;
    enum status status = alias_request_decode(&request, text, len, errors, err);
    if (!status)
        fields_add_json(&alias_request_table, &request, 0, out);
    return status;
}

static enum status decode_webhook(const char *text, size_t len, struct field_errors *errors,
                                  struct error *err, struct str *out) {
    struct webhook_request request;
    enum status status = webhook_request_decode(&request, text, len, errors, err);
    if (!status)
        fields_add_json(&webhook_request_table, &request, 0, out);
    return status;
}

static enum status decode_key(const char *text, size_t len, struct field_errors *errors,
                              struct error *err, struct str *out) {
    struct key_request request;
    enum status status = key_request_decode(&request, text, len, errors, err);
    if (!status)
        fields_add_json(&key_request_table, &request, 0, out);
    return status;
}

static enum status decode_upload(const char *text, size_t len, struct field_errors *errors,
                                 struct error *err, struct str *out) {
    struct upload_request request;
    enum status status = upload_request_decode(&request, text, len, errors, err);
    if (!status)
        fields_add_json(&upload_request_table, &request, 0, out);
    return status;
}

static enum status decode_key_edit(const char *text, size_t len, struct field_errors *errors,
                                   struct error *err, struct str *out) {
    struct key_edit edit;
    enum status status = key_edit_decode(&edit, text, len, errors, err);
    if (!status)
        fields_add_json(&key_edit_table, &edit, 0, out);
    return status;
}

static const struct {
    const char *name;
    enum status (*decode)(const char *text, size_t len, struct field_errors *errors,
                          struct error *err, struct str *out);
} decoders[] = {
    {"job", decode_job},         {"edit", decode_edit},         {"dataset", decode_dataset},
    {"predict", decode_predict}, {"alias", decode_alias},       {"webhook", decode_webhook},
    {"key", decode_key},         {"key_edit", decode_key_edit}, {"upload", decode_upload}};

static int decode(const char *name, struct str *out) {
    static char text[1 << 20];
    size_t len = fread(text, 1, sizeof text, stdin);
    struct field_errors errors = {.count = 0};
    struct error err = {0};
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++) {
        if (strcmp(decoders[i].name, name) != 0)
            continue;
        if (decoders[i].decode(text, len, &errors, &err, out))
            problem_add_error(&err, &errors, out);
        return 0;
    }
    fprintf(
        stderr,
        "usage: dump_contract [job | edit | dataset | predict | alias | webhook | key | key_edit | "
        "upload]\n");
    return 2;
}

int main(int argc, char **argv) {
    struct str out = STR_INIT;
    int result = 0;
    if (argc > 1)
        result = decode(argv[1], &out);
    else
        dump(&out);
    fputs(str_text(&out), stdout);
    str_release(&out);
    return result;
}
