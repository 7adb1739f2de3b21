//! Layers of which the product is somebody else's, and the rest the CPU's.

use amanuensis::backend::{BackendError, Work};
use amanuensis::model::{CONVOLUTION_WINDOW as TAPS, ModelError, Weights};
use amanuensis_kernels::Team;

use super::multiplier::Linear;
use super::products::{Matrix, ProductError, Products};
use crate::driver::{Generation, Origin, Receipt};

/// Numbers of a block of work for a thread: a few microseconds.
const BLOCK: usize = 16 << 10;

/// Why windows were not encoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// Whoever multiplies failed: somebody else can do it.
    #[error(transparent)]
    Device(#[from] ProductError),
    /// What came back is not what a model's layers make.
    #[error("{0}")]
    Results(String),
    /// The work is over, or could not be done by anybody.
    #[error(transparent)]
    Work(#[from] BackendError),
    /// The model's files are at fault.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Who did what receipts are for, as the engine's receipts name it.
pub(super) fn device_of(origin: Origin) -> &'static str {
    match origin {
        Origin::Hardware(Generation::Xdna1) => "npu (amdxdna 1502)",
        Origin::Hardware(Generation::Xdna2) => "npu (amdxdna 17f0)",
        Origin::Emulated => "npu-emulated",
    }
}

/// Gain and bias of a layer norm.
pub(super) struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    pub(super) fn load(weights: &Weights, name: &str, width: usize) -> Result<Self, ModelError> {
        let vector = |part| Ok::<_, ModelError>(weights.tensor(&format!("{name}.{part}"), &[width])?.to_f32());
        Ok(Self { gain: vector("weight")?, bias: vector("bias")? })
    }

    pub(super) fn apply(&self, team: &mut Team, input: &[f32], out: &mut [f32]) {
        team.enter(|region| region.layer_norm(input, &self.gain, &self.bias, out));
    }
}

/// A matrix on the device and what is added to its results here.
pub(super) struct Affine {
    linear: Linear,
    bias: Vec<f32>,
}

impl Affine {
    /// One or several projections of the same input, their outputs side by side. One without a bias in the file (Whisper's keys)
    /// gets zeros.
    pub(super) fn load(
        products: &mut dyn Products,
        weights: &Weights,
        names: &[String],
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self, Stop> {
        let (mut values, mut bias) = (Vec::with_capacity(names.len() * outputs * inputs), Vec::new());
        for name in names {
            values.extend(weights.tensor(&format!("{name}.weight"), &[outputs, inputs])?.to_f32());
            let own = format!("{name}.bias");
            match weights.get(&own) {
                Some(_) => bias.extend(weights.tensor(&own, &[outputs])?.to_f32()),
                None => bias.resize(bias.len() + outputs, 0.0),
            }
        }
        let matrix = Matrix { outputs: bias.len(), inputs, weights: &values };
        Ok(Self { linear: products.prepare(matrix)?, bias })
    }

    /// A convolution over time, as a matrix for rows of neighbouring frames: `[outputs][channel][tap]` in files,
    /// `[outputs][tap][channel]` here.
    pub(super) fn convolution(
        products: &mut dyn Products,
        weights: &Weights,
        name: &str,
        [outputs, channels]: [usize; 2],
    ) -> Result<Self, Stop> {
        let stored = weights.tensor(&format!("{name}.weight"), &[outputs, channels, TAPS])?.to_f32();
        let bias = weights.tensor(&format!("{name}.bias"), &[outputs])?.to_f32();
        let mut values = Vec::with_capacity(stored.len());
        for output in stored.chunks_exact(channels * TAPS) {
            values.extend((0..TAPS).flat_map(|tap| output.iter().skip(tap).step_by(TAPS)));
        }
        let matrix = Matrix { outputs, inputs: TAPS * channels, weights: &values };
        Ok(Self { linear: products.prepare(matrix)?, bias })
    }

    pub(super) fn run(
        &self,
        products: &mut dyn Products,
        rows: &[f32],
        out: &mut Vec<f32>,
        work: &mut Work<'_>,
    ) -> Result<(), Stop> {
        out.resize(rows.len() / self.linear.inputs() * self.bias.len(), 0.0);
        let receipt: Receipt = products.run(&self.linear, rows, out)?;
        work.receipt.did(device_of(receipt.origin()), receipt.operations());
        Ok(())
    }

    /// Adds the bias, and takes GELU where it is wanted.
    pub(super) fn finish(&self, team: &mut Team, numbers: &mut [f32], gelu: bool) {
        let width = self.bias.len();
        team.enter(|region| {
            let kernels = region.kernels();
            region.rows(numbers, width, (BLOCK / width).max(1), |_, rows| {
                for row in rows.chunks_exact_mut(width) {
                    row.iter_mut().zip(&self.bias).for_each(|(number, bias)| *number += bias);
                }
                if gelu {
                    kernels.gelu(rows);
                }
            });
        });
    }

    /// Adds the bias and results to what came in.
    pub(super) fn add(&self, team: &mut Team, results: &[f32], x: &mut [f32]) {
        let width = self.bias.len();
        team.enter(|region| {
            region.rows(x, width, (BLOCK / width).max(1), |first, rows| {
                let results = results[first * width..].chunks_exact(width);
                for (row, results) in rows.chunks_exact_mut(width).zip(results) {
                    let sums = results.iter().zip(&self.bias).map(|(result, bias)| result + bias);
                    row.iter_mut().zip(sums).for_each(|(number, sum)| *number += sum);
                }
            });
        });
    }
}
