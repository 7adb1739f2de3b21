// The end of the stem: GELU of what the second convolution made, and the embedding of the position in its window. The residual
// stream begins here, in f32.
//
// A window is {first row in, rows in, first row out, rows out}, of which the last two count. One block for a row of the longest.
KERNEL settle(const half_t* in, const float* positions, float* x, const int4* windows, int width) {
    int4 window = windows[blockIdx.y];
    int row = blockIdx.x;
    if (row >= window.w) return;
    size_t first = (size_t)(window.z + row) * width;
    for (int column = threadIdx.x; column < width; column += blockDim.x) {
        x[first + column] = gelu(widen(in[first + column])) + positions[(size_t)row * width + column];
    }
}
