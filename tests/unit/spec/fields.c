/* The field table: setting, ranges, messages, text and JSON, arguments. */
#include "engine/spec/train_spec.h"
#include "tests/support/t.h"

static struct train_spec spec;
static struct error err;

static void reset(void) {
    memset(&spec, 0xA5, sizeof spec); /* defaults must cover every member */
    fields_default(&train_spec_table, &spec);
    memset(&err, 0, sizeof err);
}

static enum status set(const char *name, const char *text) {
    memset(&err, 0, sizeof err);
    return field_set_text(field_find(&train_spec_table, name), &spec, text, &err);
}

static enum status parse(int argc, const char *const *argv) {
    char *copy[8];
    reset();
    for (int i = 0; i < argc; i++)
        copy[i] = strdup(argv[i]);
    enum status status = fields_parse_args(&train_spec_table, &spec, argc, copy, FIELD_JOB, &err);
    for (int i = 0; i < argc; i++)
        free(copy[i]);
    return status;
}

static void test_defaults_are_the_published_recipe(void) {
    reset();
    T_INT(spec.epochs, 240);
    T_INT(spec.batch_size, 64);
    T_NEAR(spec.learning_rate, 0.05, 0);
    T_NEAR(spec.weight_decay, 5e-4, 0);
    T_CHECK(!spec.nesterov && spec.decay_all && spec.flip && spec.shuffle);
    T_INT(spec.milestones.count, 3);
    T_INT(spec.milestones.item[2], 210);
    T_INT(spec.crop_padding, 4);
    T_INT(spec.seed, 1);
    T_INT(spec.data_seed, -1);
    T_INT(spec.threads, 2);
    T_CHECK(isnan(spec.temperature) && isnan(spec.gamma) && isnan(spec.beta));
    T_CHECK(isnan(spec.momentum) && isnan(spec.beta1)); /* the optimiser fills them in */
    T_STR(spec.teacher, "");
}

static void test_table_is_sound(void) {
    for (int i = 0; i < train_spec_table.count; i++) {
        const struct field *field = &train_spec_table.fields[i];
        T_CHECK(field_find(&train_spec_table, field->name) == field);
        T_CHECK(field->doc && strlen(field->doc) > 10);
        T_CHECK(field->type == FIELD_BOOL || field->type == FIELD_ENUM || field->max > field->min);
        T_CHECK(strlen(field->name) < ERROR_FIELD_BYTES);
    }
}

static void test_range_error_names_field_value_and_range(void) {
    static const struct {
        const char *field, *value, *message;
    } cases[] = {
        {"epochs", "0", "epochs must be 1 to 100000, not 0"},
        {"epochs", "100001", "epochs must be 1 to 100000, not 100001"},
        {"batch_size", "4097", "batch_size must be 1 to 4096, not 4097"},
        {"learning_rate", "0", "learning_rate must be 0 < x <= 100, not 0"},
        {"momentum", "1", "momentum must be 0 <= x < 1, not 1"},
        {"gamma", "1.5", "gamma must be 0.001 to 1, not 1.5"},
        {"seed", "9007199254740992", "seed must be 0 to 9007199254740991, not 9007199254740992"},
        {"method", "foo", "method must be one of ce, kd, ttm, wttm, predict, not \"foo\""},
        {"epochs", "ten", "epochs must be a whole number (1 to 100000), not \"ten\""},
        {"epochs", "1.5", "epochs must be a whole number (1 to 100000), not \"1.5\""},
        {"beta", "nan", "beta must be a number (0 to 1000000), not \"nan\""},
        {"flip", "yes", "flip must be true or false, not \"yes\""},
        {"milestones", "3,0", "milestones must be at most 16 items, each 1 to 100000, not 0"},
    };
    reset();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        T_INT(set(cases[i].field, cases[i].value), STATUS_INVALID);
        T_STR(err.message, cases[i].message);
        T_STR(err.field, cases[i].field);
    }
    T_INT(spec.epochs, 240); /* a refused value changes nothing */
    T_INT(spec.milestones.count, 3);
}

static void test_bounds_are_inclusive(void) {
    reset();
    T_INT(set("epochs", "1"), STATUS_OK);
    T_INT(set("epochs", "100000"), STATUS_OK);
    T_INT(set("seed", "9007199254740991"), STATUS_OK);
    T_INT(set("threads", "256"), STATUS_OK);
    T_INT(set("threads", "257"), STATUS_INVALID);
    T_INT(set("priority", "9"), STATUS_OK);
    T_INT(set("priority", "10"), STATUS_INVALID);
}

