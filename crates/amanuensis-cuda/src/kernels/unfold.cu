// Lays three neighbouring rows of a window side by side, so that a convolution over time is a product: row r of the output is
// rows stride * r - 1 .. stride * r + 1 of the input, and zeros where the window has none.
//
// A window is {first row in, rows in, first row out, rows out}. One block for a row of the longest window.
KERNEL unfold(const half_t* in, half_t* out, const int4* windows, int channels, int stride) {
    int4 window = windows[blockIdx.y];
    int row = blockIdx.x;
    if (row >= window.w) return;
    half_t* target = out + (size_t)(window.z + row) * 3 * channels;
    int eights = channels / 8;
    for (int place = threadIdx.x; place < 3 * eights; place += blockDim.x) {
        int tap = place / eights;
        int from = row * stride + tap - 1;
        Eight eight = {{0u, 0u, 0u, 0u}};
        if (from >= 0 && from < window.y) {
            eight = load_eight(in + (size_t)(window.x + from) * channels + (place - tap * eights) * 8);
        }
        store_eight(target + place * 8, eight);
    }
}
