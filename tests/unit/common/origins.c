/* The setting cors_origins: what is well formed, and whom it lets in. */
#include "service/common/origins.h"

#include "tests/support/t.h"

static void what_is_well_formed(void) {
    static const char *const good[] = {"", "*", "https://a.example", "http://localhost:5173",
                                       "http://[::1]:8000,https://a-b.example,http://10.0.0.1"};
    static const char *const bad[] = {
        "a.example",    "https://",          "https://a.example/",   "ftp://a.example",
        "*,https://a",  "https://a,",        "https://a,,https://b", "https://A.example",
        "https://a:",   "https://a:1234567", "https://a b",          "null",
        "https://[::1", "https://a:80x",     "https://a, https://b", "https://u@a",
    };
    struct error err;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        T_INT(origins_check(good[i], &err), STATUS_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (origins_check(bad[i], &err) != STATUS_INVALID)
            T_FAIL("%s was accepted", bad[i]);
        T_STR(err.field, "cors_origins");
    }
}

static void whom_it_lets_in(void) {
    static const char list[] = "https://a.example,http://localhost:5173";
    T_CHECK(origins_have("*", "https://anyone"));
    T_CHECK(origins_have(list, "https://a.example") && origins_have(list, "http://localhost:5173"));
    static const char *const others[] = {"",     "https://a.exampl", "https://a.example.org",
                                         "null", "http://a.example", "http://localhost",
                                         list};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        T_CHECK(!origins_have(list, others[i]) && !origins_have("", others[i]));
}

int main(void) {
    T_RUN(what_is_well_formed);
    T_RUN(whom_it_lets_in);
    return t_done();
}
