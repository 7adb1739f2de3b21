//! Smoothing: what a few channels of the activations are too large for is moved into the weights.
//!
//! A row of activations shares one scale where it becomes bytes, so a channel that is much larger than the others costs
//! them their precision. Between a normalisation and the matrices that follow it a factor for each channel can go either
//! way: gain and bias divided by it, the columns multiplied with it, and the product is the same. The factors are powers
//! of two, with which f32 loses nothing, so the model computes the same numbers to the last bit in f32.
//!
//! Where the activations are even already, factors would only make them uneven for the sake of the weights. So the error
//! that bytes would make is estimated on rows that were seen, and factors that do not lessen it are not used.

use std::convert::Infallible;

use serde::Serialize;

use super::activations::{Activations, Part};
use super::encode::for_blocks;
use crate::model::numbers::Multiplied;
use crate::model::{Encoding, ModelError, ModelFile};

/// The widest range of factors, as exponents of two: beyond it the numbers of f16 would end.
const EXPONENTS: f32 = 8.0;

/// What smoothing changed.
#[derive(Debug, Clone, Serialize)]
pub struct Smoothed {
    /// The share of the activations' unevenness that goes into the weights: 0 leaves all, 1 takes all.
    pub strength: f32,
    /// Every normalisation.
    pub parts: Vec<SmoothedPart>,
}

/// What smoothing changed behind one normalisation.
#[derive(Debug, Clone, Serialize)]
pub struct SmoothedPart {
    /// The normalisation.
    pub norm: String,
    /// The largest channel of the activations as a multiple of the median one, before.
    pub activations_before: f32,
    /// The same, after.
    pub activations_after: f32,
    /// The largest input of the matrices as a multiple of the median one, before.
    pub weights_before: f32,
    /// The same, after.
    pub weights_after: f32,
    /// The error that bytes make in the products that follow, as part of what they made before: an estimate.
    pub error: f64,
    /// Channels whose factor is not one.
    pub changed: usize,
}

/// Smooths a model with what was seen, and says what that changed.
pub fn smooth(
    mut model: ModelFile,
    activations: &Activations,
    strength: f32,
) -> Result<(ModelFile, Smoothed), ModelError> {
    let mut smoothed = Smoothed { strength, parts: Vec::new() };
    for part in &activations.parts {
        let Part { norm, matrices, largest, .. } = part;
        let width = largest.len();
        let mut inputs = vec![0.0_f32; width];
        for matrix in matrices {
            each_row(&model, matrix, width, |row| {
                row.iter().zip(&mut inputs).for_each(|(number, input)| *input = input.max(number.abs()));
            })?;
        }
        let median = median(largest);
        // Between both sides; by the activations alone; and not at all.
        let both = |(activation, weight): (&f32, &f32)| {
            factor(strength * activation.log2() - (1.0 - strength) * weight.log2())
        };
        let alone = |(activation, _): (&f32, &f32)| factor(strength * (activation / median).log2());
        let pairs = || largest.iter().zip(&inputs);
        let candidates: [Vec<f32>; 3] = [vec![1.0; width], pairs().map(alone).collect(), pairs().map(both).collect()];
        let errors = errors(&model, part, &candidates)?;
        let best = (0..candidates.len()).min_by(|one, other| errors[*one].total_cmp(&errors[*other])).unwrap_or(0);
        let factors = &candidates[best];
        let inverse: Vec<f32> = factors.iter().map(|factor| factor.recip()).collect();
        smoothed.parts.push(SmoothedPart {
            norm: norm.clone(),
            activations_before: unevenness(largest),
            activations_after: unevenness(&times(largest, &inverse)),
            weights_before: unevenness(&inputs),
            weights_after: unevenness(&times(&inputs, factors)),
            error: if errors[0] > 0.0 { errors[best] / errors[0] } else { 1.0 },
            changed: factors.iter().filter(|factor| **factor != 1.0).count(),
        });
        if best == 0 {
            continue;
        }
        for part in ["weight", "bias"] {
            multiply(&mut model, &format!("{norm}.{part}"), &inverse);
        }
        for (name, _) in matrices {
            multiply(&mut model, name, factors);
        }
    }
    Ok((model, smoothed))
}

