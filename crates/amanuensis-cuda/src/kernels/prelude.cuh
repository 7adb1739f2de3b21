// What every kernel is made of: numbers of 16 bits, sums over a warp, and the tensor cores' instruction.
//
// Nothing is included: NVRTC has no headers of its own, and the toolkit's are not asked for. The functions between HOST are
// written again for the machine without a GPU, where kernels run thread by thread (kernels/threads/host.h).

#ifndef HOST
typedef unsigned short half_t;

#define SHARED __shared__ __align__(16)
#define KERNEL extern "C" __global__ void
#define INFINITE __int_as_float(0x7f800000)

// What lies in a half, as f32.
__device__ __forceinline__ float widen(half_t value) {
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(value));
    return wide;
}

// The nearest half, ties to even; what is too large becomes infinite.
__device__ __forceinline__ half_t narrow(float value) {
    half_t half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
}

// Two halves in a register, the first in the lower bits.
__device__ __forceinline__ unsigned pack(float first, float second) {
    unsigned both;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
    return both;
}

// The value of the lane whose number differs in the bits of `mask`.
__device__ __forceinline__ float across(float value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

// What another block has written in this launch: past the multiprocessor's own cache, which may hold what was there before.
__device__ __forceinline__ float of_others(const float* from) {
    float value;
    asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(value) : "l"(from) : "memory");
    return value;
}

// Copies 16 bytes into shared memory behind the back of the thread, or zeros where there is nothing to copy.
__device__ __forceinline__ void fetch(half_t* shared, const half_t* global, bool there) {
    unsigned target = (unsigned)__cvta_generic_to_shared(shared);
    int bytes = there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(global), "r"(bytes) : "memory");
}

// Ends a group of fetches.
__device__ __forceinline__ void fetched() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most `behind` groups are on their way.
template <int behind>
__device__ __forceinline__ void arrive() {
    asm volatile("cp.async.wait_group %0;" ::"n"(behind) : "memory");
}

// Four matrices of 8 x 8 halves out of shared memory: lane l names row l % 8 of matrix l / 8, and gets of each matrix the two
// halves at row l / 4, column 2 * (l % 4).
__device__ __forceinline__ void load_matrices(unsigned (&out)[4], const half_t* row) {
    unsigned address = (unsigned)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address)
                 : "memory");
}

// The same, each matrix transposed.
__device__ __forceinline__ void load_transposed(unsigned (&out)[4], const half_t* row) {
    unsigned address = (unsigned)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address)
                 : "memory");
}

// sum[16 x 8] += a[16 x 16] * b[16 x 8]: halves multiplied, summed in f32.
__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// Eight halves as they lie in 16 bytes.
struct Eight {
    unsigned pair[4];
};

__device__ __forceinline__ Eight load_eight(const half_t* from) {
    uint4 words = *reinterpret_cast<const uint4*>(from);
    return Eight{{words.x, words.y, words.z, words.w}};
}

__device__ __forceinline__ void store_eight(half_t* into, const Eight& eight) {
    *reinterpret_cast<uint4*>(into) = make_uint4(eight.pair[0], eight.pair[1], eight.pair[2], eight.pair[3]);
}

__device__ __forceinline__ float first_of(unsigned pair) { return widen((half_t)(pair & 0xffffu)); }
__device__ __forceinline__ float second_of(unsigned pair) { return widen((half_t)(pair >> 16)); }

// The sum over the 32 lanes of a warp, in every lane.
__device__ __forceinline__ float warp_sum(float value) {
    for (int mask = 16; mask > 0; mask /= 2) value += across(value, mask);
    return value;
}

// GELU as Whisper was trained with it: by the error function, not by tanh.
__device__ __forceinline__ float gelu(float value) { return 0.5f * value * (1.0f + erff(value * 0.70710678f)); }
