/* Blocks as rings of fibers: each runs until it waits, then the next one does. */
#include "tests/gpu/emulate/emulate.h"

#include "tests/gpu/emulate/record.h"

#include <cstdio>
#include <cstdlib>
#include <ucontext.h>
#include <vector>

emulated_thread *emulated;

namespace {

enum { WARP_LANES = 32, STACK_BYTES = 32 << 10 };

/* Arrivals at a barrier of a block or a warp. */
struct barrier {
    unsigned arrived, members, generation;
};

struct fiber {
    ucontext_t context;
    emulated_thread thread;
    bool done;
    uint32_t bits; /* offered to the other lanes */
};

std::vector<fiber> ring;
std::vector<char> stacks;
std::vector<barrier> warps;
barrier whole;
ucontext_t scheduler;
unsigned now;
const std::function<void()> *work;

void give_way() {
    swapcontext(&ring[now].context, &scheduler);
    emulated = &ring[now].thread;
}

/* A thread that has returned counts as arrived for good, as on a GPU. */
void leave(barrier &at) {
    at.members--;
    if (at.members && at.arrived == at.members) {
        at.arrived = 0;
        at.generation++;
    }
}

void wait(barrier &at) {
    unsigned generation = at.generation;
    if (++at.arrived == at.members) {
        at.arrived = 0;
        at.generation++;
    }
    while (at.generation == generation)
        give_way();
}

void fiber_main() {
    (*work)();
    ring[now].done = true;
    leave(whole);
    leave(warps[now / WARP_LANES]);
    swapcontext(&ring[now].context, &scheduler);
}

void prepare_ring(unsigned threads) {
    if (ring.size() < threads) {
        ring.resize(threads);
        stacks.resize((size_t)threads * STACK_BYTES);
    }
    warps.assign((threads + WARP_LANES - 1) / WARP_LANES, barrier());
    whole = barrier{0, threads, 0};
    for (unsigned i = 0; i < threads; i++) {
        warps[i / WARP_LANES].members++;
        fiber &at = ring[i];
        getcontext(&at.context);
        at.context.uc_stack.ss_sp = &stacks[(size_t)i * STACK_BYTES];
        at.context.uc_stack.ss_size = STACK_BYTES;
        at.done = false;
        makecontext(&at.context, fiber_main, 0);
    }
}

void run_ring(unsigned threads) {
    unsigned left = threads, idle = 0;
    while (left > 0)
        for (now = 0; now < threads; now++) {
            if (ring[now].done)
                continue;
            emulated = &ring[now].thread;
            swapcontext(&scheduler, &ring[now].context);
            left -= ring[now].done;
            if (++idle > 1000000000) {
                fprintf(stderr, "emulate: threads of a block wait for each other for ever\n");
                abort();
            }
        }
}

void run_together(const emulated_thread &first, unsigned threads) {
    prepare_ring(threads);
    for (unsigned i = 0; i < threads; i++) {
        ring[i].thread = first;
        ring[i].thread.thread.x = i;
    }
    run_ring(threads);
}

void run_apart(const emulated_thread &first, unsigned threads) {
    static emulated_thread each;
    each = first;
    emulated = &each;
    for (each.thread.x = 0; each.thread.x < threads; each.thread.x++)
        (*work)();
}

struct launch {
    dim3 grid, block;
    bool together;
    std::function<void()> body;
};

std::vector<launch> *record; /* the graph that is being recorded */

void run(dim3 grid, dim3 block, bool together, const std::function<void()> &body) {
    work = &body;
    for (unsigned y = 0; y < grid.y; y++)
        for (unsigned x = 0; x < grid.x; x++) {
            emulated_thread first = {dim3(0), dim3(x, y), block, grid};
            if (together)
                run_together(first, block.x);
            else
                run_apart(first, block.x);
        }
}

} // namespace

void emulate(dim3 grid, dim3 block, bool together, const std::function<void()> &body) {
    if (record)
        record->push_back({grid, block, together, body});
    else
        run(grid, block, together, body);
}

extern "C" void record_begin(void) {
    record = new std::vector<launch>;
}

extern "C" void *record_end(void) {
    std::vector<launch> *graph = record;
    record = nullptr;
    return graph;
}

extern "C" void record_replay(const void *graph) {
    for (const launch &at : *(const std::vector<launch> *)graph)
        run(at.grid, at.block, at.together, at.body);
}

extern "C" void record_free(void *graph) {
    delete (std::vector<launch> *)graph;
}

void __syncthreads() {
    wait(whole);
}

void __syncwarp() {
    wait(warps[now / WARP_LANES]);
}

uint32_t emulate_exchange(uint32_t bits, int mask) {
    unsigned me = now, other = now ^ (unsigned)mask;
    ring[me].bits = bits;
    wait(warps[me / WARP_LANES]);
    bits = ring[other].bits;
    wait(warps[me / WARP_LANES]);
    return bits;
}
