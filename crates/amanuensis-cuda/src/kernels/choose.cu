// The choice of the next token, in a row of logits: the best of what may be said.
//
// asked[2 * row] is {first token of text, its end, first time, end of times}, and asked[2 * row + 1] {set, whether times are
// weighed against text, the token whose probability is asked for or less than zero, -}. A set has a bit for each token, which is
// 1 where the token may not be said.
//
// out[row] is {the row's first logit, the log probability of the token that is asked for, log of the sum of the exponentials of
// what may be said}, and `count` times {token, logit}, the best first and of equal ones the first first: {-1, minus infinity} where
// nothing is left. Tokens are below 2^24, which f32 holds exactly.
//
// One block for a row, which begins with 16 bytes that are loaded at once. A thread takes four tokens that lie side by side, and
// then those that lie as far behind as all threads take, and keeps the best of its own. The best of all is taken `count` times;
// after each time the warp of the thread that had it looks for that thread's next one.
#define CHOOSERS 512
#define CHOOSING_WARPS (CHOOSERS / 32)
#define SIDE 4
#define LOADS 4
#define NO_TOKEN 16777216.0f
#define FOUND_FIRST 3

// A logit and its token.
struct Pick {
    float logit, token;
};

// The best of some logits, and the sum of the exponentials of how much less they are.
struct Tally {
    Pick best;
    float sum;
};

__device__ __forceinline__ bool before(const Pick& one, const Pick& other) {
    return one.logit > other.logit || (one.logit == other.logit && one.token < other.token);
}

// Tokens come in rising order. What is not a number stays in the sum.
__device__ __forceinline__ void tally(Tally& all, float logit, int token) {
    if (logit > all.best.logit) {
        all.sum = all.sum * __expf(all.best.logit - logit) + 1.0f;
        all.best = Pick{logit, (float)token};
    } else if (logit != -INFINITE) {
        all.sum += __expf(logit - all.best.logit);
    }
}

__device__ __forceinline__ void tally(Tally& all, const Tally& more) {
    Pick best = before(more.best, all.best) ? more.best : all.best;
    // Infinity less infinity is not a number: where there is nothing the sums are what they are.
    if (best.logit > -INFINITE) {
        all.sum = all.sum * __expf(all.best.logit - best.logit) + more.sum * __expf(more.best.logit - best.logit);
    } else {
        all.sum += more.sum;
    }
    all.best = best;
}

__device__ __forceinline__ float total(const Tally& all) { return all.best.logit + logf(all.sum); }

__device__ __forceinline__ Pick across(const Pick& pick, int mask) {
    return Pick{across(pick.logit, mask), across(pick.token, mask)};
}

__device__ __forceinline__ Pick warp_best(Pick pick) {
    for (int mask = 16; mask > 0; mask /= 2) {
        Pick other = across(pick, mask);
        if (before(other, pick)) pick = other;
    }
    return pick;
}

__device__ __forceinline__ Tally warp_tally(Tally all) {
    for (int mask = 16; mask > 0; mask /= 2) tally(all, Tally{across(all.best, mask), across(all.sum, mask)});
    return all;
}

// Four logits that lie side by side, of which those behind the vocabulary are anything.
struct Four {
    float logit[SIDE];
};

__device__ __forceinline__ Four load_four(const float* row, int first, int vocabulary) {
    Four four = {{-INFINITE, -INFINITE, -INFINITE, -INFINITE}};
    if (first < vocabulary) {
        float4 numbers = *reinterpret_cast<const float4*>(row + first);
        four = Four{{numbers.x, numbers.y, numbers.z, numbers.w}};
    }
    return four;
}

