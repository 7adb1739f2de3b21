//! Four lanes of plain Rust, for processors without a vector path of their own.
//!
//! Multiply and add round separately here: a fused one would be a library call on a processor without the instruction.

use super::{Integers, Vector};
use crate::isa::Isa;

/// Four f32 that the compiler may or may not keep in one register.
#[derive(Clone, Copy)]
pub(crate) struct Lanes([f32; 4]);

impl Lanes {
    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) -> Lanes {
        Lanes(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, other: Lanes, f: impl Fn(f32, f32) -> f32) -> Lanes {
        Lanes(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

/// The f16 with these bits: its exponent moved to the place and bias of an f32's, by a product that is right for
/// subnormal numbers too.
#[inline(always)]
fn single_of(half: u16) -> f32 {
    let (sign, rest) = (u32::from(half & 0x8000) << 16, u32::from(half & 0x7fff) << 13);
    let magnitude = if rest < 0x7c00 << 13 {
        f32::from_bits(rest) * f32::from_bits((127 + 127 - 15) << 23)
    } else {
        f32::from_bits(rest | 0xff << 23)
    };
    f32::from_bits(magnitude.to_bits() | sign)
}

// SAFETY: uses no special instructions; pointers are the caller's promise.
unsafe impl Vector for Lanes {
    const WIDTH: usize = 4;
    const REGISTERS: usize = 16;
    const TILE: usize = 6;

    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        Lanes([number; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises four readable numbers.
        Lanes(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: the caller promises four readable numbers.
        let halves = unsafe { from.cast::<[u16; 4]>().read_unaligned() };
        Lanes(halves.map(single_of))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises four writable numbers.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: the caller promises `count` readable numbers.
        Lanes(std::array::from_fn(|i| if i < count { unsafe { from.add(i).read() } } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        for i in 0..count.min(4) {
            // SAFETY: the caller promises `count` writable numbers.
            unsafe { to.add(i).write(self.0[i]) }
        }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn over(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn times_plus(self, factor: Self, addend: Self) -> Self {
        Lanes(std::array::from_fn(|i| self.0[i] * factor.0[i] + addend.0[i]))
    }
    #[inline(always)]
    unsafe fn minus_times(self, factor: Self, addend: Self) -> Self {
        Lanes(std::array::from_fn(|i| addend.0[i] - self.0[i] * factor.0[i]))
    }
    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn smaller(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn magnitude(self) -> Self {
        self.map(f32::abs)
    }
    #[inline(always)]
    unsafe fn nearest(self) -> Self {
        // Adding and taking away 1.5 * 2^23 rounds every number below 2^22 to the nearest integer.
        self.map(|x| (x + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    unsafe fn times_power_of_two(self, power: Self) -> Self {
        self.zip(power, |x, n| x * f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn where_at_least(self, key: Self, bound: Self) -> Self {
        Lanes(std::array::from_fn(|i| if key.0[i] >= bound.0[i] { self.0[i] } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn first_or(self, count: usize, other: Self) -> Self {
        Lanes(std::array::from_fn(|i| if i < count { self.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
    }
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        let [a, b, c, d] = self.0;
        let (x, y) = (if a > c { a } else { c }, if b > d { b } else { d });
        if x > y { x } else { y }
    }
}

/// Four i32, each of which may be four bytes.
#[derive(Clone, Copy)]
pub(crate) struct Whole([i32; 4]);

impl Whole {
    #[inline(always)]
    fn zip(self, other: Whole, f: impl Fn(i32, i32) -> i32) -> Whole {
        Whole(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

// SAFETY: uses no special instructions; pointers are the caller's promise.
unsafe impl Integers for Whole {
    type Floats = Lanes;
    type Left = [i8; 4];
    const OFFSET: i32 = 0;

    #[inline(always)]
    unsafe fn splat(number: i32) -> Self {
        Whole([number; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: the caller promises four readable numbers.
        Whole(unsafe { from.cast::<[i32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        // SAFETY: the caller promises four writable numbers.
        unsafe { to.cast::<[i32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn left(cell: *const i32) -> [i8; 4] {
        // SAFETY: the caller promises a readable cell.
        unsafe { cell.cast::<[i8; 4]>().read() }
    }
    #[inline(always)]
    unsafe fn plus_products(self, left: [i8; 4], weights: Self) -> Self {
        let products = |weights: i32| {
            let pairs = left.iter().zip(weights.to_ne_bytes());
            pairs.map(|(&left, weight)| i32::from(left) * i32::from(weight as i8)).sum::<i32>()
        };
        self.zip(weights, |sum, weights| sum + products(weights))
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        self.zip(other, i32::wrapping_add)
    }
    #[inline(always)]
    unsafe fn nearest(numbers: Lanes) -> Self {
        // The bits below 1.5 * 2^23 are the integer, for those below 2^22.
        Whole(numbers.0.map(|x| (x + 12_582_912.0).to_bits() as i32 - 0x4b40_0000))
    }
    #[inline(always)]
    unsafe fn numbers(self) -> Lanes {
        Lanes(self.0.map(|integer| integer as f32))
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller promises four writable bytes.
        unsafe { to.cast::<[u8; 4]>().write(self.0.map(|integer| integer as u8)) }
    }
    #[inline(always)]
    unsafe fn halves(self) -> [Self; 2] {
        let bytes = |of: fn(u8) -> u8| self.0.map(|cell| i32::from_ne_bytes(cell.to_ne_bytes().map(of)));
        [Whole(bytes(|byte| (byte & 15).wrapping_sub(8))), Whole(bytes(|byte| (byte >> 4).wrapping_sub(8)))]
    }
    #[inline(always)]
    unsafe fn cells(bytes: [Self; 4]) -> Self {
        let low = |of: usize, lane: usize| bytes[of].0[lane] as u8;
        Whole(std::array::from_fn(|lane| i32::from_ne_bytes([low(0, lane), low(1, lane), low(2, lane), low(3, lane)])))
    }
}

super::kernels_for!(SCALAR, Isa::Scalar, Lanes, Whole,);
