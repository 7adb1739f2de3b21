// Attention of a window's positions to one another, in one pass: scores stay on the chip, softmax is kept up to date as keys go by.
//
// `in` holds queries, keys and values of a row side by side, [rows][3][heads][64]; a window is {-, -, first row, rows}. One block
// of four warps takes 64 queries of one head of one window, 16 for each warp, and walks over the keys 64 at a time: while a tile
// is multiplied the next one is fetched. Rows of a tile are 72 halves apart, so that the eight rows of a matrix lie in different
// banks.
//
// Registers follow mma.m16n8k16: lane l holds of a 16 x 8 result rows l / 4 and l / 4 + 8, columns 2 * (l % 4) and the next.
#define TILE 64
#define PITCH 72

__device__ __forceinline__ void fetch_tile(half_t* keys, half_t* values, const half_t* base, int first, int rows, int width) {
    for (int chunk = threadIdx.x; chunk < TILE * 8; chunk += 128) {
        int row = chunk / 8, column = chunk % 8 * 8;
        bool there = first + row < rows;
        // Where there is no row nothing is read, but an address has to be given.
        const half_t* from = base + (size_t)(there ? first + row : 0) * 3 * width + column;
        fetch(keys + row * PITCH + column, from + width, there);
        fetch(values + row * PITCH + column, from + 2 * width, there);
    }
    fetched();
}

extern "C" __global__ void __launch_bounds__(128)
window_attention(const half_t* in, half_t* out, const int4* windows, int width, float scale) {
    SHARED half_t keys[2][TILE * PITCH];
    SHARED half_t values[2][TILE * PITCH];
    int4 window = windows[blockIdx.z];
    int rows = window.w;
    if ((int)blockIdx.x * TILE >= rows) return;
    int lane = threadIdx.x % 32;
    int query = blockIdx.x * TILE + threadIdx.x / 32 * 16;
    int upper = query + lane / 4, lower = upper + 8;
    const half_t* base = in + (size_t)window.z * 3 * width + blockIdx.y * 64;

    fetch_tile(keys[0], values[0], base, 0, rows, width);

    // The warp's 16 queries, four steps of 16 numbers. Rows behind the window are copies of its last one and are not written.
    unsigned queries[4][4];
    const half_t* from_upper = base + (size_t)min(upper, rows - 1) * 3 * width + lane % 4 * 2;
    const half_t* from_lower = base + (size_t)min(lower, rows - 1) * 3 * width + lane % 4 * 2;
#pragma unroll
    for (int step = 0; step < 4; step++) {
        queries[step][0] = *reinterpret_cast<const unsigned*>(from_upper + step * 16);
        queries[step][1] = *reinterpret_cast<const unsigned*>(from_lower + step * 16);
        queries[step][2] = *reinterpret_cast<const unsigned*>(from_upper + step * 16 + 8);
        queries[step][3] = *reinterpret_cast<const unsigned*>(from_lower + step * 16 + 8);
    }

    float sums[8][4] = {};
    float largest[2] = {-INFINITE, -INFINITE};
    float totals[2] = {0.0f, 0.0f};
    // Powers are of two: the scale has log2(e) in it.
    float unit = scale * 1.44269504f;

    int tiles = (rows + TILE - 1) / TILE;
    for (int tile = 0; tile < tiles; tile++) {
        int now = tile % 2;
        if (tile + 1 < tiles) {
            fetch_tile(keys[1 - now], values[1 - now], base, (tile + 1) * TILE, rows, width);
            arrive<1>();
        } else {
            arrive<0>();
        }
        __syncthreads();

        float scores[8][4];
#pragma unroll
        for (int eight = 0; eight < 8; eight++) {
            unsigned near[4], far[4];
            const half_t* row = keys[now] + (eight * 8 + lane % 8) * PITCH + lane / 8 * 8;
            load_matrices(near, row);
            load_matrices(far, row + 32);
            float (&score)[4] = scores[eight];
            score[0] = score[1] = score[2] = score[3] = 0.0f;
            multiply(score, queries[0], near[0], near[1]);
            multiply(score, queries[1], near[2], near[3]);
            multiply(score, queries[2], far[0], far[1]);
            multiply(score, queries[3], far[2], far[3]);
            int key = tile * TILE + eight * 8 + lane % 4 * 2;
            if (key >= rows) score[0] = score[2] = -INFINITE;
            if (key + 1 >= rows) score[1] = score[3] = -INFINITE;
        }

        // Half 0 is row `upper`, half 1 is row `lower`. A row is in the hands of four lanes.
#pragma unroll
        for (int part = 0; part < 2; part++) {
            float most = largest[part];
#pragma unroll
            for (int eight = 0; eight < 8; eight++) {
                most = fmaxf(most, fmaxf(scores[eight][2 * part], scores[eight][2 * part + 1]));
            }
            most = fmaxf(most, across(most, 1));
            most = fmaxf(most, across(most, 2));
            float fade = exp2f((largest[part] - most) * unit);
            largest[part] = most;
            float total = 0.0f;
#pragma unroll
            for (int eight = 0; eight < 8; eight++) {
                scores[eight][2 * part] = exp2f((scores[eight][2 * part] - most) * unit);
                scores[eight][2 * part + 1] = exp2f((scores[eight][2 * part + 1] - most) * unit);
                total += scores[eight][2 * part] + scores[eight][2 * part + 1];
                sums[eight][2 * part] *= fade;
                sums[eight][2 * part + 1] *= fade;
            }
            totals[part] = totals[part] * fade + total;
        }

        // The result of one product is laid out as the next one wants its left side: no exchange between lanes.
#pragma unroll
        for (int step = 0; step < 4; step++) {
            unsigned weights[4] = {
                pack(scores[2 * step][0], scores[2 * step][1]),
                pack(scores[2 * step][2], scores[2 * step][3]),
                pack(scores[2 * step + 1][0], scores[2 * step + 1][1]),
                pack(scores[2 * step + 1][2], scores[2 * step + 1][3]),
            };
#pragma unroll
            for (int sixteen = 0; sixteen < 4; sixteen++) {
                unsigned of_values[4];
                load_transposed(of_values, values[now] + (step * 16 + lane % 16) * PITCH + sixteen * 16 + lane / 16 * 8);
                multiply(sums[2 * sixteen], weights, of_values[0], of_values[1]);
                multiply(sums[2 * sixteen + 1], weights, of_values[2], of_values[3]);
            }
        }
        // The next turn fetches into the tile that was read here.
        __syncthreads();
    }

#pragma unroll
    for (int part = 0; part < 2; part++) {
        float total = totals[part];
        total += across(total, 1);
        total += across(total, 2);
        // One division for 16 numbers: each costs a subroutine.
        float share = 1.0f / total;
        int row = part == 0 ? upper : lower;
        if (row < rows) {
            half_t* into = out + (size_t)(window.z + row) * width + blockIdx.y * 64 + lane % 4 * 2;
#pragma unroll
            for (int eight = 0; eight < 8; eight++) {
                *reinterpret_cast<unsigned*>(into + eight * 8) =
                    pack(sums[eight][2 * part] * share, sums[eight][2 * part + 1] * share);
            }
        }
    }
}
