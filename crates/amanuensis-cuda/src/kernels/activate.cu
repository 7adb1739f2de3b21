// GELU in place, eight halves for a thread.
KERNEL activate(half_t* values, int eights) {
    int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= eights) return;
    Eight eight = load_eight(values + (size_t)place * 8);
    for (int pair = 0; pair < 4; pair++) {
        eight.pair[pair] = pack(gelu(first_of(eight.pair[pair])), gelu(second_of(eight.pair[pair])));
    }
    store_eight(values + (size_t)place * 8, eight);
}
