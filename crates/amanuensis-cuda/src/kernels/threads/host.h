// A machine without a GPU runs kernels thread by thread: every thread of a block is a fibre, a barrier is where a fibre waits for
// the others, and what lanes of a warp exchange goes through a board that they fill together. It is slow and exact in what it is
// for: indices, masks, layouts of fragments, missing barriers. It knows nothing of speed, and its arithmetic is the host's.
#define HOST
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>
#include <ucontext.h>
#include <vector>

typedef unsigned short half_t;
struct uint2 { unsigned x, y; };
struct uint4 { unsigned x, y, z, w; };
struct int4 { int x, y, z, w; };
struct int2 { int x, y; };
struct float4 { float x, y, z, w; };
struct dim3 { unsigned x, y, z; };
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return uint4{x, y, z, w}; }

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// One block runs at a time, so what it shares may be static.
#define SHARED static __align__(16)
#define KERNEL extern "C" void
#define INFINITE __builtin_inff()

static dim3 blockIdx, blockDim, gridDim;
struct Fibre {
    ucontext_t context;
    std::vector<char> stack;
    bool done;
    unsigned barriers, exchanges;
};
static std::vector<Fibre> fibres;
static ucontext_t scheduler;
static unsigned current;
// Whether warps run ahead of one another as far as barriers let them, the last first, and fetches bring at once what they are to
// bring. Otherwise threads take turns, and fetches bring nothing before they are waited for. What is right is right in both.
static bool ahead;
static dim3 thread_of(unsigned index) { return dim3{index, 0, 0}; }
#define threadIdx thread_of(current)

static void leave() { swapcontext(&fibres[current].context, &scheduler); }

// What a thread shows to its warp. A turn has two halves: all have shown, all have looked.
struct Shown {
    float number;
    unsigned words[6];
    const half_t* row;
};
static std::vector<Shown> board;

static bool reached(unsigned first, unsigned count, unsigned Fibre::*counter, unsigned value) {
    for (unsigned other = first; other < first + count; other++) {
        // A thread that has ended waits nowhere: for a block that is allowed, for a warp's exchange it would be an error.
        if (!fibres[other].done && fibres[other].*counter < value) return false;
    }
    return true;
}
static void __syncthreads() {
    unsigned value = ++fibres[current].barriers;
    while (!reached(0, blockDim.x, &Fibre::barriers, value)) leave();
}
static void warp_turn() {
    unsigned value = ++fibres[current].exchanges;
    while (!reached(current / 32 * 32, 32, &Fibre::exchanges, value)) leave();
}
static Shown exchange(const Shown& mine, const std::function<Shown(const Shown*)>& look) {
    for (unsigned other = current / 32 * 32; other < current / 32 * 32 + 32; other++) {
        if (fibres[other].done) abort();
    }
    board[current] = mine;
    warp_turn();
    Shown seen = look(&board[current / 32 * 32]);
    warp_turn();
    return seen;
}

// The host's compiler has a half of its own, which rounds to nearest, ties to even.
static inline float widen(half_t bits) { _Float16 half; memcpy(&half, &bits, 2); return (float)half; }
static inline half_t narrow(float value) { _Float16 half = (_Float16)value; half_t bits; memcpy(&bits, &half, 2); return bits; }
static inline unsigned pack(float first, float second) { return narrow(first) | (unsigned)narrow(second) << 16; }

static inline float across(float value, int mask) {
    Shown mine = {};
    mine.number = value;
    unsigned lane = current % 32;
    return exchange(mine, [=](const Shown* warp) { return warp[lane ^ mask]; }).number;
}

struct Fetch { half_t* into; const half_t* from; bool there; };
static void bring(const Fetch& one) {
    if (one.there) memcpy(one.into, one.from, 16); else memset(one.into, 0, 16);
}
static std::vector<std::vector<std::vector<Fetch>>> groups;
static void fetch(half_t* shared, const half_t* global, bool there) {
    Fetch one = {shared, global, there};
    if (ahead) bring(one); else groups[current].back().push_back(one);
}
static void fetched() { groups[current].emplace_back(); }
template <int behind>
static void arrive() {
    auto& mine = groups[current];
    while (mine.size() > behind + 1u) {
        for (const Fetch& one : mine.front()) bring(one);
        mine.erase(mine.begin());
    }
}

static void load(unsigned (&out)[4], const half_t* row, bool transposed) {
    Shown mine = {};
    mine.row = row;
    unsigned lane = current % 32;
    Shown seen = exchange(mine, [=](const Shown* warp) {
        Shown all = {};
        for (unsigned matrix = 0; matrix < 4; matrix++) {
            half_t pair[2];
            for (unsigned number = 0; number < 2; number++) {
                unsigned of_row = lane / 4, of_column = lane % 4 * 2 + number;
                if (transposed) std::swap(of_row, of_column);
                pair[number] = warp[matrix * 8 + of_row].row[of_column];
            }
            all.words[matrix] = pair[0] | (unsigned)pair[1] << 16;
        }
        return all;
    });
    memcpy(out, seen.words, sizeof out);
}
static void load_matrices(unsigned (&out)[4], const half_t* row) { load(out, row, false); }
static void load_transposed(unsigned (&out)[4], const half_t* row) { load(out, row, true); }

