#include "engine/base/status.h"

#include "tests/support/t.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void test_slugs_and_sentences(void) {
    T_STR(status_slug(STATUS_OK), "ok");
    T_STR(status_slug(STATUS_NOT_FOUND), "not_found");
    T_STR(status_sentence(STATUS_NO_SPACE), "there is no room left");
    T_STR(status_slug((enum status)STATUS_COUNT), "unknown");
    T_STR(status_sentence((enum status) - 1), "unknown");
    for (int i = 0; i < STATUS_COUNT; i++)
        for (int j = 0; j < i; j++)
            T_CHECK(strcmp(status_slug((enum status)i), status_slug((enum status)j)) != 0);
}

static void test_set_fills_and_returns(void) {
    struct error err = {.field = "old"};
    T_INT(error_set(&err, STATUS_INVALID, "epochs: %d is not in 1..%d", 0, 9), STATUS_INVALID);
    T_INT(err.status, STATUS_INVALID);
    T_STR(err.message, "epochs: 0 is not in 1..9");
    T_STR(err.field, "");
    T_INT(error_set_field(&err, STATUS_TOO_LARGE, "train.epochs", "%s", "much"), STATUS_TOO_LARGE);
    T_STR(err.field, "train.epochs");
    T_STR(err.message, "much");
}

static void test_null_error(void) {
    T_INT(error_set(NULL, STATUS_IO, "x"), STATUS_IO);
    T_INT(error_set_field(NULL, STATUS_IO, "f", "x"), STATUS_IO);
    T_INT(error_set_errno(NULL, ENOSPC, "x"), STATUS_NO_SPACE);
    T_INT(error_wrap(NULL, STATUS_IO, "x"), STATUS_IO);
}

static void test_wrap_keeps_status_and_field(void) {
    struct error err;
    error_set_field(&err, STATUS_CORRUPT, "layers", "bad %s", "magic");
    T_INT(error_wrap(&err, STATUS_CORRUPT, "model %d", 7), STATUS_CORRUPT);
    T_INT(error_wrap(&err, STATUS_OK, "all is well"), STATUS_OK);
    T_STR(err.message, "model 7: bad magic");
    T_STR(err.field, "layers");
}

static void test_own_message_as_argument(void) {
    struct error err;
    error_set(&err, STATUS_IO, "first");
    error_set(&err, STATUS_IO, "second after %s", err.message);
    T_STR(err.message, "second after first");
}

static void test_long_texts_are_cut(void) {
    struct error err;
    char text[1000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    error_set_field(&err, STATUS_INVALID, text, "%s", text);
    T_INT(strlen(err.message), ERROR_MESSAGE_BYTES - 1);
    T_INT(strlen(err.field), ERROR_FIELD_BYTES - 1);
    (void)error_wrap(&err, STATUS_INVALID, "context");
    T_INT(strlen(err.message), ERROR_MESSAGE_BYTES - 1);
    T_INT(strncmp(err.message, "context: aaa", 12), 0);
    (void)error_wrap(&err, STATUS_INVALID, "%s", text);
    error_set_errno(&err, ENOENT, "%s", text);
    T_INT(strlen(err.message), ERROR_MESSAGE_BYTES - 1);
}

static void test_errno_values(void) {
    struct error err;
    T_INT(error_set_errno(&err, ENOENT, "open %s", "/x"), STATUS_NOT_FOUND);
    T_STR(err.message, "open /x: No such file or directory");
    T_INT(error_set_errno(&err, EDQUOT, "x"), STATUS_NO_SPACE);
    T_INT(error_set_errno(&err, ENOMEM, "x"), STATUS_OUT_OF_MEMORY);
    T_INT(error_set_errno(&err, EACCES, "x"), STATUS_IO);
    T_INT(err.status, STATUS_IO);
}

static void test_check_aborts(void) {
    CHECK(1 + 1 == 2);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    int result = 0;
    T_INT(waitpid(child, &result, 0), child);
    T_CHECK(WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT);
}

int main(void) {
    T_RUN(test_slugs_and_sentences);
    T_RUN(test_set_fills_and_returns);
    T_RUN(test_null_error);
    T_RUN(test_wrap_keeps_status_and_field);
    T_RUN(test_own_message_as_argument);
    T_RUN(test_long_texts_are_cut);
    T_RUN(test_errno_values);
    T_RUN(test_check_aborts);
    return t_done();
}
