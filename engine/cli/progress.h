/*
 * progress.h - how a training run is shown: one live line on a terminal, JSON lines in a pipe.
 *
 * On a terminal a line is redrawn a few times a second, and each evaluation leaves one behind. In
 * a pipe each evaluation is one JSON object on a line, and so is each train point if these were
 * asked for; nothing else is printed.
 *
 * Ownership: the caller's storage; nothing to release.
 */
#ifndef ENGINE_CLI_PROGRESS_H
#define ENGINE_CLI_PROGRESS_H

#include "engine/session/trainer.h"

struct progress {
    bool terminal;
    bool train_points; /* print them in a pipe; false after init */
    int columns;       /* of the terminal */
    int64_t drawn_ns;  /* when the live line was last drawn */
};

void progress_init(struct progress *progress); /* Looks at what the standard output is. */

/* Redraws the live line if it is time. */
void progress_tick(struct progress *progress, const struct train_progress *at);

/* Shows a point of the learning curve. */
void progress_point(struct progress *progress, const struct metric_point *point);

void progress_end(struct progress *progress); /* Wipes the live line. */

#endif
