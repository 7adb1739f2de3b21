//! Blocks of 256 numbers, the K kinds.
//!
//! The parts of a block, 16 or 32 numbers each, have scales of 4, 6 or 8 bits, which count a scale of the whole block;
//! in Q2, Q4 and Q5 there is also a lowest number for each part, counted the same way and subtracted.
//!
//! ```text
//! Q2  16 bytes: scales, lowest | 64 bytes: 2 bits |                             | scale f16 | lowest f16
//! Q3  32 bytes: third bits     | 64 bytes: 2 bits | 12 bytes: scales            | scale f16
//! Q4  scale f16 | lowest f16   | 12 bytes: scales, lowest |                     | 128 bytes: 4 bits
//! Q5  scale f16 | lowest f16   | 12 bytes: scales, lowest | 32 bytes: fifth bits | 128 bytes: 4 bits
//! Q6  128 bytes: 4 bits        | 64 bytes: 2 bits more    | 16 signed scales    | scale f16
//! Q8  scale f32                | 256 signed bytes         | sums of 16, i16 each, not needed here
//! ```

use super::small::half;

/// Numbers of a block.
pub(super) const LENGTH: usize = 256;

pub(super) const Q2: usize = 16 + 64 + 4;
pub(super) const Q3: usize = 32 + 64 + 12 + 2;
pub(super) const Q4: usize = 4 + 12 + 128;
pub(super) const Q5: usize = 4 + 12 + 32 + 128;
pub(super) const Q6: usize = 128 + 64 + 16 + 2;
pub(super) const Q8: usize = 4 + 256 + 32;

type Numbers = [f32; LENGTH];

/// Two halves of 128 numbers; in each, the two bits of 32 bytes belong to four rows of 32 numbers.
/// `number` is told the part of 16, the place of the byte among 32, the row, and the two bits.
fn unpack_twos(twos: &[u8], into: &mut Numbers, number: impl Fn(usize, usize, usize, u8) -> f32) {
    for (half, (numbers, twos)) in into.chunks_exact_mut(128).zip(twos.chunks_exact(32)).enumerate() {
        for (row, numbers) in numbers.chunks_exact_mut(32).enumerate() {
            for (place, (to, byte)) in numbers.iter_mut().zip(twos).enumerate() {
                *to = number(8 * half + 2 * row + place / 16, place, 4 * half + row, byte >> (2 * row) & 3);
            }
        }
    }
}

pub(super) fn q2(block: &[u8; Q2], into: &mut Numbers) {
    let (parts, rest) = block.split_at(16);
    let (twos, ends) = rest.split_at(64);
    let (scale, lowest) = (half(ends[0], ends[1]), half(ends[2], ends[3]));
    unpack_twos(twos, into, |part, _, _, two| {
        let part = parts[part];
        scale * f32::from(part & 15) * f32::from(two) - lowest * f32::from(part >> 4)
    });
}

pub(super) fn q3(block: &[u8; Q3], into: &mut Numbers) {
    let (thirds, rest) = block.split_at(32);
    let (twos, rest) = rest.split_at(64);
    let (packed, ends) = rest.split_at(12);
    let scale = half(ends[0], ends[1]);
    // Four bits of a part's scale lie in the first eight bytes, the other two in the last four.
    let scales: [f32; 16] = std::array::from_fn(|part| {
        let low = packed[part % 8] >> (4 * (part / 8)) & 15;
        let high = packed[8 + part % 4] >> (2 * (part / 4)) & 3;
        scale * (f32::from(low | high << 4) - 32.0)
    });
    unpack_twos(twos, into, |part, place, row, two| {
        let below = if thirds[place] >> row & 1 == 1 { 0.0 } else { 4.0 };
        scales[part] * (f32::from(two) - below)
    });
}

/// The scale and the lowest number of each of eight parts, six bits each in twelve bytes: the first four parts have
/// bytes of their own, whose upper two bits belong to the last four.
fn sixes(packed: &[u8], scale: f32, lowest: f32) -> [(f32, f32); 8] {
    std::array::from_fn(|part| {
        let (of_scale, of_lowest) = if part < 4 {
            (packed[part] & 63, packed[part + 4] & 63)
        } else {
            let low = packed[part + 4];
            (low & 15 | packed[part - 4] >> 6 << 4, low >> 4 | packed[part] >> 6 << 4)
        };
        (scale * f32::from(of_scale), lowest * f32::from(of_lowest))
    })
}

/// Four runs of 64 numbers of 32 bytes each: the lower halves come first. `fifth` says what is added of a bit more.
fn unpack_halves(halves: &[u8], parts: &[(f32, f32); 8], into: &mut Numbers, fifth: impl Fn(usize, usize) -> u8) {
    for (part, (numbers, (scale, lowest))) in into.chunks_exact_mut(32).zip(parts).enumerate() {
        let bytes = &halves[32 * (part / 2)..];
        for (place, (to, byte)) in numbers.iter_mut().zip(bytes).enumerate() {
            let whole = byte >> (4 * (part % 2)) & 15 | fifth(part, place) << 4;
            *to = scale * f32::from(whole) - lowest;
        }
    }
}

pub(super) fn q4([s0, s1, l0, l1, rest @ ..]: &[u8; Q4], into: &mut Numbers) {
    let (packed, halves) = rest.split_at(12);
    let parts = sixes(packed, half(*s0, *s1), half(*l0, *l1));
    unpack_halves(halves, &parts, into, |_, _| 0);
}

pub(super) fn q5([s0, s1, l0, l1, rest @ ..]: &[u8; Q5], into: &mut Numbers) {
    let (packed, rest) = rest.split_at(12);
    let (fifths, halves) = rest.split_at(32);
    let parts = sixes(packed, half(*s0, *s1), half(*l0, *l1));
    unpack_halves(halves, &parts, into, |part, place| fifths[place] >> part & 1);
}

pub(super) fn q6(block: &[u8; Q6], into: &mut Numbers) {
    let (fours, rest) = block.split_at(128);
    let (twos, rest) = rest.split_at(64);
    let (scales, ends) = rest.split_at(16);
    let scale = half(ends[0], ends[1]);
    for (half, (numbers, twos)) in into.chunks_exact_mut(128).zip(twos.chunks_exact(32)).enumerate() {
        // Rows 0 and 1 are the lower halves of 64 bytes, rows 2 and 3 the upper ones.
        for (row, numbers) in numbers.chunks_exact_mut(32).enumerate() {
            let fours = &fours[64 * half + 32 * (row % 2)..];
            for (place, ((to, four), two)) in numbers.iter_mut().zip(fours).zip(twos).enumerate() {
                let whole = four >> (4 * (row / 2)) & 15 | (two >> (2 * row) & 3) << 4;
                let part = f32::from(scales[8 * half + 2 * row + place / 16] as i8);
                *to = scale * part * (f32::from(whole) - 32.0);
            }
        }
    }
}

pub(super) fn q8([s0, s1, s2, s3, rest @ ..]: &[u8; Q8], into: &mut Numbers) {
    let scale = f32::from_le_bytes([*s0, *s1, *s2, *s3]);
    for (number, whole) in into.iter_mut().zip(rest) {
        *number = scale * f32::from(*whole as i8);
    }
}