// Fragments of mma.m16n8k16 as the manual of PTX draws them.
static void multiply(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    Shown mine = {};
    memcpy(mine.words, a, sizeof a);
    mine.words[4] = b0;
    mine.words[5] = b1;
    unsigned lane = current % 32;
    float* into = sum;
    exchange(mine, [=](const Shown* warp) {
        auto half_of = [](unsigned word, unsigned which) { return widen((half_t)(which ? word >> 16 : word & 0xffff)); };
        for (unsigned part = 0; part < 4; part++) {
            unsigned row = lane / 4 + (part / 2) * 8, column = lane % 4 * 2 + part % 2;
            float total = 0.0f;
            for (unsigned k = 0; k < 16; k++) {
                unsigned word = (row / 8) + (k / 8) * 2;
                float left = half_of(warp[row % 8 * 4 + k % 8 / 2].words[word], k % 2);
                float right = half_of(warp[column * 4 + k % 8 / 2].words[4 + k / 8], k % 2);
                total += left * right;
            }
            into[part] += total;
        }
        return Shown{};
    });
}

#define __expf expf
static float rsqrtf(float value) { return 1.0f / sqrtf(value); }
static int min(int a, int b) { return a < b ? a : b; }
static int max(int a, int b) { return a > b ? a : b; }

// Blocks run one after the other, and so does what they count together.
static float of_others(const float* from) { return *from; }
static void __threadfence() {}
static int atomicAdd(int* at, int more) { return (*at += more) - more; }

static std::function<void()> body;
static void fibre() {
    body();
    fibres[current].done = true;
    for (;;) leave();
}

// Everything that threads of a block have passed so far.
static unsigned long passed() {
    unsigned long sum = 0;
    for (const Fibre& one : fibres) sum += one.barriers + one.exchanges + one.done;
    return sum;
}

// A turn for each thread from `first` on; whether any of them has not ended.
static bool turns(unsigned first, unsigned count) {
    bool left = false;
    for (unsigned turn = 0; turn < count; turn++) {
        current = first + turn;
        if (fibres[current].done) continue;
        swapcontext(&scheduler, &fibres[current].context);
        left = left || !fibres[current].done;
    }
    return left;
}

// Runs a grid block by block, the last first where warps run ahead, for blocks have no order. Where some blocks are named (`some` of
// them, by their numbers in `only`) the others do not run. False where the threads of a block wait for one another in vain.
static bool run(const unsigned* grid, unsigned threads, int order, const unsigned* only, unsigned some,
                const std::function<void()>& kernel) {
    body = kernel;
    ahead = order != 0;
    gridDim = dim3{grid[0], grid[1], grid[2]};
    blockDim = dim3{threads, 1, 1};
    fibres.resize(threads);
    board.resize(threads);
    groups.resize(threads);
    unsigned blocks = some ? some : grid[0] * grid[1] * grid[2];
    for (unsigned turn = 0; turn < blocks; turn++) {
        unsigned block = ahead ? blocks - 1 - turn : turn;
        if (some) block = only[block];
        blockIdx = dim3{block % grid[0], block / grid[0] % grid[1], block / grid[0] / grid[1]};
        for (unsigned index = 0; index < threads; index++) {
            Fibre& one = fibres[index];
            one.stack.resize(64 << 10);
            one.done = false;
            one.barriers = one.exchanges = 0;
            groups[index].assign(1, {});
            getcontext(&one.context);
            one.context.uc_stack.ss_sp = one.stack.data();
            one.context.uc_stack.ss_size = one.stack.size();
            one.context.uc_link = nullptr;
            makecontext(&one.context, fibre, 0);
        }
        for (bool left = true; left;) {
            unsigned long before = passed();
            if (ahead) {
                left = false;
                for (unsigned warp = (threads + 31) / 32; warp-- > 0;) {
                    unsigned first = warp * 32, count = threads - first < 32 ? threads - first : 32;
                    unsigned long now;
                    bool unfinished;
                    do {
                        now = passed();
                        unfinished = turns(first, count);
                    } while (unfinished && passed() != now);
                    left = left || unfinished;
                }
            } else {
                left = turns(0, threads);
            }
            // A barrier that all have reached is passed by the first who looks, so two turns without a step are the end.
            if (left && passed() == before) {
                left = turns(0, threads);
                if (left && passed() == before) return false;
            }
        }
    }
    return true;
}
