//! The encoder: log-mel in, what was heard out.

use std::time::Instant;

use amanuensis_kernels::{Epilogue, PackedMatrix, Precision, Region, StoredMatrix};

use super::layers::{FeedForward, Norm, SelfAttention, held, vector};
use super::precisions::Precisions;
use super::workspace::Workspace;
use crate::backend::{BackendError, Stage, Work};
use crate::mel::Mel;
use crate::model::{CONVOLUTION_WINDOW as TAPS, Dims, ModelError, Weights};

/// The encoder's weights.
pub(super) struct Encoder {
    width: usize,
    heads: usize,
    head_width: usize,
    /// Of the attention.
    precision: Precision,
    stem: [PackedMatrix; 2],
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

struct Layer {
    attention: SelfAttention,
    feed_forward: FeedForward,
}

impl Encoder {
    pub(super) fn load(
        region: &mut Region<'_>,
        dims: &Dims,
        weights: &Weights,
        precisions: Precisions,
    ) -> Result<Self, ModelError> {
        let width = dims.audio_width;
        let layer = |region: &mut Region<'_>, index: usize| -> Result<Layer, ModelError> {
            let name = format!("encoder.layers.{index}");
            Ok(Layer {
                attention: SelfAttention::load(region, precisions.encoder, weights, &name, width)?,
                feed_forward: FeedForward::load(
                    region,
                    precisions.encoder,
                    weights,
                    &name,
                    width,
                    dims.audio_feed_forward,
                )?,
            })
        };
        Ok(Encoder {
            width,
            heads: dims.audio_heads,
            head_width: dims.audio_head_width(),
            precision: precisions.attention,
            stem: [
                convolution(region, precisions.stem, weights, "encoder.conv1", width, dims.mel_bins)?,
                convolution(region, precisions.stem, weights, "encoder.conv2", width, width)?,
            ],
            positions: weights.tensor("encoder.embed_positions.weight", &[dims.audio_context, width])?.to_f32(),
            layers: (0..dims.audio_layers).map(|index| layer(region, index)).collect::<Result<_, _>>()?,
            norm: Norm::load(weights, "encoder.layer_norm", width)?,
        })
    }

    /// Bytes that the weights take.
    pub(super) fn bytes(&self) -> usize {
        let layer = |layer: &Layer| layer.attention.bytes() + layer.feed_forward.bytes();
        let stem: usize = self.stem.iter().map(PackedMatrix::bytes).sum();
        let layers: usize = self.layers.iter().map(layer).sum();
        stem + size_of_val(self.positions.as_slice()) + layers + self.norm.bytes()
    }

    /// Encodes one window into `out`, `[positions][width]`: one position for every two frames.
    pub(super) fn run(
        &self,
        region: &mut Region<'_>,
        workspace: &mut Workspace,
        mel: &Mel,
        out: &mut [f32],
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        let (width, context) = (self.width, mel.frames / 2);
        let mut since = Instant::now();

        // Both convolutions look one frame ahead and back, so both inputs have a row of zeros at each end.
        let Workspace { padded, once, x, .. } = workspace;
        let padded = padded.ensure((mel.frames + 2) * mel.bins);
        padded[mel.bins..][..mel.values.len()].copy_from_slice(&mel.values);
        clear_ends(padded, mel.bins);
        let once = once.ensure((mel.frames + 2) * width);
        region.convolution(padded, &self.stem[0], 1, None, &mut once[width..][..mel.frames * width]);
        clear_ends(once, width);
        let x = x.ensure(context * width);
        region.convolution(once, &self.stem[1], 2, Some(&self.positions[..context * width]), x);
        work.receipt.lap(Stage::Stem, &mut since);
        work.show(Stage::Stem, x);

        let attended = &mut once[..context * width];
        for (index, layer) in self.layers.iter().enumerate() {
            work.proceed()?;
            let SelfAttention { norm, queries_keys_values, out } = &layer.attention;
            let (heads, head_width) = (self.heads, self.head_width);
            region.attend(self.precision, x, norm.first(), queries_keys_values, heads, head_width, attended);
            region.linear(attended, None, out, Epilogue::Add, x);
            work.receipt.lap(Stage::EncoderAttention(index), &mut since);
            work.show(Stage::EncoderAttention(index), x);

            layer.feed_forward.apply(region, x);
            work.receipt.lap(Stage::EncoderFeedForward(index), &mut since);
            work.show(Stage::EncoderFeedForward(index), x);
        }
        self.norm.apply(region, x, out);
        work.receipt.lap(Stage::EncoderNorm, &mut since);
        Ok(())
    }
}

/// Zeros in the first and the last row.
fn clear_ends(rows: &mut [f32], width: usize) {
    let end = rows.len() - width;
    rows[..width].fill(0.0);
    rows[end..].fill(0.0);
}

/// A convolution over time as a matrix of `[outputs][tap][channel]`, to be laid over neighbouring frames.
fn convolution(
    region: &mut Region<'_>,
    precision: Precision,
    weights: &Weights,
    name: &str,
    outputs: usize,
    channels: usize,
) -> Result<PackedMatrix, ModelError> {
    let tensor = format!("{name}.weight");
    let stored = weights.tensor(&tensor, &[outputs, channels, TAPS])?.stored();
    let bias = vector(weights, &format!("{name}.bias"), outputs)?;
    let matrix = StoredMatrix::of(vec![stored]).with_taps(TAPS);
    let matrix = region.pack(precision, matrix, outputs, TAPS * channels, Some(&bias));
    held(matrix.overflowed(), weights, &[tensor])?;
    Ok(matrix)
}
