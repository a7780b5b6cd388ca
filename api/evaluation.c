#include "api/evaluation.h"

#include "api/json_internal.h"
#include "engine/base/mem.h"

/* A list of the text: the table of its rows, and where they go. */
struct rows {
    const char *key;
    const struct field_table *table;
    size_t row_bytes;
    int max;     /* rows that there may be */
    void *fixed; /* their place, or NULL: made as needed */
};

static enum status read_row(const struct field_table *table, void *row, json_t *value,
                            struct error *err) {
    struct field_errors errors = {.count = 0};
    if (!json_is_object(value))
        return error_set(err, STATUS_INVALID, "a row is no object");
    json_read_fields(table, row, 0, false, value, &errors);
    return field_errors_status(&errors, err);
}

static enum status read_rows(const json_t *root, const struct rows *rows, void **out, int *count,
                             struct error *err) {
    const json_t *list = json_object_get(root, rows->key);
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > (size_t)rows->max)
        return error_set(err, STATUS_INVALID, "%s is not a list of at most %d", rows->key,
                         rows->max);
    *out = rows->fixed ? rows->fixed : xcalloc(n + 1, rows->row_bytes);
    *count = (int)n;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < n && !status; i++)
        status =
            read_row(rows->table, (char *)*out + i * rows->row_bytes, json_array_get(list, i), err);
    return status;
}

static bool read_index(const json_t *list, size_t place, int n_classes, int64_t *out) {
    const json_t *value = json_array_get(list, place);
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 && *out < n_classes;
}

static enum status read_confusions(const json_t *root, struct evaluation *out, struct error *err) {
    const json_t *list = json_object_get(root, "confusions");
    size_t n = json_array_size(list), most = (size_t)out->n_classes * (size_t)out->n_classes;
    if (!json_is_array(list) || n > most)
        return error_set(err, STATUS_INVALID, "confusions is not a list of at most %zu", most);
    out->confusion = xcalloc(n + 1, sizeof *out->confusion);
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(list, i);
        struct confusion *to = &out->confusion[i];
        if (!read_index(row, 0, out->n_classes, &to->index) ||
            !read_index(row, 1, out->n_classes, &to->predicted_index))
            return error_set(err, STATUS_INVALID, "confusions[%zu] names no classes", i);
        to->count = json_integer_value(json_array_get(row, 2));
    }
    out->n_confusions = (int)n;
    return STATUS_OK;
}

static enum status check_worst(const struct evaluation *out, struct error *err) {
    for (int i = 0; i < out->n_worst; i++)
        if (out->worst[i].index >= out->n_classes ||
            out->worst[i].predicted_index >= out->n_classes)
            return error_set(err, STATUS_INVALID, "worst[%d] names no classes", i);
    return STATUS_OK;
}

static enum status read_lists(const json_t *root, struct evaluation *out, struct error *err) {
    enum { CLASSES_MAX = 65536 };
    const struct rows classes = {"classes", &class_score_table, sizeof *out->class_score,
                                 CLASSES_MAX, NULL};
    const struct rows bins = {"bins", &confidence_bin_table, sizeof out->bin[0], EVALUATION_BINS,
                              out->bin};
    const struct rows worst = {"worst", &worst_picture_table, sizeof out->worst[0],
                               EVALUATION_WORST, out->worst};
    int n_bins;
    void *made = NULL, *place;
    enum status status = read_rows(root, &classes, &made, &out->n_classes, err);
    out->class_score = made;
    if (!status)
        status = read_confusions(root, out, err);
    if (!status)
        status = read_rows(root, &bins, &place, &n_bins, err);
    if (!status)
        status = read_rows(root, &worst, &place, &out->n_worst, err);
    return status ? status : check_worst(out, err);
}

/* What remains beside the lists is the table's. */
static enum status read_numbers(json_t *root, struct evaluation *out, struct error *err) {
    static const char *const lists[] = {"classes", "confusions", "bins", "worst"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        json_object_del(root, lists[i]);
    return read_row(&evaluation_table, out, root, err);
}

enum status evaluation_decode(struct evaluation *out, const char *text, size_t len,
                              struct error *err) {
    json_t *root = NULL;
    *out = (struct evaluation){0};
    enum status status = json_read(&root, text, len, err);
    if (!status)
        status = read_lists(root, out, err);
    if (!status)
        status = read_numbers(root, out, err);
    json_decref(root);
    if (!status)
        return STATUS_OK;
    evaluation_release(out);
    return json_corrupt("evaluation", err);
}
