//! Arithmetic on a row of logits, with the kernels of this processor: rows have fifty thousand numbers.

use std::sync::LazyLock;

use amanuensis_kernels::{Isa, Kernels};

/// The kernels that the model was loaded with. A choice that is not to be had was refused there.
static KERNELS: LazyLock<Option<&'static Kernels>> =
    LazyLock::new(|| Kernels::detect().ok().or_else(|| Kernels::new(Isa::Scalar)));

/// The greatest value and its index; the first of equal ones.
pub(super) fn best(logits: &[f32]) -> (usize, f32) {
    let index = KERNELS.map_or(0, |kernels| kernels.argmax(logits));
    (index, logits.get(index).copied().unwrap_or(f32::NEG_INFINITY))
}

/// log of the sum of the exponentials; minus infinity for a row without any possible token.
pub(super) fn log_sum_exp(logits: &[f32]) -> f32 {
    KERNELS.map_or(f32::NEG_INFINITY, |kernels| kernels.log_sum_exp(logits))
}
