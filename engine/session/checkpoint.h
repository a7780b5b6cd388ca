/*
 * checkpoint.h - everything a run needs to go on as if it had not stopped.
 *
 * One safetensors file: the arenas as they are, the tallies, the counters, the evaluations so far,
 * and as metadata the identity of the run and of the engine that wrote it. Written atomically.
 *
 * Errors: CORRUPT, CONFLICT (of another run), and those of files.
 */
#ifndef ENGINE_SESSION_CHECKPOINT_H
#define ENGINE_SESSION_CHECKPOINT_H

#include "engine/backend/params.h"
#include "engine/session/trainer.h"

enum { CHECKPOINT_TALLIES = 2 };

struct checkpoint {
    int64_t step; /* steps done */
    bool reproducible;
    bool evaluated; /* last and best are of a finished epoch */
    struct metric_point last, best;
    double tally[CHECKPOINT_TALLIES][TALLY_FIELDS]; /* of the full and of the remainder program */
    char identity[TRAINER_IDENTITY_BYTES];          /* of the engine that wrote it */
};

/* Writes the arenas of params and the rest. run is all that decides the result, as text: JSON, and
 * lines "name: value" behind it. */
MUST_CHECK enum status checkpoint_write(const struct checkpoint *checkpoint, const char *run,
                                        const struct params *params, const char *path,
                                        struct error *err);

/* Reads it back into the arenas; CONFLICT, naming what differs, when it is not of this run. */
MUST_CHECK enum status checkpoint_read(struct checkpoint *checkpoint, const char *run,
                                       struct params *params, const char *path, struct error *err);

#endif
