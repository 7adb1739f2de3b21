//! Blocks of 32 numbers.
//!
//! ```text
//! Q4_0  scale f16 |                        | 16 bytes of halves
//! Q4_1  scale f16 | lowest f16 |           | 16 bytes of halves
//! Q5_0  scale f16 |            | fifths u32 | 16 bytes of halves
//! Q5_1  scale f16 | lowest f16 | fifths u32 | 16 bytes of halves
//! Q8_0  scale f16 |                        | 32 signed bytes
//! ```
//!
//! The lower half of byte n belongs to number n, the upper half to number n + 16. Bit n of the fifths is the fifth bit of
//! number n. Without a lowest number the whole numbers are stored 8 or 16 higher than they are.

use half::f16;

/// Numbers of a block.
pub(super) const LENGTH: usize = 32;
/// Bytes that hold two numbers each.
pub(super) const HALVES: usize = LENGTH / 2;

pub(super) const Q4_0: usize = 2 + HALVES;
pub(super) const Q4_1: usize = 4 + HALVES;
pub(super) const Q5_0: usize = 6 + HALVES;
pub(super) const Q5_1: usize = 8 + HALVES;
pub(super) const Q8_0: usize = 2 + LENGTH;

type Numbers = [f32; LENGTH];

/// The f16 in two bytes.
pub(super) fn half(low: u8, high: u8) -> f32 {
    f16::from_le_bytes([low, high]).to_f32()
}

pub(super) fn q4_0([s0, s1, halves @ ..]: &[u8; Q4_0], into: &mut Numbers) {
    let scale = half(*s0, *s1);
    unpack(halves, 0, into, |whole| (whole as f32 - 8.0) * scale);
}

pub(super) fn q4_1([s0, s1, l0, l1, halves @ ..]: &[u8; Q4_1], into: &mut Numbers) {
    let (scale, lowest) = (half(*s0, *s1), half(*l0, *l1));
    unpack(halves, 0, into, |whole| whole as f32 * scale + lowest);
}

pub(super) fn q5_0([s0, s1, f0, f1, f2, f3, halves @ ..]: &[u8; Q5_0], into: &mut Numbers) {
    let (scale, fifths) = (half(*s0, *s1), u32::from_le_bytes([*f0, *f1, *f2, *f3]));
    unpack(halves, fifths, into, |whole| (whole as f32 - 16.0) * scale);
}

pub(super) fn q5_1([s0, s1, l0, l1, f0, f1, f2, f3, halves @ ..]: &[u8; Q5_1], into: &mut Numbers) {
    let (scale, lowest) = (half(*s0, *s1), half(*l0, *l1));
    let fifths = u32::from_le_bytes([*f0, *f1, *f2, *f3]);
    unpack(halves, fifths, into, |whole| whole as f32 * scale + lowest);
}

pub(super) fn q8_0([s0, s1, wholes @ ..]: &[u8; Q8_0], into: &mut Numbers) {
    let scale = half(*s0, *s1);
    for (number, whole) in into.iter_mut().zip(wholes) {
        *number = f32::from(*whole as i8) * scale;
    }
}

/// Puts the whole numbers together, and makes numbers of them.
fn unpack(halves: &[u8; HALVES], fifths: u32, into: &mut Numbers, number: impl Fn(u32) -> f32) {
    let (lower, upper) = into.split_at_mut(HALVES);
    for (place, ((lower, upper), byte)) in lower.iter_mut().zip(upper).zip(halves).enumerate() {
        let fifths = fifths >> place;
        *lower = number(u32::from(byte & 15) | (fifths & 1) << 4);
        *upper = number(u32::from(byte >> 4) | (fifths >> HALVES & 1) << 4);
    }
}
