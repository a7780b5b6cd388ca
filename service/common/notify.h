/*
 * notify.h - tells the service manager (systemd) how this process is: ready, stopping, alive.
 *
 * The protocol of sd_notify(3), datagrams to the socket that NOTIFY_SOCKET names, without
 * libsystemd. Where nobody asked to be told, nothing is sent. What cannot be sent is lost: the
 * service does not depend on who looks after it.
 *
 * Ownership: the caller's storage, between notifier_open and notifier_close.
 * Threads:   one at a time.
 */
#ifndef SERVICE_COMMON_NOTIFY_H
#define SERVICE_COMMON_NOTIFY_H

#include "engine/base/status.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notifier {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un address;
    socklen_t address_len;
    int64_t period_ns, due_ns; /* of signs of life; period 0: none are wanted */
};

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that children do
 * not speak for this process. Before other threads exist. */
void notifier_open(struct notifier *notifier);
void notifier_close(struct notifier *notifier); /* Opened, or closed already. */

/* Sends "READY=1" and what is going on in a few words. */
void notifier_ready(struct notifier *notifier, const char *format, ...) PRINTF_LIKE(2, 3);

/* Says what is going on in a few words. */
void notifier_status(struct notifier *notifier, const char *format, ...) PRINTF_LIKE(2, 3);

void notifier_stopping(struct notifier *notifier); /* Sends "STOPPING=1". */

/* Sends "WATCHDOG=1" when it is time, twice as often as asked for. To be called often. */
void notifier_alive(struct notifier *notifier);

#endif
