// Attention of new tokens to what their lane has seen, or to what was heard: one query at a time against rows that lie somewhere
// in a pool. seen[row] is {first row in the pool, rows}; `offset` moves the first row to the layer at hand.
//
// Keys and values of a pool's row lie side by side, [2][heads][64]. A block of four warps takes one head of one query. Eight
// threads share a key, eight numbers each, so that a warp reads whole lines; each group of eight keeps its own softmax, and the
// sixteen of them are put together at the end.
//
// What is asked for is kept: row, head and key of the scaled scores before softmax, where kept[head] is not negative, in
// scores[row][kept_heads][longest].
#define GROUPS 16
#define AT_ONCE 4

extern "C" __global__ void __launch_bounds__(128)
lane_attention(const half_t* queries, int query_pitch, const half_t* pool, const int2* seen, int offset, half_t* out, int width,
               float scale, const int* kept, float* scores, int kept_heads, int longest) {
    SHARED float group_sums[GROUPS][64];
    SHARED float group_largest[GROUPS];
    SHARED float group_totals[GROUPS];
    int head = blockIdx.x, row = blockIdx.y;
    int group = threadIdx.x / 8, part = threadIdx.x % 8 * 8;
    int2 place = seen[row];
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
    for (int first = 0; first < place.y; first += GROUPS * AT_ONCE) {
        float found[AT_ONCE];
#pragma unroll
        for (int turn = 0; turn < AT_ONCE; turn++) {
            int key = first + turn * GROUPS + group;
            float score = 0.0f;
            if (key < place.y) {
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
            found[turn] = key < place.y ? score : -INFINITE;
            if (keep && part == 0 && key < place.y) keep[key] = score;
        }
        float most = largest;
#pragma unroll
        for (int turn = 0; turn < AT_ONCE; turn++) most = fmaxf(most, found[turn]);
        // A group that has seen no key yet has nothing to fade, and infinity less infinity is not a number.
        if (most > -INFINITE) {
            float fade = __expf(largest - most);
            largest = most;
            total *= fade;
#pragma unroll
            for (int number = 0; number < 8; number++) sums[number] *= fade;
#pragma unroll
            for (int turn = 0; turn < AT_ONCE; turn++) {
                int key = first + turn * GROUPS + group;
                if (key < place.y) {
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
    if (threadIdx.x < 64) {
        float most = -INFINITE;
        for (int other = 0; other < GROUPS; other++) most = fmaxf(most, group_largest[other]);
        float sum = 0.0f, all = 0.0f;
        for (int other = 0; other < GROUPS; other++) {
            // The first key is always there, so `most` is a number; a group without keys weighs nothing.
            float weight = __expf(group_largest[other] - most);
            sum += weight * group_sums[other][threadIdx.x];
            all += weight * group_totals[other];
        }
        out[(size_t)row * width + head * 64 + threadIdx.x] = narrow(sum / all);
    }
}
