#include "api/job_edit.h"

#include "api/codec.h"
#include "api/json_internal.h"
#include "engine/spec/train_spec.h"

#define ROW(member) FIELD_MEMBER(struct job_edit, member)
static const struct field rows[] = {
    {ROW(name), .type = FIELD_TEXT, .max = 120,
     .doc = "Name of the job and its model, for people."},
    {ROW(tags), .type = FIELD_TEXTS, .min = 1, .max = 63, .fallback = "",
     .doc = "Words to find the job by, instead of those it has."},
    {ROW(priority), .type = FIELD_INT, .min = 0, .max = 9, .fallback = "0",
     .doc = "Jobs of a higher priority run first."},
};
#undef ROW
const struct field_table job_edit_table = FIELD_TABLE("job", rows);

/* Takes out what a job has and nobody can change. */
static void refuse_fixed(json_t *root, struct field_errors *errors) {
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(root, next, name, value) {
        if (field_find(&job_edit_table, name) || !field_find(&train_spec_table, name))
            continue;
        struct str shown = STR_INIT, detail = STR_INIT;
        json_show(value, &shown);
        str_addf(&detail, "%s cannot be changed; name, tags and priority can", name);
        field_errors_add(errors, name, str_text(&shown), str_text(&detail), NULL);
        str_release(&detail);
        str_release(&shown);
        json_object_del(root, name);
    }
}

enum status job_edit_decode(struct job_edit *edit, const char *text, size_t len,
                            struct field_errors *errors, struct error *err) {
    json_t *root = NULL;
    enum status status = json_read(&root, text, len, err);
    if (status)
        return status;
    refuse_fixed(root, errors);
    json_read_fields(&job_edit_table, edit, 0, true, root, errors);
    edit->has_name = json_object_get(root, "name") != NULL;
    edit->has_tags = json_object_get(root, "tags") != NULL;
    edit->has_priority = json_object_get(root, "priority") != NULL;
    json_decref(root);
    return field_errors_status(errors, err);
}

/* Objects of the one field, so that the table reads and writes them. */
static const struct field_table tags_table = {"tags", &rows[1], 1};

void job_tags_add_json(const struct text_list *tags, struct str *out) {
    const struct job_edit edit = {.tags = *tags};
    fields_add_json(&tags_table, &edit, 0, out);
}

enum status job_tags_decode(struct text_list *tags, const char *text, size_t len,
                            struct error *err) {
    struct job_edit edit;
    enum status status = fields_decode_stored(&tags_table, &edit, text, len, err);
    if (!status)
        *tags = edit.tags;
    return status;
}
