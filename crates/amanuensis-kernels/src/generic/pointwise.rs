//! Functions of one number or one row: exponential, GELU, layer norm, softmax, and what decoding asks of a row.

use super::Vector;
use super::product::CHUNK;

/// Below this exponent the result is zero instead of ever smaller: e^-69 is 1e-30, nothing beside the 1 that the
/// largest term of a softmax is, and products with it do not become denormal, which some processors calculate slowly.
pub(crate) const SMALLEST_EXPONENT: f32 = -69.0;
/// Above this the result stays at e^88, just below the largest f32.
const LARGEST_EXPONENT: f32 = 88.0;

/// e^x within 2e-7 of its value; zero below [`SMALLEST_EXPONENT`].
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts so that n ln 2 is exact where it matters; e^r by its
/// Taylor series to the seventh power, whose rest is below 6e-9.
#[inline(always)]
pub(crate) unsafe fn exponential_of<V: Vector>(x: V) -> V {
    // SAFETY: the caller has the features of V.
    unsafe {
        let bounded = x.larger(V::splat(SMALLEST_EXPONENT)).smaller(V::splat(LARGEST_EXPONENT));
        let n = bounded.times(V::splat(std::f32::consts::LOG2_E)).nearest();
        let r = n.minus_times(V::splat(0.693_359_4), bounded);
        let r = n.minus_times(V::splat(-2.121_944_4e-4), r);
        let mut e = V::splat(1.0 / 5040.0);
        for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            e = e.times_plus(r, V::splat(coefficient));
        }
        e.times_power_of_two(n).where_at_least(x, V::splat(SMALLEST_EXPONENT))
    }
}

/// x * Phi(x), within 4e-7 of its value.
///
/// erfc(z) = poly(t) e^(-z^2), t = 1 / (1 + p z), Abramowitz and Stegun 7.1.26, good to 1.5e-7 for z >= 0. From it
/// x Phi(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, which needs no case for the sign and does not cancel.
#[inline(always)]
pub(crate) unsafe fn gelu_of<V: Vector>(x: V) -> V {
    // SAFETY: the caller has the features of V.
    unsafe {
        let magnitude = x.magnitude();
        let z = magnitude.times(V::splat(std::f32::consts::FRAC_1_SQRT_2));
        let t = V::splat(1.0).over(z.times_plus(V::splat(0.327_591_1), V::splat(1.0)));
        let mut poly = V::splat(1.061_405_4);
        for coefficient in [-1.453_152, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
            poly = poly.times_plus(t, V::splat(coefficient));
        }
        let erfc = poly.times(t).times(exponential_of(V::splat(0.0).minus(z.times(z))));
        magnitude.times(V::splat(0.5)).minus_times(erfc, x.larger(V::splat(0.0)))
    }
}

