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

static void edit(struct key_card *card, const char *text) {
    struct key_edit edit;
    struct field_errors errors = {.count = 0};
    T_INT(key_edit_decode(&edit, text, strlen(text), &errors, NULL), STATUS_OK);
    key_edit_apply(&edit, card);
}

/* What is not given stays, and so does what cannot be given. */
static void an_edit_changes_what_it_names(void) {
    struct key_card card = {.name = "a", .roles = list_of("read", NULL), .sha256 = "abc"};
    card.limits = (struct key_limits){.requests_per_s = 2, .active_jobs = 3};
    edit(&card, "{}");
    edit(&card, "{\"active_jobs\":5}");
    T_INT(card.limits.active_jobs, 5);
    T_NEAR(card.limits.requests_per_s, 2, 0);
    T_STR(card.roles.item[0], "read");
    edit(&card, "{\"roles\":[],\"requests_per_s\":0.5}");
    T_INT(card.roles.count, 0);
    T_NEAR(card.limits.requests_per_s, 0.5, 0);
    T_INT(card.limits.active_jobs, 5);
    T_STR(card.name, "a");
    T_STR(card.sha256, "abc");
}

static bool ends_admin(const char *text) {
    struct key_edit edit;
    struct field_errors errors = {.count = 0};
    T_INT(key_edit_decode(&edit, text, strlen(text), &errors, NULL), STATUS_OK);
    return key_edit_ends_admin(&edit);
}

static void an_edit_may_end_admin(void) {
    T_CHECK(!ends_admin("{}") && !ends_admin("{\"active_jobs\":0}"));
    T_CHECK(!ends_admin("{\"roles\":[\"read\",\"admin\"]}"));
    T_CHECK(ends_admin("{\"roles\":[\"read\",\"predict\"]}") && ends_admin("{\"roles\":[]}"));
}

int main(void) {
    T_RUN(a_role_allows_its_own);
    T_RUN(a_set_allows_what_each_does);
    T_RUN(words_of_other_versions_allow_nothing);
    T_RUN(requests_are_checked);
    T_RUN(a_card_is_shown_without_its_digest);
    T_RUN(an_edit_changes_what_it_names);
    T_RUN(an_edit_may_end_admin);
    return t_done();
}
