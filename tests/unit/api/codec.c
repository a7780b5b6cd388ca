/* JSON requests to training specs: what is accepted, what is refused, and how it is said. */
#include "api/codec.h"
#include "engine/base/rng.h"
#include "tests/support/t.h"

static struct train_spec spec;
static struct field_errors errors;
static struct error err;

static enum status decode(const char *text) {
    memset(&errors, 0, sizeof errors);
    memset(&err, 0, sizeof err);
    return job_spec_decode(&spec, text, strlen(text), &errors, &err);
}

static void test_a_spec(void) {
    T_INT(decode("{\"method\":\"wttm\",\"teacher\":\"model_x\",\"student\":\"resnet8x4\","
                 "\"dataset\":\"cifar100\",\"temperature\":10,\"beta\":3,\"epochs\":240.0,"
                 "\"milestones\":[150,180.0],\"flip\":false,\"tags\":[\"a\",\"b\"],\"name\":null,"
                 "\"gamma\":null,\"weight_decay\":5e-4}"),
          STATUS_OK);
    T_INT(spec.method, METHOD_WTTM);
    T_NEAR(spec.gamma, 0.1, 0);
    T_INT(spec.epochs, 240);
    T_INT(spec.milestones.count, 2);
    T_INT(spec.milestones.item[1], 180);
    T_CHECK(!spec.flip);
    T_STR(spec.tags.item[1], "b");
    T_INT(spec.data_seed, 1);
}

static void test_what_cannot_be_parsed_names_no_field(void) {
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "3",
        "null",
        "{\"epochs\":1}x",
        "{\"epochs\":}",
        "{epochs:1}",
        "{\"epochs\":1,\"epochs\":1}",
        "{\"name\":\"\\u0000\"}",
        "{\"name\":\"\xff\"}",
        "{\"beta\":1e999}",
        "{\"beta\":NaN}",
        "{\"epochs\":01}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        T_INT(decode(bad[i]), STATUS_INVALID);
        T_STR(err.field, "");
        T_CHECK(err.message[0]);
        T_INT(errors.count, 0);
    }
}

static void test_depth_is_bounded(void) {
    char text[100000];
    memset(text, '[', sizeof text);
    memcpy(text, "{\"tags\":", 8);
    text[sizeof text - 1] = '\0';
    T_INT(decode(text), STATUS_INVALID);
    T_CONTAINS(err.message, "32 levels");
    T_INT(decode("{\"name\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\","
                 "\"student\":\"s\",\"dataset\":\"d\"}"),
          STATUS_OK); /* brackets in a text nest nothing */
}

static void test_every_wrong_field_is_told(void) {
    static const struct {
        const char *text, *field, *value, *detail, *range;
    } cases[] = {
        {"{\"epochs\":0}", "epochs", "0", "epochs must be 1 to 100000, not 0", "1 to 100000"},
        {"{\"epochs\":\"5\"}", "epochs", "\"5\"",
         "epochs must be a whole number (1 to 100000), not \"5\"", "1 to 100000"},
        {"{\"epochs\":1.5}", "epochs", "1.5",
         "epochs must be a whole number (1 to 100000), not 1.5", "1 to 100000"},
        {"{\"epochs\":null}", "epochs", "null",
         "epochs must be a whole number (1 to 100000), not null", "1 to 100000"},
        {"{\"epochs\":[1]}", "epochs", "[1]",
         "epochs must be a whole number (1 to 100000), not [1]", "1 to 100000"},
        {"{\"seed\":18446744073709551616}", "seed", "1.8446744073709552e+19",
         "seed must be a whole number (0 to 9007199254740991), not 1.8446744073709552e+19",
         "0 to 9007199254740991"},
        {"{\"flip\":1}", "flip", "1", "flip must be true or false, not 1", "true or false"},
        {"{\"method\":\"kdd\"}", "method", "\"kdd\"",
         "method must be one of ce, kd, ttm, wttm, predict, not \"kdd\"",
         "one of ce, kd, ttm, wttm, predict"},
        {"{\"milestones\":[1,\"a\"]}", "milestones", "[1,\"a\"]", NULL,
         "at most 16 items, each 1 to 100000"},
        {"{\"tags\":\"a\"}", "tags", "\"a\"", NULL, "at most 16 items, each 1 to 63 characters"},
        {"{\"name\":{}}", "name", "{}", "name must be a text (at most 120 characters), not {}",
         "at most 120 characters"},
        {"{\"epoch\":3}", "epoch", "3", "unknown job field \"epoch\"; did you mean \"epochs\"?",
         ""},
        {"{\"out\":\"x\"}", "out", "\"x\"", NULL, ""}, /* the command line's */
        {"{\"temperature\":4,\"gamma\":0.25}", "gamma", "0.25", NULL, "0.001 to 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"student\":\"s\",\"dataset\":\"d\",%s", cases[i].text + 1);
        T_INT(decode(text), STATUS_INVALID);
        T_INT(errors.count, 1);
        T_STR(errors.item[0].field, cases[i].field);
        T_STR(errors.item[0].range, cases[i].range);
        if (cases[i].detail)
            T_STR(errors.item[0].detail, cases[i].detail);
        T_STR(err.field, cases[i].field);
        T_NEAR(strtod(errors.item[0].value, NULL), strtod(cases[i].value, NULL), 0);
    }
}

