/* Model and data-set cards, and the requests that are not jobs. */
#include "api/cards.h"
#include "api/limits.h"
#include "tests/support/t.h"

static struct field_errors errors;
static struct error err;

static void test_model_card_comes_back(void) {
    struct model_card card = {.classes = 3, .height = 28, .width = 28, .channels = 1}, back;
    struct str json = STR_INIT, again = STR_INIT;
    str_copy(card.id, sizeof card.id, "model_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    str_copy(card.architecture, sizeof card.architecture, "resnet8");
    card.top1 = 0.91;
    card.loss = NAN;
    for (int i = 0; i < 9; i++)
        class_names_add(&card.class_names, i % 2 ? "shirt \"x\"" : "\xc3\xa9");
    card.spec = xcalloc(1, sizeof *card.spec);
    fields_default(&train_spec_table, card.spec);
    str_copy(card.spec->student, sizeof card.spec->student, "resnet8");
    str_copy(card.spec->dataset, sizeof card.spec->dataset, "digits");
    card.spec->learning_rate = 0.1;
    T_INT(train_spec_finish(card.spec, &err), STATUS_OK);
    model_card_add_json(&card, &json);
    T_INT(model_card_decode(&back, str_text(&json), json.len, &err), STATUS_OK);
    T_INT(back.class_names.count, 9);
    T_STR(back.class_names.item[1], "shirt \"x\"");
    T_CHECK(back.spec && back.spec->learning_rate == 0.1);
    model_card_add_json(&back, &again);
    T_STR(str_text(&again), str_text(&json));
    model_card_release(&card);
    model_card_release(&back);
    str_release(&json);
    str_release(&again);
}

static void test_dataset_card_comes_back(void) {
    struct dataset_card card = {.classes = 2,
                                .height = 32,
                                .width = 32,
                                .channels = 3,
                                .mean = {0.5071, 0.4867, 0.4408},
                                .deviation = {0.25, 0.5, 0.75}};
    struct dataset_card back;
    struct str json = STR_INIT, again = STR_INIT;
    str_copy(card.name, sizeof card.name, "cifar100");
    class_names_add(&card.class_names, "apple");
    dataset_card_add_json(&card, &json);
    T_CONTAINS(str_text(&json), "\"mean\":[0.5071,0.4867,0.4408],\"deviation\":[0.25,0.5,0.75],"
                                "\"class_names\":[\"apple\"]}");
    T_INT(dataset_card_decode(&back, str_text(&json), json.len, &err), STATUS_OK);
    dataset_card_add_json(&back, &again);
    T_STR(str_text(&again), str_text(&json));
    dataset_card_release(&card);
    dataset_card_release(&back);
    str_release(&json);
    str_release(&again);
}

static void test_damaged_cards_are_corrupt(void) {
    static const char *const bad[] = {
        "{",
        "{}",
        "{\"class_names\":[3]}",
        "{\"class_names\":3}",
        "{\"class_names\":[\"a\",null]}",
        "{\"class_names\":[],\"width\":\"x\"}",
        "{\"class_names\":[],\"channels\":5,\"mean\":[1,2,3,4,5],\"deviation\":[1,2,3,4,5]}",
        "{\"class_names\":[],\"channels\":2,\"mean\":[1,2],\"deviation\":[1]}",
    };
    struct model_card model;
    struct dataset_card dataset;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        T_INT(model_card_decode(&model, bad[i], strlen(bad[i]), &err), STATUS_CORRUPT);
        T_CONTAINS(err.message, "stored model");
        T_INT(dataset_card_decode(&dataset, bad[i], strlen(bad[i]), &err), STATUS_CORRUPT);
        T_CONTAINS(err.message, "stored data set");
    }
}

static enum status decode_dataset(const char *text) {
    struct dataset_request request;
    memset(&errors, 0, sizeof errors);
    return dataset_request_decode(&request, text, strlen(text), &errors, &err);
}

static void test_dataset_requests(void) {
    T_INT(decode_dataset("{\"name\":\"my_set.v1-2\",\"path\":\"/data/x\"}"), STATUS_OK);
    T_INT(decode_dataset("{}"), STATUS_INVALID);
    T_INT(errors.count, 2);
    T_STR(errors.item[0].detail, "name is required");
    T_STR(errors.item[1].detail, "path is required");
    T_INT(decode_dataset("{\"name\":\"x\",\"path\":\"data\"}"), STATUS_INVALID);
    T_STR(err.field, "path");
    T_INT(decode_dataset("{\"name\":\"x\",\"path\":\"/d\",\"mode\":1}"), STATUS_INVALID);
    T_STR(err.field, "mode");
}

