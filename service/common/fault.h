/*
 * fault.h - places at which a test can make this process die or stop.
 *
 * The environment variable DISTILLD_FAULT names a file. When a process comes to FAULT_POINT(place)
 * and the file holds "<place>:<action>", it is renamed to "<file>.done" and the action is carried
 * out: kill (as kill -9), stop (as kill -STOP), or exit (status 1). So a test may choose while the
 * process runs, each choice happens once, and it is known when it has. Only in builds with
 * DISTILL_FAULTS; in others nothing of it is there.
 *
 * Places are named after what they stand at: "claim.before" and "claim.after" around the script of
 * a transition in Redis, and so for the others.
 *
 * Threads: any.
 */
#ifndef SERVICE_COMMON_FAULT_H
#define SERVICE_COMMON_FAULT_H

#ifdef DISTILL_FAULTS
#define FAULT_POINT(what, when) fault_point(what, when)
#else
#define FAULT_POINT(what, when) ((void)0)
#endif

/* Does what is asked for at the place "<what>.<when>", if anything. */
void fault_point(const char *what, const char *when);

#endif
