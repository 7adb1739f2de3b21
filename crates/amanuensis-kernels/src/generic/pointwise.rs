//! Functions of one number or one row: exponential, GELU, layer norm, softmax, and what decoding asks of a row.

use super::product::CHUNK;
use super::{Vector, WIDEST};

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

/// x * Phi(x), within 2e-4 of its value, in half the time: for numbers that are about to become bytes.
///
/// Phi(x) - 1/2 is odd: x times a polynomial in x^2, the best one of its degree for the largest error of x Phi(x),
/// that reaches 1/2 where |x| is cut off, at 4.
#[inline(always)]
pub(crate) unsafe fn rough_gelu_of<V: Vector>(x: V) -> V {
    // SAFETY: the caller has the features of V.
    unsafe {
        let bounded = x.larger(V::splat(-4.0)).smaller(V::splat(4.0));
        let square = bounded.times(bounded);
        let mut poly = V::splat(2.258_832_8e-8);
        for coefficient in [-1.588_833e-6, 4.776_4e-5, -8.121_886e-4, 8.763_698e-3, -6.455_444e-2, 3.978_703_3e-1] {
            poly = poly.times_plus(square, V::splat(coefficient));
        }
        x.times(poly.times_plus(bounded, V::splat(0.5)))
    }
}

/// 2^x within 8e-5 of its value, at least 2^-60: the best cubic on half a power to each side of a whole one.
#[inline(always)]
pub(crate) unsafe fn rough_power_of_two<V: Vector>(x: V) -> V {
    // SAFETY: the caller has the features of V.
    unsafe {
        let bounded = x.larger(V::splat(-60.0)).smaller(V::splat(60.0));
        let whole = bounded.nearest();
        let rest = bounded.minus(whole);
        let mut power = V::splat(0.055_171_773);
        for coefficient in [0.242_611_38, 0.693_260_97, 0.999_928] {
            power = power.times_plus(rest, V::splat(coefficient));
        }
        power.times_power_of_two(whole)
    }
}

/// A function of one number. A trait and not a closure: a closure is compiled without the features of the function
/// around it whenever it is not inlined, and then every vector instruction in it is a call.
trait Map<V> {
    unsafe fn apply(x: V) -> V;
}

struct Gelu;
struct Exponential;

impl<V: Vector> Map<V> for Gelu {
    #[inline(always)]
    unsafe fn apply(x: V) -> V {
        // SAFETY: the caller has the features of V.
        unsafe { gelu_of(x) }
    }
}

impl<V: Vector> Map<V> for Exponential {
    #[inline(always)]
    unsafe fn apply(x: V) -> V {
        // SAFETY: the caller has the features of V.
        unsafe { exponential_of(x) }
    }
}

