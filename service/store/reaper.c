#include "service/store/reaper.h"

#include "engine/base/clock.h"
#include "service/common/log.h"

enum status reaper_step(struct reaper *reaper, struct error *err) {
    struct reaped reaped = {0};
    if (clock_mono_ns() < reaper->due_ns)
        return STATUS_OK;
    reaper->due_ns = clock_mono_ns() + reaper->lease_ms / 3 * NS_PER_MS;
    enum status status = queue_reap(reaper->pool, reaper->max_lost, &reaped, err);
    if (reaped.requeued + reaped.failed + reaped.ended + reaped.repaired > 0)
        log_warn("reaped", log_int("requeued", reaped.requeued), log_int("failed", reaped.failed),
                 log_int("ended", reaped.ended), log_int("repaired", reaped.repaired));
    return status;
}
