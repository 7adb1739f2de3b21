//! Numbers become blocks of 32.
//!
//! Scales are kept in f16, but whole numbers are counted with the scale before it is rounded, as ggml's reference does;
//! so a file written here is byte for byte the one that whisper.cpp's tool writes.

use half::f16;

use super::Block;
use super::small::{HALVES, LENGTH};

type Numbers = [f32; LENGTH];

pub(super) fn encode(block: Block, numbers: &[f32]) -> Option<Vec<u8>> {
    let pack: fn(&Numbers, &mut Vec<u8>) = match block {
        Block::Q4_0 => |numbers, out| around_zero(numbers, 8.0, out),
        Block::Q4_1 => |numbers, out| from_lowest(numbers, 15.0, out),
        Block::Q5_0 => |numbers, out| around_zero(numbers, 16.0, out),
        Block::Q5_1 => |numbers, out| from_lowest(numbers, 31.0, out),
        Block::Q8_0 => bytes,
        _ => return None,
    };
    let (blocks, []) = numbers.as_chunks::<LENGTH>() else { return None };
    let mut out = Vec::with_capacity(block.bytes(numbers.len())?);
    for numbers in blocks {
        pack(numbers, &mut out);
    }
    Some(out)
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

fn push(number: f32, out: &mut Vec<u8>) {
    out.extend(f16::from_f32(number).to_le_bytes());
}

/// The number farthest from zero becomes the lowest whole number, `-levels`, whichever sign it has.
fn around_zero(numbers: &Numbers, levels: f32, out: &mut Vec<u8>) {
    let farthest = numbers.iter().fold(0.0_f32, |far, number| if far.abs() < number.abs() { *number } else { far });
    let scale = farthest / -levels;
    let inverse = inverse(scale);
    push(scale, out);
    // The cast cuts off what is behind the point.
    let whole = |number: f32| ((number * inverse + (levels + 0.5)) as i8).clamp(0, 2 * levels as i8 - 1) as u8;
    wholes(numbers, levels > 8.0, whole, out);
}

/// The lowest number becomes 0, the highest `steps`.
fn from_lowest(numbers: &Numbers, steps: f32, out: &mut Vec<u8>) {
    let lowest = numbers.iter().fold(f32::MAX, |lowest, number| if *number < lowest { *number } else { lowest });
    let highest = numbers.iter().fold(f32::MIN, |highest, number| if *number > highest { *number } else { highest });
    let scale = (highest - lowest) / steps;
    let inverse = inverse(scale);
    push(scale, out);
    push(lowest, out);
    let whole = |number: f32| (((number - lowest) * inverse + 0.5) as u8).min(steps as u8);
    wholes(numbers, steps > 15.0, whole, out);
}

/// The whole numbers of a block: fifth bits where there are some, then halves.
fn wholes(numbers: &Numbers, with_fifths: bool, whole: impl Fn(f32) -> u8, out: &mut Vec<u8>) {
    let wholes = numbers.map(whole);
    if with_fifths {
        let fifths = wholes.iter().enumerate().map(|(place, whole)| u32::from(whole >> 4 & 1) << place);
        out.extend(fifths.sum::<u32>().to_le_bytes());
    }
    let (lower, upper) = wholes.split_at(HALVES);
    out.extend(lower.iter().zip(upper).map(|(lower, upper)| lower & 15 | upper << 4));
}

fn bytes(numbers: &Numbers, out: &mut Vec<u8>) {
    let farthest = numbers.iter().fold(0.0_f32, |far, number| far.max(number.abs()));
    let scale = farthest / 127.0;
    let inverse = inverse(scale);
    push(scale, out);
    out.extend(numbers.map(|number| (number * inverse).round() as i8 as u8));
}