// Two blocks for each multiprocessor are 264 rows at once on an H200; a thread has registers for all that it loads at once.
extern "C" __global__ void __launch_bounds__(CHOOSERS, 2)
choose(const float* logits, int vocabulary, int pitch, const int4* asked, const int* sets, int set_words, float* out, int count) {
    SHARED Tally tallies[3][CHOOSING_WARPS];
    SHARED Pick picks[2][CHOOSING_WARPS];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int4 may = asked[2 * blockIdx.x], how = asked[2 * blockIdx.x + 1];
    const float* row = logits + (size_t)blockIdx.x * pitch;
    const int* set = sets + (size_t)how.x * set_words;
    out += (size_t)blockIdx.x * (FOUND_FIRST + 2 * count);

    Tally nothing = {{-INFINITE, NO_TOKEN}, 0.0f};
    Tally text = nothing, times = nothing, all = nothing;
    for (int first = threadIdx.x * SIDE; first < vocabulary; first += LOADS * SIDE * CHOOSERS) {
        Four found[LOADS];
#pragma unroll
        for (int turn = 0; turn < LOADS; turn++) found[turn] = load_four(row, first + turn * SIDE * CHOOSERS, vocabulary);
#pragma unroll
        for (int turn = 0; turn < LOADS; turn++) {
            int side = first + turn * SIDE * CHOOSERS;
            if (side >= vocabulary) continue;
            // Four that lie side by side have their bits in one number of the set.
            int left_out = set[side / 32] >> (side % 32);
#pragma unroll
            for (int place = 0; place < SIDE; place++) {
                int token = side + place;
                float logit = found[turn].logit[place];
                if (token >= vocabulary) continue;
                if (how.z >= 0) tally(all, logit, token);
                bool is_text = token >= may.x && token < may.y, is_time = token >= may.z && token < may.w;
                if (!(is_text || is_time) || (left_out >> place & 1)) continue;
                if (is_text) tally(text, logit, token);
                else tally(times, logit, token);
            }
        }
    }
    Pick best_text = text.best, best_time = times.best;

    text = warp_tally(text);
    times = warp_tally(times);
    if (how.z >= 0) all = warp_tally(all);
    if (lane == 0) {
        tallies[0][warp] = text;
        tallies[1][warp] = times;
        tallies[2][warp] = all;
    }
    __syncthreads();
    // Everyone puts the warps' together in the same order, and comes to the same.
    text = times = all = nothing;
    for (int other = 0; other < CHOOSING_WARPS; other++) {
        tally(text, tallies[0][other]);
        tally(times, tallies[1][other]);
        tally(all, tallies[2][other]);
    }
    bool only_times = how.y && total(times) > text.best.logit;
    if (!only_times) tally(times, text);
    if (threadIdx.x == 0) {
        out[0] = row[0];
        out[1] = how.z >= 0 && how.z < vocabulary ? row[how.z] - total(all) : -INFINITE;
        out[2] = total(times);
    }

    Pick mine = only_times || before(best_time, best_text) ? best_time : best_text;
    for (int rank = 0; rank < count; rank++) {
        // Those of the turn before are still being read.
        Pick* shown = picks[rank % 2];
        Pick best = warp_best(mine);
        if (lane == 0) shown[warp] = best;
        __syncthreads();
        best = nothing.best;
        for (int other = 0; other < CHOOSING_WARPS; other++) {
            if (before(shown[other], best)) best = shown[other];
        }
        bool there = best.logit > -INFINITE;
        if (threadIdx.x == 0) {
            out[FOUND_FIRST + 2 * rank] = there ? best.token : -1.0f;
            out[FOUND_FIRST + 2 * rank + 1] = best.logit;
        }
        int winner = (int)best.token / SIDE % CHOOSERS;
        if (!there || winner / 32 != warp) continue;
        Pick next = nothing.best;
        for (int side = (winner + lane * CHOOSERS) * SIDE; side < vocabulary; side += 32 * SIDE * CHOOSERS) {
            Four found = load_four(row, side, vocabulary);
            int left_out = set[side / 32] >> (side % 32);
#pragma unroll
            for (int place = 0; place < SIDE; place++) {
                int token = side + place;
                Pick other = {found.logit[place], (float)token};
                bool is_text = !only_times && token >= may.x && token < may.y, is_time = token >= may.z && token < may.w;
                bool later = token < vocabulary && before(best, other) && before(other, next);
                if (later && (is_text || is_time) && !(left_out >> place & 1)) next = other;
            }
        }
        next = warp_best(next);
        if (threadIdx.x == winner) mine = next;
    }
}
