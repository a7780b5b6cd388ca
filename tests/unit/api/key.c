/* API keys: what roles allow, what a request for a key must say. */
#include "api/key.h"

#include "tests/support/t.h"

static struct text_list list_of(const char *first, const char *second) {
    struct text_list list = {.count = second ? 2 : 1};
    str_copy(list.item[0], FIELD_TEXT_BYTES, first);
    str_copy(list.item[1], FIELD_TEXT_BYTES, second ? second : "");
    return list;
}

static void a_role_allows_its_own(void) {
    for (int held = KEY_ROLE_READ; held < KEY_ROLE_COUNT; held++) {
        struct text_list list = list_of(key_role_slug((enum key_role)held), NULL);
        unsigned roles = key_roles(&list);
        for (int asked = KEY_ROLE_NONE; asked < KEY_ROLE_COUNT; asked++)
            T_INT(key_roles_allow(roles, (enum key_role)asked),
                  asked == KEY_ROLE_NONE || asked == held || held == KEY_ROLE_ADMIN);
    }
}

static void a_set_allows_what_each_does(void) {
    struct text_list list = list_of("read", "predict");
    unsigned roles = key_roles(&list);
    T_CHECK(key_roles_allow(roles, KEY_ROLE_READ) && key_roles_allow(roles, KEY_ROLE_PREDICT));
    T_CHECK(!key_roles_allow(roles, KEY_ROLE_SUBMIT) && !key_roles_allow(roles, KEY_ROLE_ADMIN));
}

static void words_of_other_versions_allow_nothing(void) {
    struct text_list list = list_of("none", "evaluate");
    unsigned roles = key_roles(&list);
    T_CHECK(key_roles_allow(roles, KEY_ROLE_NONE));
    for (int asked = KEY_ROLE_READ; asked < KEY_ROLE_COUNT; asked++)
        T_CHECK(!key_roles_allow(roles, (enum key_role)asked));
}

static int wrong_fields(const char *text) {
    struct key_request request;
    struct field_errors errors = {.count = 0};
    enum status status = key_request_decode(&request, text, strlen(text), &errors, NULL);
    T_INT(status, errors.count ? STATUS_INVALID : STATUS_OK);
    return errors.count;
}

static void requests_are_checked(void) {
    T_INT(wrong_fields("{\"name\":\"a\",\"roles\":[\"read\",\"admin\"]}"), 0);
    T_INT(wrong_fields("{\"name\":\"a\",\"roles\":[]}"), 1);
    T_INT(wrong_fields("{\"name\":\"a\",\"roles\":[\"none\"]}"), 1);
    T_INT(wrong_fields("{\"name\":\"../a\",\"roles\":[\"rea\"]}"), 2);
    T_INT(wrong_fields("{}"), 2);
}

/* The digest is kept and never shown. */
static void a_card_is_shown_without_its_digest(void) {
    struct key_card card = {.name = "a", .roles = list_of("read", NULL)}, again;
    struct str shown = STR_INIT, kept = STR_INIT;
    card.limits.active_jobs = 7;
    str_copy(card.created, sizeof card.created, "2026-01-31T12:00:00.000Z");
    sha256_hex("x", 1, card.sha256);
    key_card_add_json(&card, &shown);
    T_STR(str_text(&shown),
          "{\"name\":\"a\",\"roles\":[\"read\"],\"created\":\"2026-01-31T12:00:00.000Z\","
          "\"requests_per_s\":0,\"requests_burst\":0,\"active_jobs\":7}");
    key_card_add_stored(&card, &kept);
    T_INT(key_card_decode(&again, str_text(&kept), kept.len, NULL), STATUS_OK);
    T_STR(again.sha256, card.sha256);
    T_STR(again.roles.item[0], "read");
    T_INT(again.limits.active_jobs, 7);
    T_INT(key_card_decode(&again, "{\"name\":\"a\",\"roles\":5}", 22, NULL), STATUS_CORRUPT);
    str_release(&shown);
    str_release(&kept);
}

int main(void) {
    T_RUN(a_role_allows_its_own);
    T_RUN(a_set_allows_what_each_does);
    T_RUN(words_of_other_versions_allow_nothing);
    T_RUN(requests_are_checked);
    T_RUN(a_card_is_shown_without_its_digest);
    return t_done();
}
