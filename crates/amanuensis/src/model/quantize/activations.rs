//! What the normalisations of an encoder give while it hears something.

use crate::model::{Dims, ModelError, ModelFile};

/// What the normalisations of the model add to the variance.
const EPSILON: f64 = 1e-5;

/// Rows that are kept of each normalisation, to try on them what smoothing would do.
const SAMPLES: usize = 128;

/// The rows that the encoder's normalisations were seen to give.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    /// Before attention and before the feed-forward part, in turn, layer by layer.
    pub(super) parts: Vec<Part>,
}

/// A normalisation, and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) norm: String,
    /// Names and outputs of the matrices.
    pub(super) matrices: Vec<(String, usize)>,
    gain: Vec<f32>,
    bias: Vec<f32>,
    /// The largest magnitude of every channel.
    pub(super) largest: Vec<f32>,
    /// Some of the rows, evenly spread over all that were seen.
    pub(super) samples: Vec<f32>,
    seen: usize,
    every: usize,
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
        if let Some(part) = self.parts.get_mut(part) {
            let width = part.gain.len().max(1);
            rows.chunks_exact(width).for_each(|row| part.see(row));
        }
    }
}

impl Part {
    fn read(model: &ModelFile, norm: String, matrices: Vec<(String, usize)>) -> Result<Self, ModelError> {
        let width = model.dims.audio_width;
        let vector = |part: &str| -> Result<Vec<f32>, ModelError> {
            Ok(model.weights.tensor(&format!("{norm}.{part}"), &[width])?.to_f32())
        };
        let (gain, bias) = (vector("weight")?, vector("bias")?);
        Ok(Self { norm, matrices, gain, bias, largest: vec![0.0; width], samples: Vec::new(), seen: 0, every: 1 })
    }

    /// Sees a row before its normalisation.
    fn see(&mut self, row: &[f32]) {
        let width = row.len();
        let mean = row.iter().map(|number| f64::from(*number)).sum::<f64>() / width as f64;
        let variance = row.iter().map(|number| (f64::from(*number) - mean).powi(2)).sum::<f64>() / width as f64;
        let inverse = 1.0 / (variance + EPSILON).sqrt();
        let keep = self.seen.is_multiple_of(self.every);
        for (channel, number) in row.iter().enumerate() {
            let (gain, bias) = (f64::from(self.gain[channel]), f64::from(self.bias[channel]));
            let normed = ((f64::from(*number) - mean) * inverse * gain + bias) as f32;
            self.largest[channel] = self.largest[channel].max(normed.abs());
            if keep {
                self.samples.push(normed);
            }
        }
        self.seen += 1;
        if self.samples.len() > SAMPLES * width {
            // Every other row goes, and from here on half as many come.
            self.every *= 2;
            let kept = self.samples.chunks_exact(width).step_by(2).flatten().copied().collect();
            self.samples = kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stay_few_and_even() {
        let mut part = Part {
            norm: String::new(),
            matrices: Vec::new(),
            gain: vec![1.0, 2.0],
            bias: vec![0.0, 1.0],
            largest: vec![0.0; 2],
            samples: Vec::new(),
            seen: 0,
            every: 1,
        };
        for row in 0..5000 {
            part.see(&[row as f32, row as f32 + 2.0]);
        }
        let rows = part.samples.len() / 2;
        assert!((SAMPLES / 2..=SAMPLES).contains(&rows) && part.every == 64, "{rows} of every {}", part.every);
        // Two numbers are normed to -1 and 1; the second is doubled, and one added.
        assert!((part.largest[0] - 1.0).abs() < 1e-4 && (part.largest[1] - 3.0).abs() < 1e-4, "{:?}", part.largest);
        assert_eq!(part.samples.chunks_exact(2).filter(|row| row[0] < 0.0 && row[1] > 2.9).count(), rows);
    }
}
