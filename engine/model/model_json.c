#include "engine/model/model_json.h"

#include "engine/spec/train_spec.h"

static void add_floats(struct str *out, const char *name, const float *value, int count) {
    str_addf(out, ", \"%s\": [", name);
    for (int i = 0; i < count; i++) {
        str_add(out, i ? ", " : "");
        str_add_float(out, value[i]);
    }
    str_add(out, "]");
}

void model_info_add_json(const struct model_info *info, struct str *out) {
    str_add(out, "\n  \"architecture\": ");
    str_add_json(out, info->architecture);
    str_add(out, ",\n  \"dataset\": ");
    str_add_json(out, info->dataset);
    str_addf(out, ",\n  \"input\": {\"height\": %d, \"width\": %d, \"channels\": %d", info->height,
             info->width, info->channels);
    add_floats(out, "mean", info->mean, info->channels);
    add_floats(out, "deviation", info->deviation, info->channels);
    str_addf(out, ", \"resize_size\": %d, \"interpolation\": \"%s\"", info->resize_size,
             interpolation_names[info->interpolation]);
    str_add(out, "},\n  \"classes\": [");
    for (int i = 0; i < info->classes; i++) {
        str_add(out, i ? ", " : "");
        str_add_json(out, info->class_names[i]);
    }
    str_add(out, "]");
}