/// Apply `f` to every number.
#[inline(always)]
unsafe fn each<V: Vector>(numbers: &mut [f32], f: impl Fn(V) -> V) {
    let whole = numbers.len() / V::WIDTH * V::WIDTH;
    let rest = numbers.len() - whole;
    let start = numbers.as_mut_ptr();
    // SAFETY: reads and writes below the length of the slice.
    unsafe {
        for i in (0..whole).step_by(V::WIDTH) {
            f(V::load(start.add(i))).store(start.add(i));
        }
        if rest > 0 {
            f(V::load_first(start.add(whole), rest)).store_first(start.add(whole), rest);
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn gelu<V: Vector>(numbers: &mut [f32]) {
    // SAFETY: the caller has the features of V.
    unsafe { each::<V>(numbers, |x| gelu_of(x)) }
}

#[inline(always)]
pub(crate) unsafe fn exponential<V: Vector>(numbers: &mut [f32]) {
    // SAFETY: the caller has the features of V.
    unsafe { each::<V>(numbers, |x| exponential_of(x)) }
}

/// Fold the numbers in `N` running vectors (so that one step need not wait for the last), then into one.
/// `step(total, numbers, count)`: only the first `count` numbers are real, the others are zero.
#[inline(always)]
unsafe fn fold<V: Vector, const N: usize>(
    numbers: &[f32],
    start: V,
    step: impl Fn(V, V, usize) -> V,
    join: impl Fn(V, V) -> V,
) -> V {
    let from = numbers.as_ptr();
    let mut totals = [start; N];
    let mut i = 0;
    // SAFETY: reads below the length of the slice.
    unsafe {
        while i + N * V::WIDTH <= numbers.len() {
            for n in 0..N {
                totals[n] = step(totals[n], V::load(from.add(i + n * V::WIDTH)), V::WIDTH);
            }
            i += N * V::WIDTH;
        }
        let mut n = 0;
        while i < numbers.len() {
            let count = (numbers.len() - i).min(V::WIDTH);
            totals[n] = step(totals[n], V::load_first(from.add(i), count), count);
            i += V::WIDTH;
            n += 1;
        }
    }
    let mut total = totals[0];
    for n in 1..N {
        total = join(total, totals[n]);
    }
    total
}

/// The largest of the numbers; minus infinity when there are none.
#[inline(always)]
unsafe fn largest<V: Vector>(numbers: &[f32]) -> f32 {
    // SAFETY: the caller has the features of V.
    unsafe {
        let lowest = V::splat(f32::NEG_INFINITY);
        fold::<V, 4>(numbers, lowest, |m, x, count| m.larger(x.first_or(count, lowest)), |a, b| a.larger(b)).largest()
    }
}

/// ln(sum of e^x).
#[inline(always)]
pub(crate) unsafe fn log_sum_exp<V: Vector>(numbers: &[f32]) -> f32 {
    // SAFETY: the caller has the features of V.
    unsafe {
        let top = largest::<V>(numbers);
        if !top.is_finite() {
            return top;
        }
        let shift = V::splat(top);
        let zero = V::splat(0.0);
        let sum = fold::<V, 4>(
            numbers,
            zero,
            |sum, x, count| sum.plus(exponential_of(x.minus(shift)).first_or(count, zero)),
            |a, b| a.plus(b),
        );
        top + sum.sum().ln()
    }
}

/// The index of the largest number, the first of several; zero when there are none.
#[inline(always)]
pub(crate) unsafe fn argmax<V: Vector>(numbers: &[f32]) -> usize {
    // SAFETY: the caller has the features of V.
    let top = unsafe { largest::<V>(numbers) };
    numbers.iter().position(|&x| x == top).unwrap_or(0)
}

/// The small number under the root of layer norm.
pub(crate) const EPSILON: f32 = 1e-5;

/// Rows of `gain.len()` numbers: (x - mean) / sqrt(variance + 1e-5) * gain + bias.
///
/// Two passes for the statistics. The second also sums the deviations, which would be zero were the mean exact, and
/// corrects both by it: the result is good to the last bits even where the mean is large beside the deviations.
#[inline(always)]
pub(crate) unsafe fn layer_norm<V: Vector>(input: &[f32], gain: &[f32], bias: &[f32], out: &mut [f32]) {
    let width = gain.len();
    let whole = width / V::WIDTH * V::WIDTH;
    let rest = width - whole;
    for (row, out) in input.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        // SAFETY: reads and writes below `width`, which all four slices have.
        unsafe {
            let zero = V::splat(0.0);
            let count = width as f32;
            let rough = fold::<V, 4>(row, zero, |sum, x, _| sum.plus(x), |a, b| a.plus(b)).sum() / count;
            let shift = V::splat(rough);
            let drift = fold::<V, 4>(
                row,
                zero,
                |sum, x, count| sum.plus(x.minus(shift).first_or(count, zero)),
                |a, b| a.plus(b),
            )
            .sum()
                / count;
            let squares = fold::<V, 4>(
                row,
                zero,
                |sum, x, count| {
                    let deviation = x.minus(shift).first_or(count, zero);
                    deviation.times_plus(deviation, sum)
                },
                |a, b| a.plus(b),
            );
            let variance = (squares.sum() / count - drift * drift).max(0.0);
            let (factor, drift) = (V::splat(1.0 / (variance + EPSILON).sqrt()), V::splat(drift));
            let normal = |x: V, gain: V, bias: V| x.minus(shift).minus(drift).times(factor).times_plus(gain, bias);
            let (x, g, b, o) = (row.as_ptr(), gain.as_ptr(), bias.as_ptr(), out.as_mut_ptr());
            for i in (0..whole).step_by(V::WIDTH) {
                normal(V::load(x.add(i)), V::load(g.add(i)), V::load(b.add(i))).store(o.add(i));
            }
            if rest > 0 {
                let (x, g) = (V::load_first(x.add(whole), rest), V::load_first(g.add(whole), rest));
                normal(x, g, V::load_first(b.add(whole), rest)).store_first(o.add(whole), rest);
            }
        }
    }
}

/// Softmax without its division, over a packed strip `[columns / 16][rows][16]` of scores: row r's first
/// `lengths[r]` scores become e^(score - largest), the others zero, and `scales[r]` one over their sum.
/// A row of length zero becomes all zero with scale zero.
#[inline(always)]
pub(crate) unsafe fn softmax<V: Vector>(strip: &mut [f32], rows: usize, lengths: &[usize], scales: &mut [f32]) {
    let chunks = strip.len() / (rows * CHUNK);
    let start = strip.as_mut_ptr();
    for row in 0..rows {
        let length = lengths[row];
        let (full, total) = (length / CHUNK, length.div_ceil(CHUNK));
        assert!(total <= chunks, "a row of {length} scores in a strip of {chunks} chunks");
        // SAFETY: chunk < chunks and row < rows, so every chunk read or written lies in the strip.
        unsafe {
            let at = |chunk: usize| start.add((chunk * rows + row) * CHUNK);
            let (zero, lowest) = (V::splat(0.0), V::splat(f32::NEG_INFINITY));
            // How many numbers of the vector at `offset` in `chunk` belong to the row.
            let count = |chunk: usize, offset: usize| (length - chunk * CHUNK).saturating_sub(offset).min(V::WIDTH);
            let mut top = [lowest; 4];
            for chunk in 0..full {
                for offset in (0..CHUNK).step_by(V::WIDTH) {
                    let n = (chunk * (CHUNK / V::WIDTH) + offset / V::WIDTH) % 4;
                    top[n] = top[n].larger(V::load(at(chunk).add(offset)));
                }
            }
            if full < total {
                for offset in (0..CHUNK).step_by(V::WIDTH) {
                    let x = V::load(at(full).add(offset));
                    top[0] = top[0].larger(x.first_or(count(full, offset), lowest));
                }
            }
            let top = top[0].larger(top[1]).larger(top[2].larger(top[3])).largest();
            let shift = V::splat(top);
            let mut sum = zero;
            for chunk in 0..full {
                for offset in (0..CHUNK).step_by(V::WIDTH) {
                    let e = exponential_of(V::load(at(chunk).add(offset)).minus(shift));
                    sum = sum.plus(e);
                    e.store(at(chunk).add(offset));
                }
            }
            if full < total {
                for offset in (0..CHUNK).step_by(V::WIDTH) {
                    let e = exponential_of(V::load(at(full).add(offset)).minus(shift));
                    let e = e.first_or(count(full, offset), zero);
                    sum = sum.plus(e);
                    e.store(at(full).add(offset));
                }
            }
            for chunk in total..chunks {
                for offset in (0..CHUNK).step_by(V::WIDTH) {
                    zero.store(at(chunk).add(offset));
                }
            }
            scales[row] = if length == 0 { 0.0 } else { 1.0 / sum.sum() };
        }
    }
}
