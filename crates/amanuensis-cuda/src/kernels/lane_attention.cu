// Attention of new tokens to what their lane has seen, or to what was heard: one query at a time against rows that lie somewhere
// in a pool. seen[row] is {first row in the pool, rows}; `offset` moves the first row to the layer at hand.
//
// Keys and values of a pool's row lie side by side, [2][heads][64]. A block of four warps takes one head of one query. Eight
// threads share a key, eight numbers each, so that a warp reads whole lines; each group of eight keeps its own softmax, and the
// sixteen of them are put together at the end.
//
// What is asked for is kept: row, head and key of the scaled scores before softmax, where kept[head] is not negative, in
// scores[row][kept_heads][longest].
//
// Few lanes have too few heads for all multiprocessors, so the keys of a head and lane may be shared by the blocks along z: each
// takes whole turns of them, and not fewer than pay for a block of its own, so that of the blocks that were launched as many work
// as there are keys for. Each puts down {64 sums, the largest score, the total} in partials[row][head][part], and the last one
// puts all together. Who is the last is counted in arrived[row][head], which is zero before and after.
#define GROUPS 16
#define AT_ONCE 4
#define TURN_KEYS (GROUPS * AT_ONCE)
#define LEAST_KEYS (2 * TURN_KEYS)
#define PARTIAL 66

extern "C" __global__ void __launch_bounds__(128)
lane_attention(const half_t* queries, int query_pitch, const half_t* pool, const int2* seen, int offset, half_t* out, int width,
               float scale, const int* kept, float* scores, int kept_heads, int longest, float* partials, int* arrived) {
    SHARED float group_sums[GROUPS][64];
    SHARED float group_largest[GROUPS];
    SHARED float group_totals[GROUPS];
    SHARED int earlier;
    int head = blockIdx.x, row = blockIdx.y;
    int group = threadIdx.x / 8, part = threadIdx.x % 8 * 8;
    int2 place = seen[row];
    int blocks = gridDim.z, block = blockIdx.z;
    int each = max((place.y + blocks - 1) / blocks, LEAST_KEYS);
    each = (each + TURN_KEYS - 1) / TURN_KEYS * TURN_KEYS;
    int begin = block * each, end = min(begin + each, place.y);
    if (begin >= place.y) return;
    const half_t* keys = pool + ((size_t)place.x + offset) * 2 * width + head * 64 + part;
    const half_t* values = keys + width;
    float* keep = 0;
    if (kept && kept[head] >= 0) keep = scores + ((size_t)row * kept_heads + kept[head]) * longest;

    float query[8];
    Eight raw = load_eight(queries + (size_t)row * query_pitch + head * 64 + part);
#pragma unroll
    for (int pair = 0; pair < 4; pair++) {
        query[2 * pair] = first_of(raw.pair[pair]) * scale;
        query[2 * pair + 1] = second_of(raw.pair[pair]) * scale;
    }

    float sums[8] = {};
    float largest = -INFINITE, total = 0.0f;
    // All groups take as many turns: lanes of a warp exchange numbers in every one.
    for (int first = begin; first < end; first += TURN_KEYS) {
        float found[AT_ONCE];
#pragma unroll
        for (int turn = 0; turn < AT_ONCE; turn++) {
            int key = first + turn * GROUPS + group;
            float score = 0.0f;
            if (key < end) {
                Eight eight = load_eight(keys + (size_t)key * 2 * width);
#pragma unroll
                for (int pair = 0; pair < 4; pair++) {
                    score += query[2 * pair] * first_of(eight.pair[pair]);
                    score += query[2 * pair + 1] * second_of(eight.pair[pair]);
                }
            }
            score += across(score, 1);
            score += across(score, 2);
            score += across(score, 4);
            found[turn] = key < end ? score : -INFINITE;
            if (keep && part == 0 && key < end) keep[key] = score;
        }
        float most = largest;
#pragma unroll
        for (int turn = 0; turn < AT_ONCE; turn++) most = fmaxf(most, found[turn]);
        // Where a group has keys left its first one is there. Without any it has nothing to fade, and infinity less infinity is not a
        // number.
        if (first + group < end) {
            float fade = __expf(largest - most);
            largest = most;
            total *= fade;
#pragma unroll
            for (int number = 0; number < 8; number++) sums[number] *= fade;
#pragma unroll
            for (int turn = 0; turn < AT_ONCE; turn++) {
                int key = first + turn * GROUPS + group;
                if (key < end) {
                    float weight = __expf(found[turn] - most);
                    total += weight;
                    Eight eight = load_eight(values + (size_t)key * 2 * width);
#pragma unroll
                    for (int pair = 0; pair < 4; pair++) {
                        sums[2 * pair] += weight * first_of(eight.pair[pair]);
                        sums[2 * pair + 1] += weight * second_of(eight.pair[pair]);
                    }
                }
            }
        }
    }

#pragma unroll
    for (int number = 0; number < 8; number++) group_sums[group][part + number] = sums[number];
    if (part == 0) {
        group_largest[group] = largest;
        group_totals[group] = total;
    }
    __syncthreads();
    float sum = 0.0f, all = 0.0f, most = -INFINITE;
    if (threadIdx.x < 64) {
        for (int other = 0; other < GROUPS; other++) most = fmaxf(most, group_largest[other]);
        for (int other = 0; other < GROUPS; other++) {
            // The first key is always there, so `most` is a number; a group without keys weighs nothing.
            float weight = __expf(group_largest[other] - most);
            sum += weight * group_sums[other][threadIdx.x];
            all += weight * group_totals[other];
        }
    }
    half_t* into = out + (size_t)row * width + head * 64;
    int working = (place.y + each - 1) / each;
    if (working == 1) {
        if (threadIdx.x < 64) into[threadIdx.x] = narrow(sum / all);
        return;
    }

    int spot = row * gridDim.x + head;
    float* first = partials + (size_t)spot * blocks * PARTIAL;
    if (threadIdx.x < 64) {
        float* mine = first + block * PARTIAL;
        mine[threadIdx.x] = sum;
        if (threadIdx.x == 0) {
            mine[64] = most;
            mine[65] = all;
        }
    }
    // What the block has put down is seen by whoever sees its number, and whoever has the last number sees all of it.
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        earlier = atomicAdd(arrived + spot, 1);
        __threadfence();
    }
    __syncthreads();
    if (earlier + 1 < working || threadIdx.x >= 64) return;
    most = -INFINITE;
    for (int other = 0; other < working; other++) most = fmaxf(most, of_others(first + other * PARTIAL + 64));
    sum = all = 0.0f;
    for (int other = 0; other < working; other++) {
        const float* theirs = first + other * PARTIAL;
        float weight = __expf(of_others(theirs + 64) - most);
        sum += weight * of_others(theirs + threadIdx.x);
        all += weight * of_others(theirs + 65);
    }
    into[threadIdx.x] = narrow(sum / all);
    if (threadIdx.x == 0) arrived[spot] = 0;
}
