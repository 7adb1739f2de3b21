// NOT COMPILED for an NPU AND NEVER RUN on one by this project: no compiler for these cores was at hand. `check/run` compiles it for
// the CPU against a stand-in for AMD's header, which says that the arithmetic and the order of numbers are as meant, and nothing
// of the cores. README.md says what to look at first.
//
// What a core does with its tiles: M x K times K x N in bfloat16, summed in float, stored as bfloat16. The order of numbers
// within a tile is that of the core's instruction (R x S times S x T), block row by block row:
//
//   activations  [M / R][K / S][R][S]   put into this order by the memory tile
//   weights      [K / S][N / T][S][T]   put into this order by the host, once
//   results      [M / R][N / T][R][T]   put into rows by the memory tile
//
// R, S and T come from the build: 4 8 4 for npu1, 4 8 8 for npu2.

#include <aie_api/aie.hpp>
#include <stdint.h>

namespace {

constexpr unsigned M = 64, K = 64, N = 64;
constexpr unsigned R = MICRO_R, S = MICRO_S, T = MICRO_T;
constexpr unsigned ROWS = M / R, DEPTH = K / S, COLUMNS = N / T;
// Floats that are worked on at a time where nothing is multiplied.
constexpr unsigned LANES = 16;

using Product = aie::mmul<R, S, T, bfloat16, bfloat16, accauto>;
using Floats = aie::vector<float, LANES>;

static_assert(M % R == 0 && K % S == 0 && N % T == 0, "a tile is whole blocks");
static_assert(ROWS % 2 == 0 && COLUMNS % 2 == 0, "blocks are summed two by two");
static_assert(Product::size_C % LANES == 0, "a block is whole vectors");

// erf(z) is about z times a polynomial in z * z where |z| <= 3, and 1 beyond: at 3 it is 1 - 2.2e-5. GELU is right to 6.1e-5
// with it, which is less than bfloat16 keeps of a number near 1. The usual form with tanh is not: it was seen to cost an encoder
// a twentieth of its cosine.
constexpr float ERF_LIMIT = 3.0f;
constexpr float ERF[] = {
    1.12835991f, -0.375777721f, 0.111770451f,
    -0.0255700108f, 0.00440387055f, -0.000545643386f,
    4.51235464e-05f, -2.19861363e-06f, 4.72836419e-08f,
};
constexpr unsigned ERF_TERMS = sizeof(ERF) / sizeof(ERF[0]);

inline Floats product(Floats one, Floats other)
{
    return aie::mul(one, other).to_vector<float>();
}

// x / 2 * (1 + erf(x / sqrt 2))
inline Floats gelu(Floats x)
{
    const Floats limit = aie::broadcast<float, LANES>(ERF_LIMIT);
    Floats z = product(x, aie::broadcast<float, LANES>(0.70710678f));
    z = aie::max(aie::min(z, limit), aie::neg(limit));
    const Floats square = product(z, z);
    Floats sum = aie::broadcast<float, LANES>(ERF[ERF_TERMS - 1]);
    for (unsigned term = ERF_TERMS - 1; term > 0; term--)
        sum = aie::add(product(sum, square), aie::broadcast<float, LANES>(ERF[term - 1]));
    const Floats one = aie::broadcast<float, LANES>(1.0f);
    const Floats half = product(x, aie::broadcast<float, LANES>(0.5f));
    return product(half, aie::add(one, product(sum, z)));
}

inline aie::vector<bfloat16, LANES> narrow(Floats numbers)
{
    aie::accum<accfloat, LANES> sums;
    sums.from_vector(numbers);
    return sums.to_vector<bfloat16>();
}

} // namespace

extern "C" {

// Cores begin with rounding down, which makes results a hundred times less exact. This is the first thing that a core does.
void set_up()
{
    aie::set_rounding(aie::rounding_mode::conv_even);
}

// Begins a tile of the product.
void clear_sums(float *__restrict sums)
{
    const Floats zeros = aie::zeros<float, LANES>();
    for (unsigned place = 0; place < M * N; place += LANES)
        aie::store_v(sums + place, zeros);
}

// Adds the product of two tiles. Two by two blocks are kept in registers over the whole depth.
void add_product(const bfloat16 *__restrict left, const bfloat16 *__restrict right, float *__restrict sums)
{
    for (unsigned row = 0; row < ROWS; row += 2) {
        for (unsigned column = 0; column < COLUMNS; column += 2) {
            float *const upper = sums + (row * COLUMNS + column) * Product::size_C;
            float *const lower = upper + COLUMNS * Product::size_C;
            Product block00(aie::load_v<Product::size_C>(upper));
            Product block01(aie::load_v<Product::size_C>(upper + Product::size_C));
            Product block10(aie::load_v<Product::size_C>(lower));
            Product block11(aie::load_v<Product::size_C>(lower + Product::size_C));
            for (unsigned step = 0; step < DEPTH; step++) {
                const bfloat16 *const a = left + (row * DEPTH + step) * Product::size_A;
                const bfloat16 *const b = right + (step * COLUMNS + column) * Product::size_B;
                const auto a0 = aie::load_v<Product::size_A>(a);
                const auto a1 = aie::load_v<Product::size_A>(a + DEPTH * Product::size_A);
                const auto b0 = aie::load_v<Product::size_B>(b);
                const auto b1 = aie::load_v<Product::size_B>(b + Product::size_B);
                block00.mac(a0, b0);
                block01.mac(a0, b1);
                block10.mac(a1, b0);
                block11.mac(a1, b1);
            }
            aie::store_v(upper, block00.template to_vector<float>());
            aie::store_v(upper + Product::size_C, block01.template to_vector<float>());
            aie::store_v(lower, block10.template to_vector<float>());
            aie::store_v(lower + Product::size_C, block11.template to_vector<float>());
        }
    }
}

// Ends a tile of the product.
void store(const float *__restrict sums, bfloat16 *__restrict results)
{
    for (unsigned place = 0; place < M * N; place += LANES)
        aie::store_v(results + place, narrow(aie::load_v<LANES>(sums + place)));
}

// Ends a tile of the product with a bias, and with GELU where `epilogue` is 2. The bias comes as a tile of weights behind those
// that were multiplied; its first two rows are the upper and the lower part of each number, so that it is exact to 16 bits.
void store_with_bias(float *__restrict sums, const bfloat16 *__restrict bias, int32_t epilogue, bfloat16 *__restrict results)
{
    for (unsigned column = 0; column < COLUMNS; column++) {
        // The same T numbers for each line of a block.
        alignas(64) float lines[Product::size_C];
        const bfloat16 *const upper = bias + column * Product::size_B;
        const bfloat16 *const lower = upper + T;
        for (unsigned place = 0; place < Product::size_C; place++)
            lines[place] = (float)upper[place % T] + (float)lower[place % T];
        for (unsigned row = 0; row < ROWS; row++) {
            float *const block = sums + (row * COLUMNS + column) * Product::size_C;
            for (unsigned place = 0; place < Product::size_C; place += LANES)
                aie::store_v(block + place, aie::add(aie::load_v<LANES>(block + place), aie::load_v<LANES>(lines + place)));
        }
    }
    for (unsigned place = 0; place < M * N; place += LANES) {
        const Floats numbers = aie::load_v<LANES>(sums + place);
        aie::store_v(results + place, narrow(epilogue == 2 ? gelu(numbers) : numbers));
    }
}

} // extern "C"
