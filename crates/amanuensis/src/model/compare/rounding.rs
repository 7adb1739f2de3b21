//! How far a number may be from what it is written as.

use crate::model::numbers::{Scaled, Whole};
use crate::model::{Dtype, Encoding, Tensor};

/// Halves of the steps between neighbouring numbers of f16 from 1 on, and below its smallest normal number.
const F16: (f32, f32) = (1.0 / 2048.0, 1.0 / 33_554_432.0);
/// Those of bf16, which reaches as far down as f32.
const BF16: (f32, f32) = (1.0 / 256.0, 0.0);

/// ggml's types: how many neighbours share a scale, and the share of their largest magnitude that a number may be off.
/// That is half a step of those that have a smallest number, a step of those that have none and are not symmetric; and what
/// scales lose in 16 bits or, in those of 256, in fewer.
const GGML: [(&str, usize, f32); 11] = [
    ("Q8_0", 32, 0.0045),
    ("Q5_1", 32, 0.034),
    ("Q5_0", 32, 0.0635),
    ("Q4_1", 32, 0.069),
    ("Q4_0", 32, 0.1265),
    ("Q8_K", 256, 0.005),
    ("Q6_K", 256, 0.05),
    ("Q5_K", 256, 0.08),
    ("Q4_K", 256, 0.15),
    ("Q3_K", 256, 0.35),
    ("Q2_K", 256, 0.7),
];

/// How a tensor's encoding rounds.
#[derive(Debug)]
pub(super) enum Rounding<'a> {
    /// Not at all.
    Exact,
    /// By a share of each number, and at least by so much.
    Relative { share: f32, least: f32 },
    /// By a share of what one counts. A matrix whose columns stand one behind the other has its rows and columns here.
    Steps { scaled: &'a Scaled, share: f32, columns_first: Option<(usize, usize)> },
    /// As the numbers before they were multiplied.
    Multiplied { inner: Box<Rounding<'a>>, factors: &'a [f32] },
    /// By a share of the largest magnitude of so many neighbours.
    Blocks { length: usize, share: f32 },
}

/// Whether an encoding rounds.
pub(super) fn rounds(encoding: &Encoding) -> bool {
    !matches!(Rounding::of_encoding(encoding), Rounding::Exact)
}

impl<'a> Rounding<'a> {
    pub(super) fn of(tensor: &Tensor<'a>) -> Self {
        Self::of_encoding(tensor.encoding)
    }

    fn of_encoding(encoding: &'a Encoding) -> Self {
        let relative = |(share, least)| Rounding::Relative { share, least };
        match encoding {
            Encoding::Plain(Dtype::F16) => relative(F16),
            Encoding::Plain(Dtype::BF16) => relative(BF16),
            Encoding::Plain(_) => Rounding::Exact,
            // Four bits are not symmetric: at the end that has one step less a number may be a whole step off.
            Encoding::Scaled(scaled) => {
                let share = if scaled.whole == Whole::I4 { 1.0 } else { 0.5 };
                Rounding::Steps { scaled, share, columns_first: None }
            }
            Encoding::Transposed(transposed) => match Self::of_encoding(&transposed.inner) {
                Rounding::Steps { scaled, share, .. } => {
                    Rounding::Steps { scaled, share, columns_first: Some((transposed.rows, transposed.columns)) }
                }
                other => other,
            },
            Encoding::Multiplied(multiplied) => match Self::of_encoding(&multiplied.inner) {
                steps @ Rounding::Steps { .. } => {
                    Rounding::Multiplied { inner: Box::new(steps), factors: &multiplied.factors }
                }
                other => other,
            },
            #[allow(unreachable_patterns, reason = "encodings that are only known by their name")]
            other => Self::named(&other.to_string()),
        }
    }

    fn named(name: &str) -> Self {
        let known = GGML.into_iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
        known.map_or(Rounding::Exact, |(_, length, share)| Rounding::Blocks { length, share })
    }

    /// Into `bounds`, how far a number may be that was one of `numbers`, the first of which is number `start`.
    pub(super) fn bounds(&self, start: usize, numbers: &[f32], bounds: &mut [f32]) {
        match self {
            Rounding::Exact => bounds.fill(0.0),
            Rounding::Relative { share, least } => {
                for (bound, number) in bounds.iter_mut().zip(numbers) {
                    *bound = (number.abs() * share).max(*least);
                }
            }
            Rounding::Steps { scaled, share, columns_first } => {
                for (place, bound) in (start..).zip(bounds) {
                    let place = match columns_first {
                        Some((rows, columns)) => place % columns * rows + place / columns,
                        None => place,
                    };
                    let step = scaled.scales.get(place / scaled.run.max(1)).copied().unwrap_or_default();
                    *bound = step.abs() * share;
                }
            }
            Rounding::Multiplied { inner, factors } => {
                inner.bounds(start, numbers, bounds);
                let columns = factors.len().max(1);
                for (bound, factor) in bounds.iter_mut().zip(factors.iter().cycle().skip(start % columns)) {
                    *bound *= factor.abs();
                }
            }
            Rounding::Blocks { length, share } => {
                for (bounds, numbers) in bounds.chunks_mut(*length).zip(numbers.chunks(*length)) {
                    let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
                    bounds.fill(largest * share);
                }
            }
        }
    }
}
