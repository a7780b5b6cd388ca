#include "api/point.h"

#include "api/codec.h"

#include <math.h>

#define ROW(member) FIELD_MEMBER(struct point, member)

static const struct field rows[] = {
    {ROW(seq), .type = FIELD_INT, .min = 1, .max = 1e15, .doc = "Number of the point, from 1."},
    {ROW(time), .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = CLOCK_TEXT_BYTES - 1,
     .doc = "When it was published."},
    {ROW(phase), .type = FIELD_ENUM, .choices = FIELD_WORDS("train", "eval"),
     .doc = "Mean since the last train point, or evaluation on a split."},
    {ROW(epoch), .type = FIELD_INT, .min = 1, .max = 1e15, .doc = "Epoch, from 1."},
    {ROW(step), .type = FIELD_INT, .max = 1e15, .doc = "Steps done."},
    {ROW(loss), .type = FIELD_FLOAT, .min = -INFINITY, .max = INFINITY,
     .doc = "The loss that is trained; in an eval point the cross entropy alone."},
    {ROW(ce), .type = FIELD_FLOAT, .min = -INFINITY, .max = INFINITY,
     .doc = "Cross entropy with the labels."},
    {ROW(distill), .type = FIELD_FLOAT, .min = -INFINITY, .max = INFINITY,
     .doc = "Distillation part of the loss, without its weight; 0 in an eval point."},
    {ROW(top1), .type = FIELD_FLOAT, .max = 1, .doc = "Share of pictures classified rightly."},
    {ROW(top5), .type = FIELD_FLOAT, .max = 1,
     .doc = "Share of pictures with the right class among the best five."},
    {ROW(learning_rate), .type = FIELD_FLOAT, .max = INFINITY,
     .doc = "Learning rate of the last step."},
    {ROW(images_per_s), .type = FIELD_FLOAT, .max = INFINITY, .doc = "Pictures per second."},
};
#undef ROW

const struct field_table point_table = FIELD_TABLE("point", rows);

void point_add_json(const struct point *point, struct str *out) {
    fields_add_json(&point_table, point, 0, out);
}

enum status point_decode(struct point *point, const char *text, size_t len, struct error *err) {
    return fields_decode_stored(&point_table, point, text, len, err);
}

void point_add_csv_header(struct str *out) {
    for (int i = 0; i < point_table.count; i++)
        str_addf(out, "%s%s", i ? "," : "", rows[i].name);
    str_add(out, "\r\n");
}

/* No value holds a comma or a quote, so nothing needs quoting; what is missing is empty. */
void point_add_csv(const struct point *point, struct str *out) {
    for (int i = 0; i < point_table.count; i++) {
        str_add(out, i ? "," : "");
        field_add_text(&rows[i], point, out);
    }
    str_add(out, "\r\n");
}
