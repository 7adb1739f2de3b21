//! Weights in fewer bits: which tensors become what, and how.

mod activations;
pub(super) mod encode;
mod smoothing;

use super::write::{Order, Type, is_matrix};
use super::{Dtype, Encoding, Tensor};
pub use activations::Activations;
pub use smoothing::{Smoothed, SmoothedPart, smooth};

/// Numbers that share a scale where there are four bits for each.
pub(super) const GROUP: usize = 32;

/// What shares a scale where the numbers are bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Granularity {
    /// Every output, which is a row of the matrix.
    #[default]
    Output,
    /// The whole tensor.
    Tensor,
}

/// What a tensor becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Numbers without a scale.
    Plain(Dtype),
    /// Bytes with a scale for every output.
    Outputs,
    /// Bytes with one scale.
    Whole,
    /// Four bits with a scale for every [`GROUP`] numbers of an output.
    Groups,
}

impl Target {
    /// What a tensor of a model becomes: see [`Target::of`]. Where numbers of 16 bits are asked for, what is of this kind
    /// already stays so.
    pub(super) fn of_tensor(order: &Order, tensor: &Tensor<'_>) -> Target {
        match (order.kind, tensor.encoding) {
            (Type::F16, Encoding::Plain(Dtype::F16)) => Target::Plain(Dtype::F16),
            (Type::Bf16, Encoding::Plain(Dtype::BF16)) => Target::Plain(Dtype::BF16),
            _ => Target::of(order, tensor.name, tensor.shape),
        }
    }

    /// What a tensor of this name and shape becomes: matrices and convolutions what was asked for, unless they are kept;
    /// positions, normalisations and biases f32.
    pub(super) fn of(order: &Order, name: &str, shape: &[usize]) -> Target {
        if !is_matrix(name, shape) {
            return Target::Plain(Dtype::F32);
        }
        if order.keep.contains(name) && order.kind != Type::F32 {
            return Target::Plain(Dtype::F16);
        }
        let inputs: usize = shape.iter().skip(1).product();
        match order.kind {
            Type::F16 => Target::Plain(Dtype::F16),
            Type::Bf16 => Target::Plain(Dtype::BF16),
            Type::Int8 if order.granularity == Granularity::Tensor => Target::Whole,
            Type::Int8 => Target::Outputs,
            Type::Int4 if inputs.is_multiple_of(GROUP) => Target::Groups,
            // A group does not go from one output to the next.
            Type::Int4 => Target::Outputs,
            _ => Target::Plain(Dtype::F32),
        }
    }

    /// The kind of numbers that are stored, and the shape they are stored in.
    pub(super) fn stored(self, shape: &[usize]) -> (Dtype, Vec<usize>) {
        match self {
            Target::Plain(dtype) => (dtype, shape.to_vec()),
            Target::Outputs | Target::Whole => (Dtype::I8, shape.to_vec()),
            Target::Groups => {
                let outputs = shape.first().copied().unwrap_or(1);
                (Dtype::U8, vec![outputs, shape.iter().skip(1).product::<usize>() / 2])
            }
        }
    }

    /// The shape of the scales, if there are any.
    pub(super) fn scales(self, shape: &[usize]) -> Option<Vec<usize>> {
        let outputs = shape.first().copied().unwrap_or(1);
        match self {
            Target::Plain(_) => None,
            Target::Outputs => Some(vec![outputs]),
            Target::Whole => Some(vec![1]),
            Target::Groups => Some(vec![outputs, shape.iter().skip(1).product::<usize>() / GROUP]),
        }
    }
}
