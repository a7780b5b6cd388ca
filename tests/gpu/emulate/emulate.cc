/* Blocks as rings of fibers: each runs until it waits, then the next one does. */
#include "tests/gpu/emulate/emulate.h"

#include "tests/gpu/emulate/record.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <ucontext.h>
#include <vector>

emulated_thread *emulated;

namespace {

enum { WARP_LANES = 32, STACK_BYTES = 32 << 10 };
enum : unsigned { FOR_EVER = 1u << 30 }; /* turns without an arrival */

/* Arrivals at a barrier of a cluster, a block or a warp. */
struct barrier {
    unsigned arrived, members, generation;
};

struct fiber {
    ucontext_t context; /* where it starts */
    jmp_buf place;      /* where it has waited since */
    emulated_thread thread;
    bool started, done;
    unsigned exchanges, cluster_generation;
    unsigned char offer[2][24]; /* to the other lanes, in turns */
};

/* Memory is taken as it is touched: most of a stack never is. */
struct buffer {
    std::unique_ptr<char[]> data;
    size_t bytes = 0;

    char *at_least(size_t wanted) {
        if (wanted > bytes) {
            data.reset(new char[wanted]);
            bytes = wanted;
        }
        return data.get();
    }
};

std::vector<fiber> ring; /* the threads of a cluster, block by block */
std::vector<barrier> warps, blocks;
barrier whole;
buffer stacks, shared;
jmp_buf scheduler;
unsigned now, members, left, idle;
emulated_shape shape;
const std::function<void()> *work;

unsigned block_of(unsigned fiber) {
    return fiber / shape.block.x;
}

/* Changing contexts asks the kernel for the signal mask each time: only starts do. */
[[noreturn]] void go_on(fiber &to) {
    emulated = &to.thread;
    if (to.started)
        _longjmp(to.place, 1);
    to.started = true;
    setcontext(&to.context);
    abort();
}

/* From the fiber that runs to the next one that is not done, or back to the scheduler. */
void give_way() {
    fiber *from = &ring[now];
    if (left > 0)
        do
            now = now + 1 < members ? now + 1 : 0;
        while (ring[now].done);
    if (++idle > FOR_EVER) {
        fprintf(stderr, "emulate: threads wait for each other for ever\n");
        abort();
    }
    if (left > 0 && from == &ring[now])
        return;
    if (_setjmp(from->place) != 0)
        return;
    if (left == 0)
        _longjmp(scheduler, 1);
    go_on(ring[now]);
}

void complete(barrier &at) {
    if (at.members && at.arrived == at.members) {
        at.arrived = 0;
        at.generation++;
        idle = 0;
    }
}

/* A thread that has returned counts as arrived for good, as on a GPU. */
void leave(barrier &at) {
    at.members--;
    complete(at);
}

unsigned arrive(barrier &at) {
    unsigned generation = at.generation;
    at.arrived++;
    complete(at);
    return generation;
}

void wait(const barrier &at, unsigned generation) {
    while (at.generation == generation)
        give_way();
}

void fiber_main() {
    (*work)();
    ring[now].done = true;
    left--;
    leave(whole);
    leave(blocks[block_of(now)]);
    leave(warps[now / WARP_LANES]);
    give_way();
}

void prepare_fiber(unsigned i, const emulated_thread &first) {
    fiber &at = ring[i];
    getcontext(&at.context);
    at.context.uc_stack.ss_sp = stacks.data.get() + (size_t)i * STACK_BYTES;
    at.context.uc_stack.ss_size = STACK_BYTES;
    at.started = at.done = false;
    at.exchanges = 0;
    at.thread = first;
    at.thread.block.x = first.block.x + block_of(i);
    at.thread.thread.x = i % shape.block.x;
    warps[i / WARP_LANES].members++;
    makecontext(&at.context, fiber_main, 0);
}

/* The cluster whose first block is first.block; one block, if there are no clusters. */
void run_together(const emulated_thread &first) {
    left = members = shape.block.x * shape.cluster;
    if (ring.size() < members)
        ring.resize(members);
    stacks.at_least((size_t)members * STACK_BYTES);
    if (shape.shared_bytes > 0)
        std::memset(shared.at_least(shape.shared_bytes * shape.cluster), 0xff,
                    shape.shared_bytes * shape.cluster);
    warps.assign((members + WARP_LANES - 1) / WARP_LANES, barrier());
    blocks.assign(shape.cluster, barrier{0, shape.block.x, 0});
    whole = barrier{0, members, 0};
    idle = 0;
    for (unsigned i = 0; i < members; i++)
        prepare_fiber(i, first);
    now = 0;
    if (_setjmp(scheduler) == 0)
        go_on(ring[0]);
}

void run_apart(const emulated_thread &first) {
    static emulated_thread each;
    each = first;
    emulated = &each;
    for (each.thread.x = 0; each.thread.x < shape.block.x; each.thread.x++)
        (*work)();
}

struct launch {
    emulated_shape shape;
    bool together;
    std::function<void()> body;
};

std::vector<launch> *record; /* the graph that is being recorded */
size_t launches;

void run(const emulated_shape &wanted, bool together, const std::function<void()> &body) {
    shape = wanted;
    work = &body;
    for (unsigned y = 0; y < shape.grid.y; y++)
        for (unsigned x = 0; x < shape.grid.x; x += shape.cluster) {
            emulated_thread first = {dim3(0), dim3(x, y), shape.block, shape.grid};
            if (together)
                run_together(first);
            else
                run_apart(first);
        }
}

} // namespace

void emulate(const emulated_shape &wanted, bool together, const std::function<void()> &body) {
    launches++;
    if (record)
        record->push_back({wanted, together, body});
    else
        run(wanted, together, body);
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
        run(at.shape, at.together, at.body);
}

extern "C" void record_free(void *graph) {
    delete (std::vector<launch> *)graph;
}

extern "C" size_t record_launches(void) {
    return launches;
}

extern "C" void record_work(void (*work)(const void *args), const void *args, size_t bytes) {
    std::vector<unsigned char> copy((const unsigned char *)args,
                                    (const unsigned char *)args + bytes);
    emulate({dim3(1), dim3(1)}, false, [work, copy] { work(copy.data()); });
}

void __syncthreads() {
    barrier &at = blocks[block_of(now)];
    wait(at, arrive(at));
}

void __syncwarp() {
    barrier &at = warps[now / WARP_LANES];
    wait(at, arrive(at));
}

/* A lane can be one exchange ahead of another, never two: hence two places. */
emulated_offers emulate_exchange(const void *bytes, size_t count) {
    unsigned turn = ring[now].exchanges++ % 2, first = now - now % WARP_LANES;
    std::memcpy(ring[now].offer[turn], bytes, count);
    __syncwarp();
    emulated_offers all = {{}, now - first};
    for (unsigned i = 0; i < WARP_LANES && first + i < members; i++)
        all.of[i] = ring[first + i].offer[turn];
    return all;
}

void cluster_arrive() {
    ring[now].cluster_generation = arrive(whole);
}

void cluster_wait() {
    wait(whole, ring[now].cluster_generation);
}

unsigned char *emulate_shared() {
    return (unsigned char *)shared.data.get() + block_of(now) * shape.shared_bytes;
}

const void *emulate_peer(const void *mine, unsigned rank) {
    return (const unsigned char *)mine +
           ((long)rank - (long)block_of(now)) * (long)shape.shared_bytes;
}
