#include "service/common/fault.h"

#include "engine/base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHOICE_BYTES = 64, PATH_BYTES = 4096 };

static void die(void) {
    kill(getpid(), SIGKILL);
}

static void stop(void) {
    kill(getpid(), SIGSTOP);
}

static void leave(void) {
    _exit(EXIT_FAILURE);
}

static const struct {
    const char *name;
    void (*act)(void);
} ACTIONS[] = {{"kill", die}, {"stop", stop}, {"exit", leave}};

static bool read_choice(const char *path, char choice[CHOICE_BYTES]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, choice, CHOICE_BYTES - 1);
    close(fd);
    choice[len > 0 ? len : 0] = '\0';
    choice[strcspn(choice, "\n")] = '\0';
    return len > 0;
}

/* Of several processes that come there at once one gets it. */
static bool take(const char *path) {
    char done[PATH_BYTES];
    int len = snprintf(done, sizeof done, "%s.done", path);
    return len < (int)sizeof done && rename(path, done) == 0;
}

void fault_point(const char *what, const char *when) {
    const char *path = getenv("DISTILLD_FAULT");
    char choice[CHOICE_BYTES], wanted[CHOICE_BYTES];
    if (!path || !read_choice(path, choice))
        return;
    for (size_t i = 0; i < sizeof ACTIONS / sizeof *ACTIONS; i++) {
        snprintf(wanted, sizeof wanted, "%s.%s:%s", what, when, ACTIONS[i].name);
        if (str_equal(choice, wanted) && take(path))
            ACTIONS[i].act();
    }
}
