//! What the encoder knows of an NPU: a matrix that is handed over once, and rows that are multiplied with it.

use super::multiplier::Linear;
use crate::driver::{DriverError, Receipt};
use crate::plan::{self, Element, Refusal};

/// A matrix as models keep it: a row of weights for each output.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// How many numbers come out.
    pub outputs: usize,
    /// How many go in.
    pub inputs: usize,
    /// The weights, row by row.
    pub weights: &'a [f32],
}

/// Who multiplies.
pub trait Products {
    /// Rounds, packs and uploads a matrix, once.
    fn prepare(&mut self, matrix: Matrix<'_>) -> Result<Linear, ProductError>;

    /// Multiplies rows with it. What comes back was written by the device, is finite, and is not one number everywhere; the
    /// receipt is the driver's.
    fn run(&mut self, linear: &Linear, rows: &[f32], out: &mut [f32]) -> Result<Receipt, ProductError>;
}

/// Why there is no product.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProductError {
    /// The driver, or the device behind it.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// No stream makes it.
    #[error("no stream can be planned: {0}")]
    Plan(#[from] Refusal),
    /// A matrix does not fit.
    #[error(transparent)]
    Pack(#[from] plan::PackError),
    /// A pack of kernels is not one for products of a model.
    #[error("the kernel pack: {0}")]
    KernelPack(#[from] crate::packs::PackError),
    /// The pack multiplies other numbers.
    #[error("the pack makes {} from {}; the encoder is computed with packs that make bf16 or f32 from bf16", .output.name(), .input.name())]
    Numbers {
        /// What goes in.
        input: Element,
        /// What comes out.
        output: Element,
    },
    /// Rows that are no rows.
    #[error("{numbers} numbers are not rows of {width}, or there are none, or room for another number of them")]
    Rows {
        /// How many numbers there are.
        numbers: usize,
        /// How many make a row.
        width: usize,
    },
    /// It completed, and not everything was written.
    #[error("the command completed, but {untouched} of {words} words of its result were never written")]
    Untouched {
        /// Words with the poison still in them.
        untouched: usize,
        /// Words of the result.
        words: usize,
    },
    /// Something that is no number.
    #[error("the command completed, but element {place} of its result is {found}")]
    NotFinite {
        /// Where.
        place: usize,
        /// What.
        found: f32,
    },
    /// One number everywhere, of rows and weights that are not.
    #[error("the command completed, but every element of its result is {found}")]
    AllEqual {
        /// The number.
        found: f32,
    },
}
