//! Smoothing: what a few channels of the activations are too large for is moved into the weights.
//!
//! A row of activations shares one scale where it becomes bytes, so a channel that is much larger than the others costs
//! them their precision. Between a normalisation and the matrices that follow it a factor for each channel can go either
//! way: gain and bias divided by it, the columns multiplied with it, and the product is the same. The factors are powers
//! of two, with which f32 loses nothing, so the model computes the same numbers to the last bit in f32.

use std::convert::Infallible;

use serde::Serialize;

use super::encode::for_blocks;
use crate::model::numbers::Multiplied;
use crate::model::{Dims, Encoding, ModelError, ModelFile};

/// What the normalisations of the model add to the variance.
const EPSILON: f64 = 1e-5;

/// The widest range of factors, as exponents of two: beyond it the numbers of f16 would end.
const EXPONENTS: f32 = 8.0;

/// The largest magnitude of every channel that the encoder's normalisations were seen to give.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    /// Before attention and before the feed-forward part, in turn, layer by layer.
    parts: Vec<Part>,
}

/// A normalisation and what follows it.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    norm: String,
    matrices: Vec<(String, usize)>,
    gain: Vec<f32>,
    bias: Vec<f32>,
    largest: Vec<f32>,
}

impl Part {
    fn read(model: &ModelFile, norm: String, matrices: Vec<(String, usize)>) -> Result<Self, ModelError> {
        let width = model.dims.audio_width;
        let vector =
            |name: &str| Ok::<_, ModelError>(model.weights.tensor(&format!("{norm}.{name}"), &[width])?.to_f32());
        let (gain, bias) = (vector("weight")?, vector("bias")?);
        Ok(Self { norm, matrices, gain, bias, largest: vec![0.0; width] })
    }
}

/// The normalisations of the encoder's layers, and the matrices behind each with their outputs.
fn parts_of(dims: &Dims) -> Vec<(String, Vec<(String, usize)>)> {
    let mut parts = Vec::new();
    for layer in 0..dims.audio_layers {
        let layer = format!("encoder.layers.{layer}");
        let projections =
            ["q", "k", "v"].map(|part| (format!("{layer}.self_attn.{part}_proj.weight"), dims.audio_width));
        parts.push((format!("{layer}.self_attn_layer_norm"), projections.to_vec()));
        let up = vec![(format!("{layer}.fc1.weight"), dims.audio_feed_forward)];
        parts.push((format!("{layer}.final_layer_norm"), up));
    }
    parts
}

