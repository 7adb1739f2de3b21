//! The encoder with its linear layers on whoever multiplies. Norms, attention, GELU and sums are the CPU's, and its team sleeps while
//! the device works.
//!
//! The windows of a call are one batch: their rows lie one behind the other and are multiplied together, so that a matrix is read once
//! for all of them. Attention and convolutions look within a window only.

use std::time::Instant;

use amanuensis::backend::{Stage, Work};
use amanuensis::mel::Mel;
use amanuensis::model::{CONVOLUTION_WINDOW as TAPS, Dims, Weights};
use amanuensis_kernels::{Precision, Team};

use super::layers::{Affine, Norm, Stop};
use super::products::Products;

struct Layer {
    attention_norm: Norm,
    queries_keys_values: Affine,
    out: Affine,
    feed_forward_norm: Norm,
    up: Affine,
    down: Affine,
}

/// An encoder whose matrices lie on a device.
pub(super) struct Encoder {
    dims: Dims,
    stem: [Affine; 2],
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

impl Encoder {
    pub(super) fn load(products: &mut dyn Products, dims: &Dims, weights: &Weights) -> Result<Self, Stop> {
        let (width, inner) = (dims.audio_width, dims.audio_feed_forward);
        let mut layers = Vec::with_capacity(dims.audio_layers);
        for index in 0..dims.audio_layers {
            let name = |part: &str| format!("encoder.layers.{index}.{part}");
            let projections = ["q", "k", "v"].map(|part| name(&format!("self_attn.{part}_proj")));
            layers.push(Layer {
                attention_norm: Norm::load(weights, &name("self_attn_layer_norm"), width)?,
                queries_keys_values: Affine::load(products, weights, &projections, [width, width])?,
                out: Affine::load(products, weights, &[name("self_attn.out_proj")], [width, width])?,
                feed_forward_norm: Norm::load(weights, &name("final_layer_norm"), width)?,
                up: Affine::load(products, weights, &[name("fc1")], [inner, width])?,
                down: Affine::load(products, weights, &[name("fc2")], [width, inner])?,
            });
        }
        Ok(Self {
            dims: *dims,
            stem: [
                Affine::convolution(products, weights, "encoder.conv1", [width, dims.mel_bins])?,
                Affine::convolution(products, weights, "encoder.conv2", [width, width])?,
            ],
            positions: weights.tensor("encoder.embed_positions.weight", &[dims.audio_context, width])?.to_f32(),
            layers,
            norm: Norm::load(weights, "encoder.layer_norm", width)?,
        })
    }

    /// Encodes windows, which are of this model: their values one behind the other, a position for every two frames. `cpu` is what the
    /// CPU is called in receipts.
    pub(super) fn run(
        &self,
        products: &mut dyn Products,
        team: &mut Team,
        windows: &[Mel],
        cpu: &str,
        work: &mut Work<'_>,
    ) -> Result<Vec<f32>, Stop> {
        let width = self.dims.audio_width;
        let lengths: Vec<usize> = windows.iter().map(|mel| mel.frames / 2 * width).collect();
        let mut since = Instant::now();

        work.proceed()?;
        let (mut rows, mut once, mut x) = (Vec::new(), Vec::new(), Vec::new());
        for mel in windows {
            neighbours(&mel.values, mel.bins, 1, &mut rows);
        }
        self.stem[0].run(products, &rows, &mut once, work)?;
        self.stem[0].finish(team, &mut once, true);
        rows.clear();
        for frames in parts(&once, lengths.iter().map(|length| 2 * length)) {
            neighbours(frames, width, 2, &mut rows);
        }
        self.stem[1].run(products, &rows, &mut x, work)?;
        self.stem[1].finish(team, &mut x, true);
        let mut rest = x.as_mut_slice();
        for length in &lengths {
            let (window, behind) = rest.split_at_mut(*length);
            window.iter_mut().zip(&self.positions).for_each(|(number, position)| *number += position);
            rest = behind;
        }
        work.receipt.lap(Stage::Stem, &mut since);
        parts(&x, lengths.iter().copied()).for_each(|window| work.show(Stage::Stem, window));

        let (mut normal, mut wide, mut narrow) = (vec![0.0; x.len()], Vec::new(), Vec::new());
        for (index, layer) in self.layers.iter().enumerate() {
            work.proceed()?;
            layer.attention_norm.apply(team, &x, &mut normal);
            layer.queries_keys_values.run(products, &normal, &mut wide, work)?;
            layer.queries_keys_values.finish(team, &mut wide, false);
            self.attend(team, &lengths, &wide, &mut normal);
            layer.out.run(products, &normal, &mut narrow, work)?;
            layer.out.add(team, &narrow, &mut x);
            work.receipt.lap(Stage::EncoderAttention(index), &mut since);
            parts(&x, lengths.iter().copied()).for_each(|window| work.show(Stage::EncoderAttention(index), window));

            layer.feed_forward_norm.apply(team, &x, &mut normal);
            layer.up.run(products, &normal, &mut wide, work)?;
            layer.up.finish(team, &mut wide, true);
            layer.down.run(products, &wide, &mut narrow, work)?;
            layer.down.add(team, &narrow, &mut x);
            work.receipt.lap(Stage::EncoderFeedForward(index), &mut since);
            parts(&x, lengths.iter().copied()).for_each(|window| work.show(Stage::EncoderFeedForward(index), window));
        }
        self.norm.apply(team, &x, &mut normal);
        work.receipt.lap(Stage::EncoderNorm, &mut since);
        let attention = windows.iter().map(|mel| self.dims.encoder_operations(mel.frames / 2)[1]).sum();
        work.receipt.did(cpu, attention);
        Ok(normal)
    }

    /// Attention of every window to itself.
    fn attend(&self, team: &mut Team, lengths: &[usize], wide: &[f32], out: &mut [f32]) {
        let (heads, size) = (self.dims.audio_heads, self.dims.audio_head_width());
        team.enter(|region| {
            let mut rest = out;
            let windows = parts(wide, lengths.iter().map(|length| 3 * length));
            for (window, length) in windows.zip(lengths) {
                let (out, behind) = std::mem::take(&mut rest).split_at_mut(*length);
                region.self_attention(Precision::F32, window, heads, size, out);
                rest = behind;
            }
        });
    }
}

/// Consecutive parts of a slice, which has room for all.
fn parts(numbers: &[f32], lengths: impl Iterator<Item = usize>) -> impl Iterator<Item = &[f32]> {
    let mut rest = numbers;
    lengths.map(move |length| {
        let (part, behind) = rest.split_at(length);
        rest = behind;
        part
    })
}

/// Appends a row for every `stride` frames: the frame before, itself, and the one behind; zeros where there is none.
fn neighbours(frames: &[f32], channels: usize, stride: usize, rows: &mut Vec<f32>) {
    let count = frames.len() / channels;
    rows.reserve(count.div_ceil(stride) * TAPS * channels);
    for centre in (0..count).step_by(stride) {
        for tap in 0..TAPS {
            match (centre + tap).checked_sub(1).filter(|frame| *frame < count) {
                Some(frame) => rows.extend_from_slice(&frames[frame * channels..][..channels]),
                None => rows.resize(rows.len() + channels, 0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_convolution_is_a_frame_between_its_neighbours() {
        let frames = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let mut rows = Vec::new();
        neighbours(&frames, 2, 1, &mut rows);
        assert_eq!(rows[..6], [0.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(rows[18..], [5.0, 6.0, 7.0, 8.0, 0.0, 0.0]);
        rows.clear();
        neighbours(&frames, 2, 2, &mut rows);
        assert_eq!(rows, [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    }
}
