/*
 * scripts.h - the Lua scripts of lua/, which the build embeds (lua/embed.cmake).
 *
 * Each file says at its top what it does and what its ARGV are. Private to service/store.
 */
#ifndef SERVICE_STORE_SCRIPTS_H
#define SERVICE_STORE_SCRIPTS_H

#include "service/store/redis.h"

/* One a transition of api/job.h. */
extern const struct script script_submit, script_claim, script_renew, script_progress,
    script_finish, script_fail, script_release, script_reap, script_cancel, script_pause,
    script_resume, script_retry, script_edit, script_remove;

/* The version of what is stored. */
extern const struct script script_schema;

/* What workers say of themselves. */
extern const struct script script_announce;

/* Webhooks and what waits to be sent to them. */
extern const struct script script_hook_create, script_hook_list, script_hook_remove,
    script_hook_test, script_hook_take, script_hook_settle;

/* Reading. */
extern const struct script script_show, script_list, script_points, script_events, script_count,
    script_oldest, script_workers, script_old, script_removed, script_replay, script_unfinished;

#endif
