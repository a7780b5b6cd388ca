/* A data set that does not fit into a device's memory is fed from the host instead. The device
 * computes as ref does and counts what it gives out. */
#include "tests/unit/session/trainer_fixture.h"

#include "engine/backend/backend.h"

enum { HEAD_BYTES = 64, PICTURES = 300 };

extern const struct backend backend_ref;

static struct backend backend_small; /* in main */
const struct backend *const backend_table[] = {&backend_small, NULL};

static size_t limit, used, most_used; /* bytes */

static enum status small_alloc(struct device *device, void **out, size_t bytes, const char *what,
                               struct error *err) {
    void *block;
    (void)device;
    if (used + bytes > limit)
        return error_set(err, STATUS_OUT_OF_MEMORY, "%zu bytes for %s", bytes, what);
    CHECK(mem_alloc_large(&block, bytes + HEAD_BYTES, what, NULL) == STATUS_OK);
    memcpy(block, &bytes, sizeof bytes);
    used += bytes;
    most_used = used > most_used ? used : most_used;
    *out = (char *)block + HEAD_BYTES;
    return STATUS_OK;
}

static void small_free(struct device *device, void *ptr) {
    char *block = (char *)ptr - HEAD_BYTES;
    size_t bytes;
    (void)device;
    memcpy(&bytes, block, sizeof bytes);
    used -= bytes;
    mem_free_large(block);
}

/* Runs with so much memory; what it took at most. */
static size_t run_within(struct run *run, size_t bytes, enum train_feed feed,
                         enum status expected) {
    run_init(run, "small");
    CHECK(file_remove_all(run->out, NULL) == STATUS_OK);
    run->spec.device = DEVICE_CUDA;
    run->spec.epochs = 1;
    run->spec.batch_size = 50;
    run->spec.report_every = 1000;
    run->feed = feed;
    limit = bytes;
    most_used = 0;
    T_INT(run_again(run, false), expected);
    T_INT(used, 0);
    return most_used;
}

static void what_does_not_fit_is_fed(void) {
    struct run fed, resident, run;
    size_t least = run_within(&fed, SIZE_MAX / 2, FEED_HOST, STATUS_OK);
    size_t most = run_within(&resident, SIZE_MAX / 2, FEED_AUTO, STATUS_OK);
    T_CHECK(resident.ticks < fed.ticks);
    T_CHECK(most > least);
    const size_t sizes[] = {least, (least + most) / 2, most - 1, most};
    for (int i = 0; i < 4; i++) {
        run_within(&run, sizes[i], FEED_AUTO, STATUS_OK);
        T_STR(run.err.message, "");
        T_STR(run.result.weights_sha256, fed.result.weights_sha256);
        T_CHECK((run.ticks < fed.ticks) == (sizes[i] == most));
    }
    run_within(&run, least - 1, FEED_AUTO, STATUS_OUT_OF_MEMORY);
    T_CONTAINS(run.err.message, "bytes for");
}

int main(void) {
    char data[FILE_PATH_BYTES];
    snprintf(root, sizeof root, "%s", t_temp_dir());
    fixture_write_data(path_in(data, root, "data"), PICTURES);
    backend_small = backend_ref;
    backend_small.name = "cuda";
    backend_small.host = false;
    backend_small.alloc = small_alloc;
    backend_small.free = small_free;
    T_RUN(what_does_not_fit_is_fed);
    return t_done();
}
