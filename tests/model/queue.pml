/*
 * queue.pml - the queue as a model: one job, two workers that may die, stop or be late, a user, and
 * time. spin looks at every order in which things can happen.
 *
 * TROUBLES things go wrong at most, after MAX_LOST losses of a worker in a row the job fails.
 *
 * What the scripts of service/store/lua do is one atomic step each; which event may follow what is
 * the table of api/job.c itself (table.pml, made by dump_table). A process that is killed loses its
 * variables and starts again; one that is frozen is one that does nothing for long. A lost answer is
 * a call that is made again.
 *
 * Checked: a write is accepted of the newest attempt only, and of one process a attempt; a job ends
 * once; an acknowledged job is never lost; the curve has neither gap nor double; a job that waits is
 * not left waiting (under weak fairness, `served`).
 */
#include "table.pml"

#define STEPS 2
#define NOBODY 9
#ifndef STALE /* what refuse_stale and the table say; the test also tries without the former */
#define STALE (attempt != mine || state != RUNNING)
#endif
#define IS_FINAL (state == SUCCEEDED || state == FAILED || state == CANCELLED)

/* Redis: the job's hash, its lease, its points. */
byte state = ABSENT, wish = WISH_NONE, attempt = 0, lost = 0, owner = NOBODY, owner_instance = 0;
bool lapsed = false; /* the lease is over */
bool late = false;   /* deadline or longest run are over */
byte published = 0;

/* The job's folder: whole points that wait to be published, checkpoint, model; its lock. */
chan outbox = [4] of { byte };
byte checkpoint = 0, lock = NOBODY;
bool model = false;

/* What the checks remember. */
byte ends = 0;
bool removed = false;
byte writer[TROUBLES + 3]; /* the process that claimed an attempt: 16 * its instance + worker */

/* How many more things may happen that need not: kills, ends of leases, wishes of the user, ... */
byte troubles = TROUBLES;

bool done; /* whether carry_out found a row */

inline settle() {
    if
    :: done && IS_FINAL && !was_final -> ends++; assert(ends <= 1)
    :: done && state == QUEUED && was_final -> ends = 0
    :: else
    fi;
    was_final = false
}

/* An event that happens to the job, with what follows from it. */
inline happen(event) {
    was_final = IS_FINAL;
    carry_out(event);
    assert(state != ABSENT || event == EVENT_REMOVE); /* an acknowledged job is not lost */
    settle()
}

/* lua/prelude.lua: the worker died, or its lease ran out. */
inline lose() {
    lost++;
    if
    :: lost >= MAX_LOST -> happen(EVENT_POISON)
    :: else -> happen(EVENT_REAP)
    fi;
    lapsed = false
}

/* Whoever writes must be the one that claimed the newest attempt, and the same process. */
inline check_writer() {
    assert(attempt == mine && writer[mine] == 16 * instance + me)
}

