/* Where the secret of a request is. */
#include "service/http/access.h"

#include "tests/support/t.h"

static void of_the_authorization_header(void) {
    T_STR(access_secret("Bearer abc", NULL), "abc");
    T_STR(access_secret("bEARER abc", NULL), "abc");
    T_STR(access_secret("Bearer   abc", NULL), "abc");
    T_STR(access_secret("Bearer abc", "xyz"), "abc");
    T_STR(access_secret("Bearer ", NULL), "");
}

/* Another scheme, as a proxy may want, is none; the other header counts. */
static void no_other_scheme_is_one(void) {
    static const char *const others[] = {"",    "Basic YTpi", "Bearer",     "Bearerabc",
                                         "abc", "Bear abc",   " Bearer abc"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        T_CHECK(!access_secret(others[i], NULL));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        T_STR(access_secret(others[i], "xyz"), "xyz");
}

static void of_the_other_header(void) {
    T_STR(access_secret(NULL, "xyz"), "xyz");
    T_CHECK(!access_secret(NULL, NULL));
}

int main(void) {
    T_RUN(of_the_authorization_header);
    T_RUN(no_other_scheme_is_one);
    T_RUN(of_the_other_header);
    return t_done();
}
