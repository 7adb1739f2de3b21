//! What of its device's roofs a model's work reaches. Only where weights and what was heard are halves, as on GPUs.

use amanuensis::model::Dims;
use amanuensis_cuda::backend;
use serde::Serialize;

use super::work::POSITIONS;
use crate::args::Measure;

/// Bytes of a number, of weights as of keys and values.
const BYTES: usize = 2;

/// What a device reached, measured in the same run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Roofs {
    /// Multiplications and additions a second, in the product of two squares of halves.
    pub(super) operations_per_second: f64,
    /// Rows and columns of the squares.
    pub(super) side: usize,
    /// Bytes read and bytes written a second, together, in a copy within the device's memory.
    pub(super) bytes_per_second: f64,
    /// Bytes that were copied.
    pub(super) copied: usize,
}

impl From<backend::Roofs> for Roofs {
    fn from(roofs: backend::Roofs) -> Self {
        let backend::Roofs { operations_per_second, side, bytes_per_second, copied } = roofs;
        Roofs { operations_per_second, side, bytes_per_second, copied }
    }
}

impl Roofs {
    /// The part of its roof that a piece of work reaches which takes so long; none of work that has no single roof.
    pub(super) fn share(&self, measure: Measure, dims: &Dims, seconds: f64) -> Option<f64> {
        let least = match need(measure, dims)? {
            Need::Operations(operations) => operations / self.operations_per_second,
            Need::Bytes(bytes) => bytes / self.bytes_per_second,
        };
        Some(least / seconds).filter(|share| share.is_finite())
    }

    pub(super) fn text(&self) -> String {
        let Roofs { operations_per_second, side, bytes_per_second, copied } = self;
        format!(
            "roofs: {:.1} T operations a second (product of {side} x {side}, f16), {:.2} TB/s read and written (copy of {} MiB)",
            operations_per_second / 1e12,
            bytes_per_second / 1e12,
            copied >> 20
        )
    }
}

/// What bounds a piece of work.
enum Need {
    Operations(f64),
    Bytes(f64),
}

fn need(measure: Measure, dims: &Dims) -> Option<Need> {
    let encoder = || dims.encoder_operations(dims.audio_context).iter().sum::<u64>() as f64;
    Some(match measure {
        Measure::Encoder => Need::Operations(encoder()),
        Measure::EncoderBatch16 => Need::Operations(16.0 * encoder()),
        Measure::CrossKeysValues => Need::Operations(dims.cross_operations(dims.audio_context) as f64),
        Measure::DecodeStep | Measure::GreedyStep => Need::Bytes(step_bytes(dims, 1)),
        Measure::DecodeStepBatch4 => Need::Bytes(step_bytes(dims, 4)),
        Measure::DecodeStepBatch8 | Measure::GreedyStepBatch8 => Need::Bytes(step_bytes(dims, 8)),
        Measure::GreedyStepBatch64 => Need::Bytes(step_bytes(dims, 64)),
        Measure::GreedyStepBatch256 => Need::Bytes(step_bytes(dims, 256)),
        Measure::Load | Measure::Mel | Measure::FirstToken | Measure::Window | Measure::WindowBeam5 | Measure::Long => {
            return None;
        }
    })
}

/// The bytes that a step has to read: the weights once, and for each lane what it heard and what it remembers.
fn step_bytes(dims: &Dims, lanes: usize) -> f64 {
    let keys_and_values = |positions: usize| dims.text_layers * 2 * dims.text_width * positions;
    let of_lane = keys_and_values(dims.audio_context + POSITIONS);
    (BYTES * (step_weights(dims) + lanes * of_lane)) as f64
}

/// Weights that a step multiplies: those of the decoder but for rows of embeddings, of which it reads one a lane, and for what
/// makes keys and values of what was heard, once for each window.
fn step_weights(dims: &Dims) -> usize {
    let read = |name: &str| {
        name.starts_with("decoder.")
            && name != "decoder.embed_positions.weight"
            && !name.contains("encoder_attn.k_proj")
            && !name.contains("encoder_attn.v_proj")
    };
    let tensors = dims.tensors();
    tensors.iter().filter(|(name, _)| read(name)).map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const LARGE_V3: Dims = Dims {
        mel_bins: 128,
        audio_context: 1500,
        audio_width: 1280,
        audio_heads: 20,
        audio_layers: 32,
        audio_feed_forward: 5120,
        text_context: 448,
        text_width: 1280,
        text_heads: 20,
        text_layers: 32,
        text_feed_forward: 5120,
        vocabulary: 51866,
    };

    const ROOFS: Roofs = Roofs { operations_per_second: 1e15, side: 8192, bytes_per_second: 4e12, copied: 1 << 30 };

    #[test]
    fn bytes_of_a_step_are_those_of_the_manual() {
        // There biases and norms are left out.
        let near = |dims: &Dims, megabytes: f64| ((BYTES * step_weights(dims)) as f64 / 1e6 - megabytes).abs() < 2.0;
        assert!(near(&LARGE_V3, 1601.0) && near(&Dims { text_layers: 4, ..LARGE_V3 }, 316.0));
        let lane = step_bytes(&LARGE_V3, 2) - step_bytes(&LARGE_V3, 1);
        // Heard, and fifty positions that it remembers.
        assert_eq!((lane / 1e6).round(), (245.76 + 8.192_f64).round());
    }

    #[test]
    fn shares_are_of_the_roof_that_bounds_the_work() {
        // 1905.1 and 368.6 G operations.
        let share = |measure, seconds| ROOFS.share(measure, &LARGE_V3, seconds);
        assert!((share(Measure::Encoder, 0.0045474).unwrap() - 0.5).abs() < 1e-3);
        assert_eq!(share(Measure::EncoderBatch16, 0.16).map(|share| (share * 100.0).round()), Some(23.0));
        let step = step_bytes(&LARGE_V3, 64) / 4e12;
        assert!((share(Measure::GreedyStepBatch64, 2.0 * step).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(share(Measure::Long, 1.0), None);
        assert_eq!(share(Measure::Encoder, 0.0), None);
    }
}
