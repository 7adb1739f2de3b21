//! Products of matrices, the bulk of the work.

use half::f16;

use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// Rows times the rows of a weight matrix: `out[row][column] = sum over k of input[row][k] * weights[column][k]`, and a bias for
/// each column. Multiplied in f16, summed in f32.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// `[rows][depth]`.
    pub input: View<f16>,
    /// `[columns][depth]`.
    pub weights: View<f16>,
    /// Where it goes.
    pub out: Output,
    /// Rows of input and output.
    pub rows: usize,
    /// Numbers of a row of output.
    pub columns: usize,
    /// Numbers of a row of input.
    pub depth: usize,
    /// Numbers from one row of output to the next, of which those behind the columns stay what they are.
    pub pitch: usize,
}

/// Where a product goes, `[rows][pitch]`, with biases of the same kind.
#[derive(Debug, Clone, Copy)]
pub enum Output {
    /// To the next operation.
    Half {
        /// The product.
        into: View<f16>,
        /// `[columns]`.
        bias: Option<View<f16>>,
    },
    /// To the residual stream or the host.
    Float {
        /// The product.
        into: View<f32>,
        /// `[columns]`.
        bias: Option<View<f32>>,
        /// Whether it is added to what is there.
        add: bool,
    },
}

impl Product {
    /// Multiplications and additions.
    pub fn operations(&self) -> u64 {
        2 * (self.rows * self.columns * self.depth) as u64
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let Self { rows, columns, depth, pitch, .. } = *self;
        let input = memory.get_f32(self.input.first(rows * depth))?;
        let weights = memory.get_f32(self.weights.first(columns * depth))?;
        let mut sums = vec![0.0_f32; rows * columns];
        for (input, sums) in input.chunks_exact(depth).zip(sums.chunks_exact_mut(columns)) {
            for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(depth)) {
                *sum = dot(input, weights);
            }
        }
        let bias = match self.out {
            Output::Half { bias, .. } => bias.map(|bias| memory.get_f32(bias)).transpose()?,
            Output::Float { bias, .. } => bias.map(|bias| memory.get(bias)).transpose()?,
        };
        if let Some(bias) = bias {
            sums.chunks_exact_mut(columns)
                .for_each(|row| row.iter_mut().zip(&bias).for_each(|(sum, bias)| *sum += bias));
        }
        for (row, sums) in sums.chunks_exact_mut(columns).enumerate() {
            match self.out {
                Output::Half { into, .. } => {
                    memory.set(into, row * pitch, &sums.iter().map(|sum| f16::from_f32(*sum)).collect::<Vec<_>>())?;
                }
                Output::Float { into, add, .. } => {
                    if add {
                        let there = memory.get(into.part(row * pitch..row * pitch + columns))?;
                        sums.iter_mut().zip(there).for_each(|(sum, there)| *sum += there);
                    }
                    memory.set(into, row * pitch, sums)?;
                }
            }
        }
        Ok(())
    }
}

/// Sum of products, eight sums at once so that it is not one long chain.
#[cfg(any(test, feature = "fake-driver"))]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (mut left, mut right) = (a.chunks_exact(8), b.chunks_exact(8));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
