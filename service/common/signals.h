/*
 * signals.h - SIGTERM and SIGINT as a flag and as something to wait for.
 *
 * Both ask for an orderly end. So does SIGHUP (a closed terminal), unless it was ignored at the
 * start or signals_reload_on_hangup gave it another meaning. SIGPIPE is ignored. The flags and the
 * pipe that wakes sleepers are the process's only mutable globals.
 *
 * Threads: signals_install is called once from main before other threads exist; the rest from any.
 */
#ifndef SERVICE_COMMON_SIGNALS_H
#define SERVICE_COMMON_SIGNALS_H

#include <stdbool.h>

/* Installs the handlers, also for SIGCHLD, which only wakes signals_wait. */
void signals_install(void);

/* From now on SIGHUP asks to read files again, and no longer to end. */
void signals_reload_on_hangup(void);

/* True once for each time that this was asked for, or for several. */
bool signals_take_reload(void);

/* True once one of these signals has arrived, or signals_request_stop was called. */
bool signals_stop(void);

/* Asks this process to end as if SIGTERM had arrived. */
void signals_request_stop(void);

/* Sleeps for so many milliseconds, or less when a stop or a reload is asked for or a child changes
 * state. Returns signals_stop(). One thread at a time. */
bool signals_wait(int duration_ms);

#endif
