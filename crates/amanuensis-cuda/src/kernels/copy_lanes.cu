// Copies what lanes remember: {from, to, rows, -} for each copy, where `from` and `to` are rows of the pool, and the layers of a
// lane lie `layer_rows` rows apart. One block for a row of the longest lane, a layer and a copy.
KERNEL copy_lanes(half_t* pool, const int4* copies, int layer_rows, int width) {
    int4 copy = copies[blockIdx.z];
    int row = blockIdx.x;
    if (row >= copy.z) return;
    size_t inside = (size_t)blockIdx.y * layer_rows + row;
    const half_t* from = pool + (copy.x + inside) * 2 * width;
    half_t* into = pool + (copy.y + inside) * 2 * width;
    for (int eight = threadIdx.x; eight < width / 4; eight += blockDim.x) {
        store_eight(into + eight * 8, load_eight(from + eight * 8));
    }
}