impl Activations {
    /// Nothing seen yet.
    pub fn new(model: &ModelFile) -> Result<Self, ModelError> {
        let read = |(norm, matrices)| Part::read(model, norm, matrices);
        Ok(Self { parts: parts_of(&model.dims).into_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// Sees rows of what goes into the attention of an encoder layer, before its normalisation.
    pub fn see_attention(&mut self, layer: usize, rows: &[f32]) {
        self.see(2 * layer, rows);
    }

    /// Sees rows of what goes into the feed-forward part of an encoder layer, before its normalisation.
    pub fn see_feed_forward(&mut self, layer: usize, rows: &[f32]) {
        self.see(2 * layer + 1, rows);
    }

    /// Rows of a layer that the model does not have, as behind the last one, are nobody's.
    fn see(&mut self, part: usize, rows: &[f32]) {
        let Some(Part { gain, bias, largest, .. }) = self.parts.get_mut(part) else { return };
        for row in rows.chunks_exact(gain.len().max(1)) {
            let count = row.len() as f64;
            let mean = row.iter().map(|number| f64::from(*number)).sum::<f64>() / count;
            let variance = row.iter().map(|number| (f64::from(*number) - mean).powi(2)).sum::<f64>() / count;
            let inverse = 1.0 / (variance + EPSILON).sqrt();
            for (((number, gain), bias), largest) in row.iter().zip(&*gain).zip(&*bias).zip(&mut *largest) {
                let normed = (f64::from(*number) - mean) * inverse * f64::from(*gain) + f64::from(*bias);
                *largest = largest.max(normed.abs() as f32);
            }
        }
    }
}

/// What smoothing changed.
#[derive(Debug, Clone, Serialize)]
pub struct Smoothed {
    /// The share of the activations' unevenness that went into the weights: 0 leaves all, 1 takes all.
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
    for Part { norm, matrices, largest, .. } in &activations.parts {
        let width = largest.len();
        let mut inputs = vec![0.0_f32; width];
        for (name, outputs) in matrices {
            let tensor = model.weights.tensor(name, &[*outputs, width])?;
            let Ok(()) = for_blocks::<Infallible>(&tensor, &mut |numbers| {
                for row in numbers.chunks_exact(width) {
                    row.iter().zip(&mut inputs).for_each(|(number, input)| *input = input.max(number.abs()));
                }
                Ok(())
            });
        }
        let factors: Vec<f32> =
            largest.iter().zip(&inputs).map(|(largest, input)| factor(*largest, *input, strength)).collect();
        let inverse: Vec<f32> = factors.iter().map(|factor| factor.recip()).collect();
        let times = |numbers: &[f32], factors: &[f32]| -> Vec<f32> {
            numbers.iter().zip(factors).map(|(number, factor)| number * factor).collect()
        };
        smoothed.parts.push(SmoothedPart {
            norm: norm.clone(),
            activations_before: unevenness(largest.clone()),
            activations_after: unevenness(times(largest, &inverse)),
            weights_before: unevenness(inputs.clone()),
            weights_after: unevenness(times(&inputs, &factors)),
            changed: factors.iter().filter(|factor| **factor != 1.0).count(),
        });
        for part in ["weight", "bias"] {
            multiply(&mut model, &format!("{norm}.{part}"), &inverse);
        }
        for (name, _) in matrices {
            multiply(&mut model, name, &factors);
        }
    }
    Ok((model, smoothed))
}

/// What a channel of the activations is divided by: the power of two nearest to `activation^strength /
/// weight^(1 - strength)`. A channel that is nothing on either side stays as it is.
fn factor(activation: f32, weight: f32, strength: f32) -> f32 {
    let exponent = strength * activation.log2() - (1.0 - strength) * weight.log2();
    if exponent.is_finite() { exponent.round().clamp(-EXPONENTS, EXPONENTS).exp2() } else { 1.0 }
}

fn multiply(model: &mut ModelFile, name: &str, factors: &[f32]) {
    let Some(inner) = model.weights.get(name).map(|tensor| Box::new(tensor.encoding.clone())) else { return };
    model.weights.recode(name, Encoding::Multiplied(Multiplied { inner, factors: factors.to_vec() }), None);
}

/// The largest as a multiple of the median.
fn unevenness(mut magnitudes: Vec<f32>) -> f32 {
    magnitudes.sort_by(f32::total_cmp);
    let median = magnitudes.get(magnitudes.len() / 2).copied().unwrap_or_default();
    let largest = magnitudes.last().copied().unwrap_or_default();
    if median > 0.0 { largest / median } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_powers_of_two_between_both_sides() {
        assert_eq!(factor(16.0, 1.0, 0.5), 4.0);
        assert_eq!(factor(16.0, 1.0, 1.0), 16.0);
        assert_eq!(factor(16.0, 0.25, 0.5), 8.0);
        assert_eq!(factor(16.0, 4.0, 0.0), 0.25);
        assert_eq!(factor(3.0, 1.0, 1.0), 4.0);
        assert_eq!(factor(1e30, 1e-30, 0.5), 256.0);
        for nothing in [factor(0.0, 1.0, 0.5), factor(1.0, 0.0, 0.5), factor(f32::INFINITY, 1.0, 0.5)] {
            assert_eq!(nothing, 1.0);
        }
    }

    #[test]
    fn unevenness_is_largest_to_median() {
        assert_eq!(unevenness(vec![1.0, 8.0, 2.0]), 4.0);
        assert_eq!(unevenness(vec![0.0, 0.0, 2.0]), 0.0);
        assert_eq!(unevenness(vec![]), 0.0);
    }
}
