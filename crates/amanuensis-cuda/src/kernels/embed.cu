// Tokens become rows of the residual stream: the token's embedding and that of its position in the lane. {token, position} for
// each row, one block for a row.
KERNEL embed(const half_t* tokens, const float* positions, const int2* fed, float* x, int width) {
    int2 place = fed[blockIdx.x];
    for (int column = threadIdx.x; column < width; column += blockDim.x) {
        x[(size_t)blockIdx.x * width + column] =
            widen(tokens[(size_t)place.x * width + column]) + positions[(size_t)place.y * width + column];
    }
}
