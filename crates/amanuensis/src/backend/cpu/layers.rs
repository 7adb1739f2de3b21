//! The parts that encoder and decoder layers are made of, with their weights packed.

use amanuensis_kernels::{self as kernels, PackedMatrix, Precision, Region, SlicedMatrix, StoredMatrix};

use crate::model::{ModelError, Weights};

/// What f16 rounds to infinity, and all beyond.
const F16_OVERFLOWS: f32 = 65520.0;

/// Gain and bias of a layer norm.
pub(super) struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    pub(super) fn load(weights: &Weights, name: &str, width: usize) -> Result<Self, ModelError> {
        Ok(Norm {
            gain: vector(weights, &format!("{name}.weight"), width)?,
            bias: vector(weights, &format!("{name}.bias"), width)?,
        })
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.gain.as_slice()) + size_of_val(self.bias.as_slice())
    }

    pub(super) fn apply(&self, region: &mut Region<'_>, input: &[f32], out: &mut [f32]) {
        region.layer_norm(input, &self.gain, &self.bias, out);
    }

    /// The norm as the first step of a product.
    pub(super) fn first(&self) -> Option<kernels::Norm<'_>> {
        Some(kernels::Norm { gain: &self.gain, bias: &self.bias })
    }
}

/// The weights of a layer's attention to itself: norm, queries, keys and values side by side, and the way back.
pub(super) struct SelfAttention {
    pub(super) norm: Norm,
    pub(super) queries_keys_values: PackedMatrix,
    pub(super) out: PackedMatrix,
}

impl SelfAttention {
    pub(super) fn bytes(&self) -> usize {
        self.norm.bytes() + self.queries_keys_values.bytes() + self.out.bytes()
    }

    pub(super) fn load(
        region: &mut Region<'_>,
        precision: Precision,
        weights: &Weights,
        layer: &str,
        width: usize,
    ) -> Result<Self, ModelError> {
        let part = |part: &str| format!("{layer}.self_attn.{part}_proj");
        Ok(SelfAttention {
            norm: Norm::load(weights, &format!("{layer}.self_attn_layer_norm"), width)?,
            queries_keys_values: linear(
                region,
                precision,
                weights,
                &[&part("q"), &part("k"), &part("v")],
                width,
                width,
            )?,
            out: linear(region, precision, weights, &[&part("out")], width, width)?,
        })
    }
}

/// The feed-forward half of a layer: norm, up, GELU, down, added to what came in.
pub(super) struct FeedForward {
    norm: Norm,
    up: PackedMatrix,
    down: SlicedMatrix,
}

impl FeedForward {
    pub(super) fn bytes(&self) -> usize {
        self.norm.bytes() + self.up.bytes() + self.down.bytes()
    }

    pub(super) fn load(
        region: &mut Region<'_>,
        precision: Precision,
        weights: &Weights,
        layer: &str,
        width: usize,
        inner: usize,
    ) -> Result<Self, ModelError> {
        let up = linear(region, precision, weights, &[&format!("{layer}.fc1")], inner, width)?;
        let Projections { tensors, matrix, bias } = Projections::of(weights, &[&format!("{layer}.fc2")], width, inner)?;
        let down = region.pack_slices(precision, matrix, width, inner, Some(&bias));
        held(down.overflowed(), weights, &tensors)?;
        Ok(FeedForward { norm: Norm::load(weights, &format!("{layer}.final_layer_norm"), width)?, up, down })
    }

    /// Adds to `x` what this half of the layer makes of it.
    pub(super) fn apply(&self, region: &mut Region<'_>, x: &mut [f32]) {
        let norm = kernels::Norm { gain: &self.norm.gain, bias: &self.norm.bias };
        region.feed_forward(x, norm, &self.up, &self.down);
    }
}

/// A tensor of one dimension.
pub(super) fn vector(weights: &Weights, name: &str, width: usize) -> Result<Vec<f32>, ModelError> {
    Ok(weights.tensor(name, &[width])?.to_f32())
}

/// Several projections of the same input, their outputs side by side.
struct Projections<'a> {
    tensors: Vec<String>,
    matrix: StoredMatrix<'a>,
    bias: Vec<f32>,
}

impl<'a> Projections<'a> {
    /// Those of these names. One without a bias in the file (Whisper's keys) gets one of zeros.
    fn of(weights: &'a Weights, names: &[&str], outputs: usize, inputs: usize) -> Result<Self, ModelError> {
        let tensors: Vec<String> = names.iter().map(|name| format!("{name}.weight")).collect();
        let mut parts = Vec::with_capacity(names.len());
        let mut bias = vec![0.0; names.len() * outputs];
        for ((name, tensor), bias) in names.iter().zip(&tensors).zip(bias.chunks_exact_mut(outputs)) {
            parts.push(weights.tensor(tensor, &[outputs, inputs])?.stored());
            let bias_name = format!("{name}.bias");
            if weights.get(&bias_name).is_some() {
                weights.tensor(&bias_name, &[outputs])?.stored().read(0, bias);
            }
        }
        Ok(Projections { tensors, matrix: StoredMatrix::of(parts), bias })
    }
}

/// One packed matrix of several projections of the same input.
pub(super) fn linear(
    region: &mut Region<'_>,
    precision: Precision,
    weights: &Weights,
    names: &[&str],
    outputs: usize,
    inputs: usize,
) -> Result<PackedMatrix, ModelError> {
    let Projections { tensors, matrix, bias } = Projections::of(weights, names, outputs, inputs)?;
    let matrix = region.pack(precision, matrix, bias.len(), inputs, Some(&bias));
    held(matrix.overflowed(), weights, &tensors)?;
    Ok(matrix)
}

/// That the precision had numbers for the weights of a matrix that was packed of these tensors.
pub(super) fn held(overflowed: bool, weights: &Weights, tensors: &[String]) -> Result<(), ModelError> {
    if !overflowed {
        return Ok(());
    }
    let overflows = |tensor: &&String| {
        weights.get(tensor).is_some_and(|tensor| tensor.to_f32().iter().any(|weight| weight.abs() >= F16_OVERFLOWS))
    };
    let tensor = tensors.iter().find(overflows).unwrap_or(&tensors[0]);
    Err(ModelError::Overflow { file: weights.file_of(tensor).to_owned(), tensor: tensor.clone() })
}
