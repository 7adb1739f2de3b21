//! From numbers to the bytes of a file, some rows at a time.
//!
//! Bytes and halves of bytes are rounded as the kernels round weights when they pack them, and scales are theirs, so that
//! what is packed of such a file is what would have been packed of the numbers it was made from.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::{GROUP, Target};
use crate::model::write::{Type, WriteError};
use crate::model::{Dtype, Tensor};

/// Numbers read at a time, at least a row.
const BLOCK: usize = 1 << 20;

/// The largest byte: the scale is symmetric, and -128 stays free.
const LARGEST: f32 = 127.0;

/// Which tensor of the file the bytes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Part {
    Numbers,
    Scales,
}

/// Takes bytes in order.
pub(in crate::model) type Put<'a> = dyn FnMut(Part, &[u8]) -> Result<(), WriteError> + 'a;

/// Hands out a tensor's bytes, and those of its scales, in order.
pub(in crate::model) fn encode(tensor: &Tensor<'_>, target: Target, put: &mut Put<'_>) -> Result<(), WriteError> {
    let inputs = row_length(tensor.shape);
    let whole = match target {
        Target::Whole => Some(largest_of(tensor)?),
        _ => None,
    };
    let (mut bytes, mut scales) = (Vec::new(), Vec::new());
    for_blocks(tensor, &mut |numbers| {
        bytes.clear();
        scales.clear();
        match target {
            Target::Plain(dtype) => plain(tensor, dtype, numbers, &mut bytes)?,
            Target::Outputs => {
                for row in numbers.chunks(inputs) {
                    let largest = largest(tensor, Type::Int8, row)?;
                    scales.extend((largest / LARGEST).to_le_bytes());
                    bytes_of(row, largest, &mut bytes);
                }
            }
            Target::Whole => bytes_of(numbers, whole.unwrap_or_default(), &mut bytes),
            Target::Groups => {
                for group in numbers.chunks(GROUP) {
                    largest(tensor, Type::Int4, group)?;
                    scales.extend(halves_of(group, &mut bytes).to_le_bytes());
                }
            }
        }
        put(Part::Numbers, &bytes)?;
        if scales.is_empty() { Ok(()) } else { put(Part::Scales, &scales) }
    })?;
    match whole {
        Some(largest) => put(Part::Scales, &(largest / LARGEST).to_le_bytes()),
        None => Ok(()),
    }
}

/// Hands out a tensor's numbers, some whole rows at a time.
pub(in crate::model) fn for_blocks<E>(
    tensor: &Tensor<'_>,
    each: &mut dyn FnMut(&[f32]) -> Result<(), E>,
) -> Result<(), E> {
    let inputs = row_length(tensor.shape);
    let (count, stored) = (tensor.count(), tensor.stored());
    let together = (BLOCK / inputs).max(1) * inputs;
    let mut numbers = vec![0.0; together.min(count)];
    for start in (0..count).step_by(together) {
        let numbers = &mut numbers[..together.min(count - start)];
        stored.read(start, numbers);
        each(numbers)?;
    }
    Ok(())
}

/// Numbers of an output; of a vector all.
pub(in crate::model) fn row_length(shape: &[usize]) -> usize {
    let rest = if shape.len() > 1 { &shape[1..] } else { shape };
    rest.iter().product::<usize>().max(1)
}

fn largest_of(tensor: &Tensor<'_>) -> Result<f32, WriteError> {
    let mut all = 0.0_f32;
    for_blocks::<WriteError>(tensor, &mut |numbers| {
        all = all.max(largest(tensor, Type::Int8, numbers)?);
        Ok(())
    })?;
    Ok(all)
}

/// The largest magnitude. What is not finite has no place among whole numbers.
fn largest(tensor: &Tensor<'_>, kind: Type, numbers: &[f32]) -> Result<f32, WriteError> {
    if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
        let advice = "the model is damaged, fetch it again";
        return Err(WriteError::Number { tensor: tensor.name.to_owned(), number: *number, kind, advice });
    }
    Ok(numbers.iter().fold(0.0, |largest, number| number.abs().max(largest)))
}

/// Numbers to bytes: number = byte x largest / 127.
fn bytes_of(numbers: &[f32], largest: f32, bytes: &mut Vec<u8>) {
    // A row of zeros stays one.
    let inverse = if largest > 0.0 { LARGEST / largest } else { 0.0 };
    bytes.extend(numbers.iter().map(|number| (number * inverse).round_ties_even() as i8 as u8));
}

/// A group to halves of bytes, the first in the lower half, each 8 higher. Returns what one counts.
///
/// The number of the largest magnitude becomes -8, so that the whole range is used; the scale may be negative for it.
fn halves_of(group: &[f32], bytes: &mut Vec<u8>) -> f32 {
    let largest =
        group.iter().fold(0.0_f32, |largest, number| if number.abs() > largest.abs() { *number } else { largest });
    let scale = largest / -8.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let half = |number: f32| ((number * inverse).round_ties_even().clamp(-8.0, 7.0) as i8 + 8) as u8;
    bytes.extend(group.chunks(2).map(|pair| half(pair[0]) | half(pair.get(1).copied().unwrap_or(0.0)) << 4));
    scale
}

fn plain(tensor: &Tensor<'_>, dtype: Dtype, numbers: &[f32], bytes: &mut Vec<u8>) -> Result<(), WriteError> {
    let overflow =
        |number: f32, kind: Type, advice| WriteError::Number { tensor: tensor.name.to_owned(), number, kind, advice };
    match dtype {
        Dtype::F16 => {
            let mut halves = vec![f16::ZERO; numbers.len()];
            halves.convert_from_f32_slice(numbers);
            let lost = numbers.iter().zip(&halves).find(|(number, half)| number.is_finite() && !half.is_finite());
            if let Some((number, _)) = lost {
                return Err(overflow(*number, Type::F16, "bf16 reaches as far as f32"));
            }
            bytes.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
        }
        Dtype::BF16 => {
            for number in numbers {
                let half = bf16::from_f32(*number);
                if number.is_finite() && !half.is_finite() {
                    return Err(overflow(*number, Type::Bf16, "only f32 holds it"));
                }
                bytes.extend(half.to_le_bytes());
            }
        }
        _ => bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes())),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
