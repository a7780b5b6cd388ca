/* Clipping and the optimisers give the same bytes with any number of threads. */
#include "engine/graph/optimizer.h"
#include "engine/backend/exec.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "tests/support/t.h"

enum { FLOATS = 20016, DECAYED = 16400 }; /* several stretches, none of them whole at the end */

static void fill(const struct device *device, float *arena, uint32_t which, float scale) {
    float *host = xmalloc(FLOATS * sizeof *host);
    for (uint32_t i = 0; i < FLOATS; i++)
        host[i] = scale * (rng_unit(rng_philox(3, i, which, RNG_TEST, 0).word[0]) - 0.5f);
    device->backend->upload((struct device *)(uintptr_t)device, arena, host, FLOATS * sizeof *host);
    free(host);
}

/* Three steps of the optimiser on given gradients; weight becomes what they made. */
static bool update(const struct train_spec *spec, int threads, float weight[FLOATS]) {
    struct device device;
    struct param_table table = {.decayed_floats = DECAYED, .weight_floats = FLOATS};
    if (device_open(&device, DEVICE_CPU, threads, NULL) != STATUS_OK)
        return false;
    struct program program;
    struct builder builder = {.program = &program, .table = &table, .mode = BUILD_TRAIN};
    struct params params, *nets[PROGRAM_MAX_NETS] = {&params};
    struct exec *exec;
    program_init(&program);
    build_optimizer(&builder, spec);
    program_seal(&program);
    CHECK(params_create(&params, &device, &table, 2, NULL) == STATUS_OK);
    CHECK(exec_create(&exec, &device, &program, nets, NULL) == STATUS_OK);
    fill(&device, params.weight, 1, 1);
    for (uint64_t i = 0; i < 3; i++) {
        fill(&device, params.gradient, 2 + (uint32_t)i, 20);
        struct step step = {.index = i, .student = {{.learning_rate = 0.01f}}};
        exec_run(exec, &step);
    }
    device.backend->download(&device, weight, params.weight, FLOATS * sizeof *weight);
    exec_free(exec);
    params_release(&params);
    program_free(&program);
    device_close(&device);
    return true;
}

static void threads_do_not_matter(void) {
    static const struct train_spec specs[] = {
        {.momentum = 0.9, .weight_decay = 5e-4, .clip_norm = 2},
        {.optimizer = OPTIMIZER_ADAMW,
         .weight_decay = 0.05,
         .beta1 = 0.9,
         .beta2 = 0.999,
         .epsilon = 1e-8,
         .clip_norm = 2},
    };
    static float one[FLOATS], many[FLOATS], unclipped[FLOATS];
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        if (!update(&specs[i], 1, one))
            return;
        for (int threads = 2; threads <= 3; threads++)
            if (update(&specs[i], threads, many)) /* a smaller machine refuses */
                T_INT(memcmp(one, many, sizeof one), 0);
        struct train_spec without = specs[i];
        without.clip_norm = 0;
        T_CHECK(update(&without, 1, unclipped) && memcmp(one, unclipped, sizeof one) != 0);
    }
}

int main(void) {
    T_RUN(threads_do_not_matter);
    return t_done();
}
