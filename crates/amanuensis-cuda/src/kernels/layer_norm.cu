// Layer norm of f32 rows. `picked` names the row that each output row is made of; without it every row is taken. One warp for a
// row: the row is read three times, the second and third time from the cache.
template <typename Store>
__device__ __forceinline__ void normalise(const float* x, const float* gain, const float* bias, const int* picked, int rows,
                                          int width, Store store) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows) return;
    const float* from = x + (size_t)(picked ? picked[row] : row) * width;
    float sum = 0.0f;
    for (int column = lane; column < width; column += 32) sum += from[column];
    float mean = warp_sum(sum) / width;
    float squares = 0.0f;
    for (int column = lane; column < width; column += 32) {
        float off = from[column] - mean;
        squares += off * off;
    }
    float scale = rsqrtf(warp_sum(squares) / width + 1e-5f);
    for (int column = lane; column < width; column += 32) {
        store((size_t)row * width + column, (from[column] - mean) * scale * gain[column] + bias[column]);
    }
}

KERNEL layer_norm_half(const float* x, const float* gain, const float* bias, const int* picked, half_t* out, int rows, int width) {
    normalise(x, gain, bias, picked, rows, width, [=](size_t place, float value) { out[place] = narrow(value); });
}

KERNEL layer_norm_float(const float* x, const float* gain, const float* bias, const int* picked, float* out, int rows, int width) {
    normalise(x, gain, bias, picked, rows, width, [=](size_t place, float value) { out[place] = value; });
}