#[inline(always)]
unsafe fn each<V: Vector, F: Map<V>>(numbers: &mut [f32]) {
    let whole = numbers.len() / V::WIDTH * V::WIDTH;
    let rest = numbers.len() - whole;
    let start = numbers.as_mut_ptr();
    // SAFETY: reads and writes below the length of the slice.
    unsafe {
        for i in (0..whole).step_by(V::WIDTH) {
            F::apply(V::load(start.add(i))).store(start.add(i));
        }
        if rest > 0 {
            F::apply(V::load_first(start.add(whole), rest)).store_first(start.add(whole), rest);
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn gelu<V: Vector>(numbers: &mut [f32]) {
    // SAFETY: the caller has the features of V.
    unsafe { each::<V, Gelu>(numbers) }
}

#[inline(always)]
pub(crate) unsafe fn exponential<V: Vector>(numbers: &mut [f32]) {
    // SAFETY: the caller has the features of V.
    unsafe { each::<V, Exponential>(numbers) }
}

/// A running total over numbers; a trait for the reason given at [`Map`].
trait Fold<V>: Copy {
    /// What a total starts from, and what a missing number counts as once `of` has seen it.
    unsafe fn nothing(self) -> V;
    /// What a number contributes.
    unsafe fn of(self, x: V) -> V;
    unsafe fn join(self, a: V, b: V) -> V;
}

#[derive(Clone, Copy)]
struct Largest;
/// The largest absolute value.
#[derive(Clone, Copy)]
struct Magnitude;
#[derive(Clone, Copy)]
struct Sum;
/// The sum of 0 x.
#[derive(Clone, Copy)]
struct Taint;
/// The sum of x - shift.
#[derive(Clone, Copy)]
struct Deviations<V>(V);
/// The sum of (x - shift)^2.
#[derive(Clone, Copy)]
struct Squares<V>(V);
/// The sum of e^(x - shift).
#[derive(Clone, Copy)]
struct Exponentials<V>(V);

macro_rules! fold_for {
    ($fold:ty, $nothing:expr, |$self:ident, $x:ident| $of:expr, $join:ident) => {
        impl<V: Vector> Fold<V> for $fold {
            #[inline(always)]
            unsafe fn nothing(self) -> V {
                // SAFETY: the caller has the features of V.
                unsafe { V::splat($nothing) }
            }
            #[inline(always)]
            unsafe fn of($self, $x: V) -> V {
                // SAFETY: the caller has the features of V.
                #[allow(unused_unsafe, reason = "a number may contribute itself")]
                unsafe { $of }
            }
            #[inline(always)]
            unsafe fn join(self, a: V, b: V) -> V {
                // SAFETY: the caller has the features of V.
                unsafe { a.$join(b) }
            }
        }
    };
}

fold_for!(Largest, f32::NEG_INFINITY, |self, x| x, larger);
fold_for!(Magnitude, 0.0, |self, x| x.magnitude(), larger);
fold_for!(Sum, 0.0, |self, x| x, plus);
fold_for!(Taint, 0.0, |self, x| x.times(V::splat(0.0)), plus);
fold_for!(Deviations<V>, 0.0, |self, x| x.minus(self.0), plus);
fold_for!(Squares<V>, 0.0, |self, x| x.minus(self.0).times(x.minus(self.0)), plus);
fold_for!(Exponentials<V>, 0.0, |self, x| exponential_of(x.minus(self.0)), plus);

/// Fold in four running vectors, so that one step need not wait for the last; joined in a fixed order.
#[inline(always)]
unsafe fn fold<V: Vector, F: Fold<V>>(fold: F, numbers: &[f32]) -> V {
    let from = numbers.as_ptr();
    let mut i = 0;
    // SAFETY: reads below the length of the slice.
    unsafe {
        let mut totals = [fold.nothing(); 4];
        while i + 4 * V::WIDTH <= numbers.len() {
            for n in 0..4 {
                totals[n] = fold.join(totals[n], fold.of(V::load(from.add(i + n * V::WIDTH))));
            }
            i += 4 * V::WIDTH;
        }
        while i < numbers.len() {
            let count = (numbers.len() - i).min(V::WIDTH);
            let part = fold.of(V::load_first(from.add(i), count)).first_or(count, fold.nothing());
            totals[0] = fold.join(totals[0], part);
            i += V::WIDTH;
        }
        fold.join(fold.join(totals[0], totals[1]), fold.join(totals[2], totals[3]))
    }
}

/// ln(sum of e^x).
#[inline(always)]
pub(crate) unsafe fn log_sum_exp<V: Vector>(numbers: &[f32]) -> f32 {
    // SAFETY: the caller has the features of V.
    unsafe {
        let top = fold::<V, _>(Largest, numbers).largest();
        if !top.is_finite() {
            return top;
        }
        top + fold::<V, _>(Exponentials(V::splat(top)), numbers).sum().ln()
    }
}

/// The largest absolute value in every lane, zero when there are none. Where some numbers are not numbers they may be passed
/// over.
#[inline(always)]
pub(crate) unsafe fn magnitudes<V: Vector>(numbers: &[f32]) -> V {
    // SAFETY: the caller has the features of V.
    unsafe { fold::<V, _>(Magnitude, numbers) }
}

/// Zero, or what is not a number if any number is infinite or none.
#[inline(always)]
pub(crate) unsafe fn taint<V: Vector>(numbers: &[f32]) -> f32 {
    // SAFETY: the caller has the features of V.
    unsafe { fold::<V, _>(Taint, numbers).sum() }
}

/// Numbers among which the largest is looked for one by one.
const SOUGHT: usize = 512;

/// The index of the largest number, the first of several; zero when there are none.
#[inline(always)]
pub(crate) unsafe fn argmax<V: Vector>(numbers: &[f32]) -> usize {
    // Looked for in two steps, so that the one without vectors is short.
    // SAFETY: the caller has the features of V.
    unsafe {
        let top = fold::<V, _>(Largest, numbers).largest();
        for (block, numbers) in numbers.chunks(SOUGHT).enumerate() {
            if fold::<V, _>(Largest, numbers).largest() == top {
                return block * SOUGHT + numbers.iter().position(|&x| x == top).unwrap_or(0);
            }
        }
        0
    }
}

/// The small number under the root of layer norm.
pub(crate) const EPSILON: f32 = 1e-5;

/// Rows of `gain.len()` numbers: (x - mean) / sqrt(variance + 1e-5) * gain + bias.
///
/// Two passes for the statistics. The second also sums the deviations, which would be zero were the mean exact, and
/// corrects both by it: the result is good to the last bits even where the mean is large beside the deviations. As many
/// rows as a register has numbers go through each pass before the next: one by itself waits for its lanes to be joined.
#[inline(always)]
pub(crate) unsafe fn layer_norm<V: Vector>(input: &[f32], gain: &[f32], bias: &[f32], out: &mut [f32]) {
    let width = gain.len();
    let together = V::WIDTH * width;
    let mut totals = Totals([0.0; WIDEST * WIDEST]);
    let (mut shifts, mut drifts, mut squares) = ([0.0; WIDEST], [0.0; WIDEST], [0.0; WIDEST]);
    for (input, out) in input.chunks(together).zip(out.chunks_mut(together)) {
        // SAFETY: the arrays hold a register, the totals one for every row; all rows have `width` numbers; the caller has the
        // features of V.
        unsafe {
            let rows = || input.chunks_exact(width).enumerate();
            let count = V::splat(width as f32);
            for (number, row) in rows() {
                totals.keep(number, fold::<V, _>(Sum, row));
            }
            totals.joined::<V>().over(count).store(shifts.as_mut_ptr());
            for (number, row) in rows() {
                totals.keep(number, fold::<V, _>(Deviations(V::splat(shifts[number])), row));
            }
            totals.joined::<V>().over(count).store(drifts.as_mut_ptr());
            for (number, row) in rows() {
                totals.keep(number, fold::<V, _>(Squares(V::splat(shifts[number])), row));
            }
            totals.joined::<V>().over(count).store(squares.as_mut_ptr());
            for ((number, row), out) in rows().zip(out.chunks_exact_mut(width)) {
                let (shift, drift) = (shifts[number], drifts[number]);
                let variance = (squares[number] - drift * drift).max(0.0);
                normal::<V>(row, shift, drift, 1.0 / (variance + EPSILON).sqrt(), gain, bias, out);
            }
        }
    }
}

/// Running totals of some rows, a register of each.
struct Totals([f32; WIDEST * WIDEST]);

impl Totals {
    #[inline(always)]
    unsafe fn keep<V: Vector>(&mut self, row: usize, total: V) {
        // SAFETY: there is room for as many rows as a register has numbers; the caller has the features of V.
        unsafe { total.store(self.0[row * V::WIDTH..][..V::WIDTH].as_mut_ptr()) }
    }

    /// The sum of each, in an order that does not depend on how many there are.
    #[inline(always)]
    unsafe fn joined<V: Vector>(&self) -> V {
        // SAFETY: as above.
        unsafe { V::sum_of_each(self.0.as_ptr()) }
    }
}

/// `(x - shift - drift) * factor * gain + bias` for all numbers of a row.
#[inline(always)]
unsafe fn normal<V: Vector>(
    row: &[f32],
    shift: f32,
    drift: f32,
    factor: f32,
    gain: &[f32],
    bias: &[f32],
    out: &mut [f32],
) {
    let (whole, rest) = (row.len() / V::WIDTH * V::WIDTH, row.len() % V::WIDTH);
    // SAFETY: reads and writes below the length that all four slices have; the caller has the features of V.
    unsafe {
        let (x, g, b, o) = (row.as_ptr(), gain.as_ptr(), bias.as_ptr(), out.as_mut_ptr());
        let (shift, factor, behind) = (V::splat(shift), V::splat(factor), V::splat(-drift * factor));
        for i in (0..whole).step_by(V::WIDTH) {
            let normal = V::load(x.add(i)).minus(shift).times_plus(factor, behind);
            normal.times_plus(V::load(g.add(i)), V::load(b.add(i))).store(o.add(i));
        }
        if rest > 0 {
            let i = whole;
            let normal = V::load_first(x.add(i), rest).minus(shift).times_plus(factor, behind);
            let result = normal.times_plus(V::load_first(g.add(i), rest), V::load_first(b.add(i), rest));
            result.store_first(o.add(i), rest);
        }
    }
}

/// Softmax without its division, over a packed strip `[columns / 16][rows][16]` of scores: row r's first
/// `lengths[r]` scores become e^(score - largest), the others zero, and `scales[r]` one over their sum.
/// A row of length zero becomes all zero with scale zero.
#[inline(always)]
pub(crate) unsafe fn softmax<V: Vector>(strip: &mut [f32], rows: usize, lengths: &[usize], scales: &mut [f32]) {
    let step = rows * CHUNK;
    let vectors = strip.len() / step * (CHUNK / V::WIDTH);
    for (row, (&length, scale)) in lengths[..rows].iter().zip(scales).enumerate() {
        let (full, rest) = (length / V::WIDTH, length % V::WIDTH);
        assert!(length <= vectors * V::WIDTH, "a row of {length} scores in a strip of {vectors} vectors");
        // SAFETY: the places of vectors below `vectors` lie in the strip; the partial one is among them if rest > 0.
        unsafe {
            let start = strip.as_mut_ptr().add(row * CHUNK);
            let (zero, lowest) = (V::splat(0.0), V::splat(f32::NEG_INFINITY));
            let mut tops = [lowest; 4];
            let mut vector = 0;
            while vector + 4 <= full {
                for i in 0..4 {
                    tops[i] = tops[i].larger(V::load(start.add(place::<V>(vector + i, step))));
                }
                vector += 4;
            }
            while vector < full {
                tops[0] = tops[0].larger(V::load(start.add(place::<V>(vector, step))));
                vector += 1;
            }
            if rest > 0 {
                tops[1] = tops[1].larger(V::load(start.add(place::<V>(full, step))).first_or(rest, lowest));
            }
            let top = V::splat(tops[0].larger(tops[1]).larger(tops[2].larger(tops[3])).largest());
            let mut sum = zero;
            for vector in 0..full {
                let at = start.add(place::<V>(vector, step));
                let part = exponential_of(V::load(at).minus(top));
                sum = sum.plus(part);
                part.store(at);
            }
            let mut used = full;
            if rest > 0 {
                let at = start.add(place::<V>(full, step));
                let part = exponential_of(V::load(at).minus(top)).first_or(rest, zero);
                sum = sum.plus(part);
                part.store(at);
                used += 1;
            }
            for vector in used..vectors {
                zero.store(start.add(place::<V>(vector, step)));
            }
            *scale = if length == 0 { 0.0 } else { 1.0 / sum.sum() };
        }
    }
}

/// Where vector number `vector` of a row lies in a packed strip whose chunks are `step` apart.
#[inline(always)]
fn place<V: Vector>(vector: usize, step: usize) -> usize {
    let column = vector * V::WIDTH;
    column / CHUNK * step + column % CHUNK
}
