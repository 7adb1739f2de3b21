// A stand-in for AMD's header with the few names that gemm.cc uses, in plain C++. It says what they mean and nothing of what cores do.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace aie {

enum class rounding_mode { floor, conv_even };

inline rounding_mode rounding = rounding_mode::floor;

inline void set_rounding(rounding_mode mode)
{
    rounding = mode;
}

} // namespace aie

// The upper half of a float.
struct bfloat16 {
    uint16_t bits;

    operator float() const
    {
        const uint32_t whole = uint32_t(bits) << 16;
        float number;
        std::memcpy(&number, &whole, sizeof number);
        return number;
    }
};

inline bfloat16 narrowed(float number)
{
    uint32_t whole;
    std::memcpy(&whole, &number, sizeof whole);
    if (aie::rounding == aie::rounding_mode::conv_even)
        whole += 0x7FFF + (whole >> 16 & 1);
    else if (number < 0 && (whole & 0xFFFF) != 0)
        whole += 0x10000;
    return {uint16_t(whole >> 16)};
}

struct accfloat {};
struct accauto {};

namespace aie {

template <typename Number, unsigned Count> struct vector : std::array<Number, Count> {};

template <unsigned Count, typename Number> vector<Number, Count> load_v(const Number *from)
{
    vector<Number, Count> numbers;
    std::copy_n(from, Count, numbers.begin());
    return numbers;
}

template <typename Number, unsigned Count> void store_v(Number *to, const vector<Number, Count> &numbers)
{
    std::copy(numbers.begin(), numbers.end(), to);
}

template <typename Number, unsigned Count> vector<Number, Count> broadcast(Number number)
{
    vector<Number, Count> numbers;
    numbers.fill(number);
    return numbers;
}

template <typename Number, unsigned Count> vector<Number, Count> zeros()
{
    return broadcast<Number, Count>(Number{});
}

template <typename Number, unsigned Count, typename Act>
vector<Number, Count> each(vector<Number, Count> one, const vector<Number, Count> &other, Act act)
{
    for (unsigned place = 0; place < Count; place++)
        one[place] = act(one[place], other[place]);
    return one;
}

template <typename Vector> Vector add(const Vector &one, const Vector &other)
{
    return each(one, other, [](auto left, auto right) { return left + right; });
}

template <typename Vector> Vector min(const Vector &one, const Vector &other)
{
    return each(one, other, [](auto left, auto right) { return std::min(left, right); });
}

template <typename Vector> Vector max(const Vector &one, const Vector &other)
{
    return each(one, other, [](auto left, auto right) { return std::max(left, right); });
}

template <typename Vector> Vector neg(const Vector &one)
{
    return each(one, one, [](auto number, auto) { return -number; });
}

template <typename, unsigned Count> struct accum {
    vector<float, Count> sums;

    void from_vector(const vector<float, Count> &numbers)
    {
        sums = numbers;
    }

    template <typename Number> vector<Number, Count> to_vector() const
    {
        vector<Number, Count> numbers;
        for (unsigned place = 0; place < Count; place++) {
            if constexpr (std::is_same_v<Number, float>)
                numbers[place] = sums[place];
            else
                numbers[place] = narrowed(sums[place]);
        }
        return numbers;
    }
};

template <unsigned Count> accum<accfloat, Count> mul(const vector<float, Count> &one, const vector<float, Count> &other)
{
    return {each(one, other, [](float left, float right) { return left * right; })};
}

template <unsigned R, unsigned S, unsigned T, typename Left, typename Right, typename> struct mmul {
    static constexpr unsigned size_A = R * S, size_B = S * T, size_C = R * T;
    vector<float, size_C> sums;

    explicit mmul(const vector<float, size_C> &numbers) : sums(numbers) {}

    void mac(const vector<Left, size_A> &left, const vector<Right, size_B> &right)
    {
        for (unsigned row = 0; row < R; row++)
            for (unsigned column = 0; column < T; column++)
                for (unsigned step = 0; step < S; step++)
                    sums[row * T + column] += float(left[row * S + step]) * float(right[step * T + column]);
    }

    template <typename Number> vector<Number, size_C> to_vector() const
    {
        static_assert(std::is_same_v<Number, float>);
        return sums;
    }
};

} // namespace aie
