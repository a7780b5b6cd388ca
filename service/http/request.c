#include "service/http/request.h"

#include "api/params.h"

const char *request_header(const struct request *request, const char *name) {
    return request->ops->header(request, name);
}

struct log_field request_by(const struct request *request) {
    const char *name = request->holder->name;
    return log_text("by", name[0] ? name : NULL);
}

const char *request_query(const struct request *request, const char *name) {
    return target_param(request->target, name);
}

int64_t request_query_value(const struct request *request, const char *name) {
    const struct param *param = param_find(request->route, name);
    const char *text = request_query(request, name);
    int64_t value;
    CHECK(param);
    return text && param_read(param, text, &value) ? value : param->usual;
}

enum status request_refuse(struct request *request, const char *name, const char *value,
                           const char *range, struct error *err) {
    struct str json = STR_INIT, detail = STR_INIT;
    str_add_json(&json, value);
    if (range)
        str_addf(&detail, "%s must be %s, not %s", name, range, str_text(&json));
    else
        str_addf(&detail, "unknown parameter \"%s\"", name);
    field_errors_add(request->wrong, name, str_text(&json), str_text(&detail), range);
    enum status status = error_set_field(err, STATUS_INVALID, name, "%s", str_text(&detail));
    str_release(&detail);
    str_release(&json);
    return status;
}

void request_blame(struct request *request, const struct field_table *table, const void *object,
                   const char *range, const struct error *err) {
    struct str value = STR_INIT;
    const struct field *field = field_find(table, err->field);
    if (!field)
        return;
    field_add_json(field, object, &value);
    field_errors_add(request->wrong, err->field, str_text(&value), err->message, range);
    str_release(&value);
}

static enum status check_param(struct request *request, const struct target_param *given,
                               struct error *err) {
    const struct param *param = param_find(request->route, given->name);
    struct str range = STR_INIT;
    int64_t value;
    if (!param)
        return request_refuse(request, given->name, given->value, NULL, err);
    if (param_read(param, given->value, &value))
        return STATUS_OK;
    param_add_range(param, &range);
    enum status status = request_refuse(request, given->name, given->value, str_text(&range), err);
    str_release(&range);
    return status;
}

enum status request_check_query(struct request *request, struct error *err) {
    enum status status = STATUS_OK;
    if (params_are_open(request->route))
        return STATUS_OK;
    for (int i = 0; i < request->target->param_count && !status; i++)
        status = check_param(request, &request->target->param[i], err);
    return status;
}

static void collect(struct field_errors *errors, const struct target_param *param,
                    const struct field *field, const struct error *err) {
    struct str json = STR_INIT, range = STR_INIT;
    str_add_json(&json, param->value);
    if (field)
        field_add_range(field, &range);
    field_errors_add(errors, param->name, str_text(&json), err->message, str_text(&range));
    str_release(&range);
    str_release(&json);
}

enum status request_query_fields(struct request *request, const struct field_table *table,
                                 unsigned refused, void *object, struct error *err) {
    struct field_errors *errors = request->wrong;
    struct error wrong = {0};
    fields_default(table, object);
    for (int i = 0; i < request->target->param_count; i++) {
        const struct target_param *param = &request->target->param[i];
        const struct field *field = NULL;
        enum status status = fields_lookup(table, param->name, refused, &field, &wrong);
        if (!status)
            status = field_set_text(field, object, param->value, &wrong);
        if (status)
            collect(errors, param, field, &wrong);
    }
    if (!errors->count && fields_check_required(table, object, &wrong))
        field_errors_add(errors, wrong.field, NULL, wrong.message, NULL);
    return field_errors_status(errors, err);
}

void request_suspend(struct request *request, handler_fn then) {
    request->ops->suspend(request, then);
}

void request_resume(struct request *request) {
    request->ops->resume(request);
}
