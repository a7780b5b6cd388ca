#include "service/common/notify.h"

#include "engine/base/clock.h"
#include "engine/base/str.h"
#include "service/common/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { NS_PER_US = 1000, SEND_MS = 500 };

/* "/path", or "@name" of an abstract socket. */
static bool parse_address(struct notifier *notifier, const char *text) {
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof notifier->address.sun_path)
        return false;
    notifier->address.sun_family = AF_UNIX;
    memcpy(notifier->address.sun_path, text, len);
    if (text[0] == '@')
        notifier->address.sun_path[0] = '\0';
    notifier->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

/* A manager that does not read must not stop the service. */
static int open_socket(void) {
    struct timeval patience = {.tv_usec = SEND_MS * 1000};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

/* Half of the time after which a silent process counts as hung, or 0. */
static int64_t read_period_ns(void) {
    const char *watchdog = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
    uint64_t period_us, pid;
    if (!watchdog || !str_parse_u64(watchdog, &period_us) ||
        period_us > (uint64_t)INT64_MAX / NS_PER_US)
        return 0;
    bool is_ours = !whose || (str_parse_u64(whose, &pid) && pid == (uint64_t)getpid());
    return is_ours ? (int64_t)period_us * NS_PER_US / 2 : 0;
}

void notifier_open(struct notifier *notifier) {
    const char *address = getenv("NOTIFY_SOCKET");
    *notifier = (struct notifier){.fd = -1, .period_ns = read_period_ns()};
    if (address && parse_address(notifier, address))
        notifier->fd = open_socket();
    if (address && notifier->fd < 0)
        log_warn("cannot_notify", log_text("socket", address));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notifier_close(struct notifier *notifier) {
    if (notifier->fd >= 0)
        close(notifier->fd);
    notifier->fd = -1;
}

static void say(struct notifier *notifier, const char *text, size_t len) {
    if (notifier->fd >= 0 &&
        sendto(notifier->fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&notifier->address,
               notifier->address_len) < 0)
        log_debug("cannot_notify", log_text("reason", strerror(errno)));
}

static void say_status(struct notifier *notifier, const char *before, const char *format,
                       va_list args) PRINTF_LIKE(3, 0);

static void say_status(struct notifier *notifier, const char *before, const char *format,
                       va_list args) {
    struct str text = STR_INIT;
    str_addf(&text, "%sSTATUS=", before);
    str_vaddf(&text, format, args);
    say(notifier, text.data, text.len);
    str_release(&text);
}

void notifier_ready(struct notifier *notifier, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say_status(notifier, "READY=1\n", format, args);
    va_end(args);
}

void notifier_status(struct notifier *notifier, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say_status(notifier, "", format, args);
    va_end(args);
}

void notifier_stopping(struct notifier *notifier) {
    static const char text[] = "STOPPING=1\nSTATUS=stopping";
    say(notifier, text, sizeof text - 1);
}

void notifier_alive(struct notifier *notifier) {
    static const char text[] = "WATCHDOG=1";
    int64_t now_ns = clock_mono_ns();
    if (!notifier->period_ns || now_ns < notifier->due_ns)
        return;
    notifier->due_ns = now_ns + notifier->period_ns;
    say(notifier, text, sizeof text - 1);
}
