// Layer norm of f32 rows. `picked` names the row that each output row is made of; without it every row is taken. One warp for a
// row, four numbers for a lane at a time: the row is read three times, the second and third time from the cache.
KERNEL layer_norm(const float* x, const float* gain, const float* bias, const int* picked, half_t* out, int rows, int width) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows) return;
    const float4* from = reinterpret_cast<const float4*>(x + (size_t)(picked ? picked[row] : row) * width);
    int fours = width / 4;
    float sum = 0.0f;
    for (int four = lane; four < fours; four += 32) {
        float4 numbers = from[four];
        sum += (numbers.x + numbers.y) + (numbers.z + numbers.w);
    }
    float mean = warp_sum(sum) / width;
    float squares = 0.0f;
    for (int four = lane; four < fours; four += 32) {
        float4 off = from[four];
        off.x -= mean, off.y -= mean, off.z -= mean, off.w -= mean;
        squares += (off.x * off.x + off.y * off.y) + (off.z * off.z + off.w * off.w);
    }
    float scale = rsqrtf(warp_sum(squares) / width + 1e-5f);
    for (int four = lane; four < fours; four += 32) {
        float4 numbers = from[four];
        float4 gains = reinterpret_cast<const float4*>(gain)[four], biases = reinterpret_cast<const float4*>(bias)[four];
        uint2 pairs;
        pairs.x = pack((numbers.x - mean) * scale * gains.x + biases.x, (numbers.y - mean) * scale * gains.y + biases.y);
        pairs.y = pack((numbers.z - mean) * scale * gains.z + biases.z, (numbers.w - mean) * scale * gains.w + biases.w);
        reinterpret_cast<uint2*>(out + (size_t)row * width)[four] = pairs;
    }
}