static void test_texts_and_lists(void) {
    char longest[600];
    reset();
    memset(longest, 'x', sizeof longest);
    longest[500] = '\0';
    T_INT(set("teacher", longest), STATUS_OK);
    longest[500] = 'x';
    longest[501] = '\0';
    T_INT(set("teacher", longest), STATUS_INVALID);
    T_CONTAINS(err.message, "at most 500 characters");
    T_INT(set("name", "a\nb"), STATUS_INVALID);
    T_INT(set("tags", "one,two"), STATUS_OK);
    T_INT(spec.tags.count, 2);
    T_INT(set("tags", "one,,two"), STATUS_INVALID);
    T_INT(set("milestones", ""), STATUS_OK);
    T_INT(spec.milestones.count, 0);
    T_INT(set("milestones", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"), STATUS_OK);
    T_INT(set("milestones", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"), STATUS_INVALID);
    T_CONTAINS(err.message, "more than 16 items");
}

static void test_typed_setters_refuse_other_types(void) {
    const struct field *epochs = field_find(&train_spec_table, "epochs");
    const struct field *flip = field_find(&train_spec_table, "flip");
    const struct field *beta = field_find(&train_spec_table, "beta");
    const struct field *tags = field_find(&train_spec_table, "tags");
    reset();
    T_INT(field_set_string(epochs, &spec, "5", &err), STATUS_INVALID);
    T_INT(field_set_double(epochs, &spec, 5.5, &err), STATUS_INVALID);
    T_INT(field_set_double(epochs, &spec, 5.0, &err), STATUS_OK);
    T_INT(spec.epochs, 5);
    T_INT(field_set_bool(epochs, &spec, true, &err), STATUS_INVALID);
    T_INT(field_set_int(flip, &spec, 1, &err), STATUS_INVALID);
    T_INT(field_set_int(beta, &spec, 3, &err), STATUS_OK);
    T_NEAR(spec.beta, 3, 0);
    T_INT(field_set_double(beta, &spec, INFINITY, &err), STATUS_INVALID);
    T_INT(field_set_double(beta, &spec, NAN, &err), STATUS_INVALID);
    T_INT(field_append_int(tags, &spec, 3, &err), STATUS_INVALID);
    T_INT(field_set_string(tags, &spec, "a", &err), STATUS_INVALID);
}

static void test_text_and_json_show_the_value(void) {
    static const struct {
        const char *field, *set, *text, *json;
    } cases[] = {
        {"epochs", "12", "12", "12"},
        {"weight_decay", "5e-4", "0.0005", "0.0005"},
        {"weight_decay", "-0", "0", "0"}, /* the same as 0, in the digest too */
        {"flip", "0", "false", "false"},
        {"method", "wttm", "wttm", "\"wttm\""},
        {"name", "a \"b\"", "a \"b\"", "\"a \\\"b\\\"\""},
        {"milestones", "5,7", "5,7", "[5,7]"},
        {"tags", "x,y", "x,y", "[\"x\",\"y\"]"},
        {"milestones", "", "", "[]"},
    };
    reset();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct field *field = field_find(&train_spec_table, cases[i].field);
        struct str text = STR_INIT, json = STR_INIT;
        T_INT(set(cases[i].field, cases[i].set), STATUS_OK);
        field_add_text(field, &spec, &text);
        field_add_json(field, &spec, &json);
        T_STR(str_text(&text), cases[i].text);
        T_STR(str_text(&json), cases[i].json);
        str_release(&text);
        str_release(&json);
    }
}

static void test_not_given_is_null(void) {
    struct str json = STR_INIT;
    reset();
    field_add_json(field_find(&train_spec_table, "beta"), &spec, &json);
    field_add_json(field_find(&train_spec_table, "teacher"), &spec, &json);
    T_STR(str_text(&json), "nullnull");
    str_release(&json);
}

static void test_arguments(void) {
    T_INT(parse(3, (const char *[]){"method=kd", "epochs=3", "name_is=x"}), STATUS_INVALID);
    T_STR(err.field, "name_is");
    T_INT(parse(2, (const char *[]){"method=kd", "epochs=3"}), STATUS_OK);
    T_INT(spec.method, METHOD_KD);
    T_INT(parse(1, (const char *[]){"epoch=3"}), STATUS_INVALID);
    T_STR(err.message, "unknown job field \"epoch\"; did you mean \"epochs\"?");
    T_INT(parse(1, (const char *[]){"zzzzzz=3"}), STATUS_INVALID);
    T_STR(err.message, "unknown job field \"zzzzzz\"");
    T_INT(parse(1, (const char *[]){"priority=3"}), STATUS_INVALID); /* refused by its flag */
    T_INT(parse(1, (const char *[]){"epochs"}), STATUS_INVALID);
    T_CONTAINS(err.message, "is not key=value");
    T_INT(parse(2, (const char *[]){"epochs=3", "epochs=3"}), STATUS_INVALID);
    T_STR(err.message, "epochs is given twice");
    T_INT(parse(2, (const char *[]){"teacher=a=b", "out="}), STATUS_OK);
    T_STR(spec.teacher, "a=b");
}

static void test_temperature_and_gamma_exclude_each_other(void) {
    T_INT(parse(2, (const char *[]){"temperature=4", "gamma=0.25"}), STATUS_INVALID);
    T_STR(err.field, "gamma");
    T_INT(parse(2, (const char *[]){"gamma=0.25", "temperature=4"}), STATUS_INVALID);
    T_STR(err.field, "temperature");
    T_CONTAINS(err.message, "give only one");
}

static void test_help_names_every_field_that_is_not_hidden(void) {
    struct str help = STR_INIT;
    static const char *const required[] = {"out", NULL};
    fields_add_help(&train_spec_table, FIELD_JOB, required, &help);
    for (int i = 0; i < train_spec_table.count; i++) {
        const struct field *field = &train_spec_table.fields[i];
        bool found = strstr(str_text(&help), field->doc) != NULL;
        T_INT(found, !(field->flags & FIELD_JOB));
    }
    T_CONTAINS(str_text(&help), "epochs");
    T_CONTAINS(str_text(&help), "1 to 100000 (default 240)");
    str_release(&help);
}

int main(void) {
    T_RUN(test_defaults_are_the_published_recipe);
    T_RUN(test_table_is_sound);
    T_RUN(test_range_error_names_field_value_and_range);
    T_RUN(test_bounds_are_inclusive);
    T_RUN(test_texts_and_lists);
    T_RUN(test_typed_setters_refuse_other_types);
    T_RUN(test_text_and_json_show_the_value);
    T_RUN(test_not_given_is_null);
    T_RUN(test_arguments);
    T_RUN(test_temperature_and_gamma_exclude_each_other);
    T_RUN(test_help_names_every_field_that_is_not_hidden);
    return t_done();
}
