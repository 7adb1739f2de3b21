// gemm.cc on the CPU, against products in double: two tiles deep, plain, with a bias, and with GELU; and rounding that was not set.

#include "../gemm.cc"

#include <cstdio>
#include <vector>

static uint64_t state = 1;

static double number()
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return double(int64_t(state >> 40) - (1 << 23)) / (1 << 23);
}

// The largest error of a tile, as a part of the sum of sizes; `epilogue` as for the core.
static double error(int epilogue, bool told)
{
    const unsigned deep = 2;
    aie::set_rounding(aie::rounding_mode::conv_even);
    std::vector<bfloat16> left(M * K * deep), right(K * N * deep), bias(K * N, bfloat16{0}), results(M * N);
    std::vector<double> biases(N);
    alignas(64) static float sums[M * N];
    for (auto &value : left)
        value = narrowed(float(number()));
    for (auto &value : right)
        value = narrowed(float(number()));
    for (unsigned column = 0; column < N; column++) {
        const double value = number() * 3;
        const bfloat16 upper = narrowed(float(value)), lower = narrowed(float(value - float(upper)));
        bias[column / T * S * T + column % T] = upper;
        bias[column / T * S * T + T + column % T] = lower;
        biases[column] = epilogue ? value : 0;
    }
    aie::set_rounding(aie::rounding_mode::floor);
    if (told)
        set_up();
    clear_sums(sums);
    for (unsigned tile = 0; tile < deep; tile++)
        add_product(left.data() + tile * M * K, right.data() + tile * K * N, sums);
    if (epilogue)
        store_with_bias(sums, bias.data(), epilogue, results.data());
    else
        store(sums, results.data());
    double worst = 0;
    for (unsigned row = 0; row < M; row++)
        for (unsigned column = 0; column < N; column++) {
            double sum = biases[column], mass = std::fabs(sum);
            for (unsigned tile = 0; tile < deep; tile++)
                for (unsigned step = 0; step < K; step++) {
                    const unsigned a = tile * M * K + ((row / R * DEPTH + step / S) * R + row % R) * S + step % S;
                    const unsigned b = tile * K * N + ((step / S * COLUMNS + column / T) * S + step % S) * T + column % T;
                    sum += double(left[a]) * double(right[b]);
                    mass += std::fabs(double(left[a]) * double(right[b]));
                }
            if (epilogue == 2)
                sum = sum / 2 * (1 + std::erf(sum / std::sqrt(2.0)));
            const double found = results[((row / R * COLUMNS + column / T) * R + row % R) * T + column % T];
            // Half of the last place of the result is what storing it costs.
            worst = std::max(worst, (std::fabs(found - sum) - std::fabs(sum) / 256) / mass);
        }
    return worst;
}

int main()
{
    const double plain = error(0, true), biased = error(1, true), gelued = error(2, true), floored = error(0, false);
    std::printf("beyond rounding, of the sum of sizes: plain %.1e, bias %.1e, bias and GELU %.1e; rounding not set %.1e\n", plain, biased, gelued, floored);
    const bool right = plain < 1e-6 && biased < 2e-6 && gelued < 5e-6 && floored > 1e-5;
    std::puts(right ? "as meant" : "WRONG");
    return right ? 0 : 1;
}
