/*
 * interrupt.h - SIGINT, SIGTERM and SIGHUP (unless it is ignored) as a flag.
 *
 * The first of them asks for an orderly end, a second one kills the process as usual. SIGPIPE is
 * ignored, so that a closed pipe is an error of writing.
 */
#ifndef ENGINE_CLI_INTERRUPT_H
#define ENGINE_CLI_INTERRUPT_H

#include <stdbool.h>

void interrupt_install(void);   /* Ignores SIGPIPE. Called once from main. */
void interrupt_catch(void);     /* From now on the first signal only sets the flag. */
bool interrupt_requested(void); /* Has it been set? */

#endif