/// Hands out the rows of a matrix of a part.
fn each_row(
    model: &ModelFile,
    (name, outputs): &(String, usize),
    width: usize,
    mut each: impl FnMut(&[f32]),
) -> Result<(), ModelError> {
    let tensor = model.weights.tensor(name, &[*outputs, width])?;
    let Ok(()) = for_blocks::<Infallible>(&tensor, &mut |numbers| {
        numbers.chunks_exact(width).for_each(&mut each);
        Ok(())
    });
    Ok(())
}

/// The power of two nearest to two to an exponent. A channel that is nothing on either side stays as it is.
fn factor(exponent: f32) -> f32 {
    if exponent.is_finite() { exponent.round().clamp(-EXPONENTS, EXPONENTS).exp2() } else { 1.0 }
}

/// The error of the products with each of the candidates' factors, up to a common one.
///
/// Rounding is off by as much, on the average, as a step is long, which is the largest magnitude of the row: of the
/// activations for every number of the weights, and of the weights for every number of the activations. That of each matrix
/// counts as part of what it gives: values are smaller than queries and matter no less.
fn errors<const N: usize>(model: &ModelFile, part: &Part, candidates: &[Vec<f32>; N]) -> Result<[f64; N], ModelError> {
    let width = part.largest.len().max(1);
    let rows = (part.samples.len() / width).max(1) as f64;
    let mut activations = [(0.0, 0.0); N];
    let mut squares_of_channels = vec![0.0; width];
    for row in part.samples.chunks_exact(width) {
        for ((steps, squares), factors) in activations.iter_mut().zip(candidates) {
            let (largest, sum) = of_row(row.iter().zip(factors).map(|(number, factor)| number / factor));
            *steps += largest * largest / rows;
            *squares += sum / rows;
        }
        for (square, number) in squares_of_channels.iter_mut().zip(row) {
            *square += f64::from(*number) * f64::from(*number) / rows;
        }
    }
    let mut errors = [0.0; N];
    for matrix in &part.matrices {
        let mut weights = [(0.0, 0.0); N];
        let mut given = 0.0;
        each_row(model, matrix, width, |row| {
            for ((steps, squares), factors) in weights.iter_mut().zip(candidates) {
                let (largest, sum) = of_row(row.iter().zip(factors).map(|(number, factor)| number * factor));
                *steps += largest * largest;
                *squares += sum;
            }
            let squares = row.iter().zip(&squares_of_channels);
            given += squares.map(|(number, square)| f64::from(*number) * f64::from(*number) * square).sum::<f64>();
        })?;
        for (error, (activations, weights)) in errors.iter_mut().zip(activations.iter().zip(&weights)) {
            // A matrix that gives nothing has no error.
            *error += if given > 0.0 { (activations.0 * weights.1 + activations.1 * weights.0) / given } else { 0.0 };
        }
    }
    Ok(errors.map(f64::sqrt))
}

/// The largest magnitude, and the sum of squares.
fn of_row(numbers: impl Iterator<Item = f32>) -> (f64, f64) {
    numbers.fold((0.0, 0.0), |(largest, sum), number| {
        let number = f64::from(number);
        (number.abs().max(largest), sum + number * number)
    })
}

fn times(numbers: &[f32], factors: &[f32]) -> Vec<f32> {
    numbers.iter().zip(factors).map(|(number, factor)| number * factor).collect()
}

fn multiply(model: &mut ModelFile, name: &str, factors: &[f32]) {
    let Some(inner) = model.weights.get(name).map(|tensor| Box::new(tensor.encoding.clone())) else { return };
    model.weights.recode(name, Encoding::Multiplied(Multiplied { inner, factors: factors.to_vec() }), None);
}

fn median(magnitudes: &[f32]) -> f32 {
    let mut sorted = magnitudes.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The largest as a multiple of the median.
fn unevenness(magnitudes: &[f32]) -> f32 {
    let median = median(magnitudes);
    let largest = magnitudes.iter().copied().fold(0.0, f32::max);
    if median > 0.0 { largest / median } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_powers_of_two() {
        assert_eq!([factor(2.0), factor(1.4), factor(-0.6), factor(99.0)], [4.0, 2.0, 0.5, 256.0]);
        // The logarithm of nothing, and its difference with another.
        assert_eq!([factor(f32::NEG_INFINITY), factor(f32::NAN)], [1.0, 1.0]);
    }

    #[test]
    fn unevenness_is_largest_to_median() {
        assert_eq!(unevenness(&[1.0, 8.0, 2.0]), 4.0);
        assert_eq!(unevenness(&[0.0, 0.0, 2.0]), 0.0);
        assert_eq!(unevenness(&[]), 0.0);
    }
}