static void test_dataset_names(void) {
    static const char *const bad[] = {"",    ".", "..",  ".hidden", "-x",
                                      "a/b", "A", "a b", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        T_CHECK(!dataset_name_is_valid(bad[i]));
    T_CHECK(dataset_name_is_valid("cifar100") && dataset_name_is_valid("0a_b.c-d"));
    char longest[FIELD_TEXT_BYTES + 1];
    memset(longest, 'a', sizeof longest);
    longest[FIELD_TEXT_BYTES - 1] = '\0';
    T_CHECK(dataset_name_is_valid(longest));
    longest[FIELD_TEXT_BYTES - 1] = 'a';
    longest[FIELD_TEXT_BYTES] = '\0';
    T_CHECK(!dataset_name_is_valid(longest));
}

static enum status decode_predict(struct predict_request *request, const char *text) {
    memset(&errors, 0, sizeof errors);
    return predict_request_decode(request, text, strlen(text), &errors, &err);
}

/* The examples of RFC 4648. */
static void test_base64(void) {
    static const struct {
        const char *base64, *bytes;
    } cases[] = {{"Zg==", "f"},           {"Zm8=", "fo"},        {"Zm9v", "foo"},
                 {"Zm9vYg==", "foob"},    {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"},
                 {"++//", "\xfb\xef\xff"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct predict_request request;
        char text[128];
        snprintf(text, sizeof text, "{\"model\":\"m\",\"top_k\":2,\"images\":[\"%s\"]}",
                 cases[i].base64);
        T_INT(decode_predict(&request, text), STATUS_OK);
        T_INT(request.image_count, 1);
        T_INT(request.top_k, 2);
        T_INT(request.images[0].len, strlen(cases[i].bytes));
        T_CHECK(memcmp(request.images[0].bytes, cases[i].bytes, request.images[0].len) == 0);
        predict_request_release(&request);
    }
}

static void test_predict_requests_that_are_wrong(void) {
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"{\"images\":[\"Zg==\"]}", "model"},
        {"{\"model\":\"m\"}", "images"},
        {"{\"model\":\"m\",\"images\":[]}", "images"},
        {"{\"model\":\"m\",\"images\":\"Zg==\"}", "images"},
        {"{\"model\":\"m\",\"images\":[3]}", "images[0]"},
        {"{\"model\":\"m\",\"images\":[\"Zg==\",\"\"]}", "images[1]"},
        {"{\"model\":\"m\",\"images\":[\"=\"]}", "images[0]"},
        {"{\"model\":\"m\",\"images\":[\"====\"]}", "images[0]"},
        {"{\"model\":\"m\",\"images\":[\"Zg=a\"]}", "images[0]"},
        {"{\"model\":\"m\",\"images\":[\"Zh==\"]}", "images[0]"}, /* stray bits */
        {"{\"model\":\"m\",\"images\":[\"Zg= \"]}", "images[0]"},
        {"{\"model\":\"m\",\"images\":[\"Zm9v\\n\"]}", "images[0]"},
        {"{\"model\":\"m\",\"images\":[\"Zg==\"],\"top_k\":0}", "top_k"},
        {"{\"model\":\"m\",\"images\":[\"Zg==\"],\"topk\":1}", "topk"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct predict_request request;
        T_INT(decode_predict(&request, cases[i].text), STATUS_INVALID);
        T_STR(err.field, cases[i].field);
        T_INT(request.image_count, 0);
    }
}

static void test_too_many_pictures(void) {
    struct predict_request request;
    struct str text = STR_INIT;
    str_add(&text, "{\"model\":\"m\",\"images\":[");
    for (int i = 0; i <= LIMIT_PICTURES; i++)
        str_addf(&text, "%s\"Zg==\"", i ? "," : "");
    str_add(&text, "]}");
    T_INT(decode_predict(&request, str_text(&text)), STATUS_INVALID);
    T_CONTAINS(errors.item[0].range, "1 to 64");
    str_release(&text);
}

int main(void) {
    T_RUN(test_model_card_comes_back);
    T_RUN(test_dataset_card_comes_back);
    T_RUN(test_damaged_cards_are_corrupt);
    T_RUN(test_dataset_requests);
    T_RUN(test_dataset_names);
    T_RUN(test_base64);
    T_RUN(test_predict_requests_that_are_wrong);
    T_RUN(test_too_many_pictures);
    return t_done();
}
