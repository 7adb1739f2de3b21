// Puts the keys and values of new rows where their lanes keep them. `in` holds queries, keys and values side by side; the pool
// holds rows of keys and values side by side, and places[row] + offset is the row that one goes to. One block for a row.
KERNEL remember(const half_t* in, half_t* pool, const int* places, int offset, int width) {
    const half_t* from = in + (size_t)blockIdx.x * 3 * width + width;
    half_t* into = pool + ((size_t)places[blockIdx.x] + offset) * 2 * width;
    for (int eight = threadIdx.x; eight < width / 4; eight += blockDim.x) {
        store_eight(into + eight * 8, load_eight(from + eight * 8));
    }
}