static void test_all_errors_at_once_up_to_a_limit(void) {
    T_INT(decode("{\"epochs\":0,\"bogus\":1,\"flip\":3,\"student\":\"s\"}"), STATUS_INVALID);
    T_INT(errors.count, 4);
    T_STR(errors.item[1].field, "bogus");
    T_STR(errors.item[2].field, "flip");
    T_STR(errors.item[3].detail, "dataset is required");
    T_STR(err.field, "epochs");
    struct str many = STR_INIT;
    for (int i = 0; i < 40; i++)
        str_addf(&many, "%s\"unknown_%d\":1", i ? "," : "{", i);
    str_add(&many, "}");
    T_INT(decode(str_text(&many)), STATUS_INVALID);
    T_INT(errors.count, FIELD_ERRORS_MAX);
    str_release(&many);
}

static void test_rules_between_fields_are_told_alike(void) {
    T_INT(decode("{\"student\":\"s\",\"dataset\":\"d\",\"method\":\"kd\"}"), STATUS_INVALID);
    T_INT(errors.count, 1);
    T_STR(errors.item[0].field, "teacher");
    T_STR(errors.item[0].value, "null");
    T_STR(errors.item[0].range, "at most 500 characters");
}

static void test_a_stored_spec_comes_back(void) {
    T_INT(decode("{\"method\":\"ttm\",\"teacher\":\"t\",\"student\":\"s\",\"dataset\":\"d\","
                 "\"gamma\":0.3,\"beta\":7,\"name\":\"\\u00e9\",\"milestones\":[]}"),
          STATUS_OK);
    struct train_spec once = spec;
    struct str json = STR_INIT;
    train_spec_add_json(&spec, &json);
    T_INT(job_spec_decode_stored(&spec, str_text(&json), json.len, &err), STATUS_OK);
    T_CHECK(memcmp(&once, &spec, sizeof spec) == 0);
    T_INT(job_spec_decode_stored(&spec, str_text(&json), json.len - 1, &err), STATUS_CORRUPT);
    T_INT(job_spec_decode_stored(&spec, "{\"epochs\":0}", 12, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "stored job: epochs must be");
    str_release(&json);
}

/* Any bytes at all give an answer, and an error always has a message. */
static void test_damaged_text_is_refused_calmly(void) {
    static const char good[] = "{\"method\":\"ttm\",\"student\":\"s\",\"milestones\":[1,2],"
                               "\"tags\":[\"\\u00e9\"],\"beta\":1.5e2,\"flip\":true,\"x\":{}}";
    for (uint32_t i = 0; i < 20000; i++) {
        char text[sizeof good];
        memcpy(text, good, sizeof text);
        struct rng_block draw = rng_philox(7, i, 0, RNG_TEST, 0);
        text[rng_below(draw.word[0], sizeof text - 1)] = (char)draw.word[1];
        text[rng_below(draw.word[2], sizeof text - 1)] = (char)draw.word[3];
        memset(&errors, 0, sizeof errors);
        size_t len = sizeof text - 1 - (i % 3 ? 0 : rng_below(draw.word[1] >> 8, 40));
        if (job_spec_decode(&spec, text, len, &errors, &err))
            T_CHECK(err.message[0]);
    }
}

/* Each field that a prediction does not have is told once, whatever its value. */
static void test_fields_of_the_other_methods(void) {
    T_INT(decode("{\"method\":\"predict\",\"model\":\"m\",\"dataset\":\"d\",\"epochs\":0,"
                 "\"seed\":1,\"student\":\"s\",\"teacher\":null}"),
          STATUS_INVALID);
    T_INT(errors.count, 3);
    T_STR(errors.item[0].field, "epochs");
    T_STR(errors.item[1].field, "student");
    T_STR(errors.item[1].detail, "student is not for method predict");
    T_STR(errors.item[2].field, "seed");
    T_INT(decode("{\"method\":\"predict\",\"dataset\":\"d\"}"), STATUS_INVALID);
    T_INT(errors.count, 1);
    T_STR(errors.item[0].field, "model");
    T_INT(decode("{\"student\":\"s\",\"dataset\":\"d\",\"split\":\"test\"}"), STATUS_INVALID);
    T_STR(errors.item[0].detail, "split is not for method ce");
}

int main(void) {
    codec_init();
    T_RUN(test_a_spec);
    T_RUN(test_fields_of_the_other_methods);
    T_RUN(test_what_cannot_be_parsed_names_no_field);
    T_RUN(test_depth_is_bounded);
    T_RUN(test_every_wrong_field_is_told);
    T_RUN(test_all_errors_at_once_up_to_a_limit);
    T_RUN(test_rules_between_fields_are_told_alike);
    T_RUN(test_a_stored_spec_comes_back);
    T_RUN(test_damaged_text_is_refused_calmly);
    return t_done();
}