proctype worker(byte me) {
    byte mine = 0, step = 0, saw = WISH_NONE, instance = 0, point = 0;
    bool was_final = false, stopping = false, fails = false;

idle:
    do
    :: atomic { /* claim.lua */
        state == RUNNING && owner == me && owner_instance != instance -> lose()
       }
    :: atomic {
        state == RUNNING && owner == me && owner_instance == instance -> /* its answer was lost */
            mine = attempt; lapsed = false; saw = WISH_NONE; goto running
       }
    :: atomic { state == QUEUED && late -> happen(EVENT_EXPIRE) }
    :: atomic { /* the workers are alike: let the first claim be the first one's */
        state == QUEUED && !late && (attempt > 0 || me == 1) ->
            happen(EVENT_CLAIM);
            attempt++; owner = me; owner_instance = instance; lapsed = false;
            assert(writer[attempt] == 0);
            writer[attempt] = 16 * instance + me;
            if
            :: mine = attempt; saw = WISH_NONE; goto running
            :: skip /* the answer is lost */
            fi
       }
    :: atomic { removed -> goto gone }
    od;

running:
    do
    :: atomic { /* renew.lua */
        if
        :: STALE -> goto lost_claim
        :: else
        fi;
        if
        :: late -> happen(EVENT_EXPIRE); goto lost_claim
        :: else -> happen(EVENT_RENEW); check_writer(); lapsed = false; saw = wish
        fi
       }
    :: atomic { lock == NOBODY -> lock = me; step = checkpoint } /* resumes */
    :: atomic { lock == me && step < STEPS && nfull(outbox) -> step++; outbox!step }
    :: atomic { lock == me && step > checkpoint -> checkpoint = step }
    :: atomic { /* progress.lua; the point stays until the answer has come */
        lock == me && nempty(outbox) ->
            if
            :: STALE -> goto lost_claim
            :: else
            fi;
            happen(EVENT_PROGRESS); check_writer();
            outbox?<point>;
            if
            :: point > published -> assert(point == published + 1); published = point; lost = 0
            :: else
            fi;
            if
            :: outbox?point
            :: skip /* the answer is lost */
            fi;
            point = 0
       }
    :: atomic { lock == me && step == STEPS && !model -> model = true }
    :: atomic { /* finish.lua: the model is there, and the curve is whole */
        lock == me && model && empty(outbox) && step == STEPS ->
            if
            :: STALE -> goto lost_claim
            :: else
            fi;
            happen(EVENT_FINISH); check_writer(); lost = 0;
            assert(published == STEPS);
            goto lost_claim
       }
    :: atomic { troubles > 0 && !fails -> troubles--; fails = true }
    :: atomic { /* fail.lua */
        fails ->
            if
            :: STALE -> goto lost_claim
            :: else
            fi;
            happen(EVENT_FAIL); check_writer(); lost = 0;
            goto lost_claim
       }
    :: atomic { troubles > 0 && !stopping -> troubles--; stopping = true }
    :: atomic { /* release.lua */
        saw != WISH_NONE || stopping ->
            if
            :: STALE -> goto lost_claim
            :: else
            fi;
            happen(EVENT_RELEASE); check_writer(); lost = 0;
            goto lost_claim
       }
    :: atomic { /* kill -9 */
        troubles > 0 -> troubles--; instance++;
#ifdef FORGETFUL /* without the file of points: the test sees that it is missed */
        do
        :: outbox?_
        :: empty(outbox) -> break
        od;
#endif
        goto lost_claim
       }
    od;

lost_claim: /* a process that has lost its claim, or a new one, remembers nothing */
    atomic {
        if
        :: lock == me -> lock = NOBODY
        :: else
        fi;
        mine = 0; step = 0; saw = WISH_NONE; stopping = false; fails = false;
        goto idle
    };
gone:
    skip
}

/* reap.lua, which every living worker runs. */
proctype reaper() {
    bool was_final = false;
end:
    do
    :: atomic { state == RUNNING && lapsed -> lose() }
    :: atomic { late && !IS_FINAL && state != ABSENT -> happen(EVENT_EXPIRE) }
    :: atomic { removed -> break }
    od
}

/* Time, and what happens to jobs that this one depends on. */
proctype world() {
    bool was_final = false;
end:
    do
    :: atomic { troubles > 0 && state == RUNNING && !lapsed -> troubles--; lapsed = true }
    :: atomic { troubles > 0 && !late -> troubles--; late = true }
    :: atomic { troubles > 0 && (state == QUEUED || state == PAUSED) && attempt == 0 -> troubles--;
                happen(EVENT_FORSAKE) }
    :: atomic { removed -> break }
    od
}

proctype user() {
    bool was_final = false;
    atomic { happen(EVENT_SUBMIT); assert(done) };
end:
    do
    :: atomic { troubles > 0 && state != ABSENT -> troubles--; happen(EVENT_CANCEL) }
    :: atomic { troubles > 0 && state != ABSENT -> troubles--; happen(EVENT_PAUSE) }
    :: atomic { state == PAUSED || wish == WISH_PAUSE -> happen(EVENT_RESUME) }
    :: atomic { troubles > 0 && state == FAILED -> troubles--; late = false; lost = 0;
                happen(EVENT_RETRY) }
    :: atomic { state != ABSENT -> happen(EVENT_EDIT); assert(done) }
    :: atomic { IS_FINAL -> happen(EVENT_REMOVE); removed = true; break }
    od
}

init {
    atomic {
        run user();
        run worker(1);
        run worker(2);
        run reaper();
        run world()
    }
}

/* Who waits is taken, or ended, in the end. */
ltl served { [] (state == QUEUED -> <> (state != QUEUED)) }
