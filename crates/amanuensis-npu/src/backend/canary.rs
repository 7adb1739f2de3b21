//! Canaries flown by whoever multiplies.

use super::multiplier::Multiplier;
use super::products::{Matrix, ProductError, Products};
use crate::plan::{Arithmetic, Element, Overlay};
use crate::trust::{Canary, Finding, Passed, Problem, Shape};

/// Changes nothing but that all programs fly the same canary.
const SEED: u64 = 0xCA_9A_2F;

/// A multiplication that every core takes part in and that sums more than one tile.
fn canary(overlay: &Overlay) -> Canary {
    let tile = overlay.tile;
    let side = |tile: usize, times: u8| (tile * usize::from(times)) as u32;
    let shape = Shape { m: side(tile.m, overlay.rows), k: side(tile.k, 2), n: side(tile.n, overlay.columns) };
    let bound = match (overlay.operands.arithmetic, overlay.operands.output) {
        (Arithmetic::BlockFloat, Element::F32) => Canary::BOUND_BFP16,
        (Arithmetic::BlockFloat, _) => Canary::BOUND_BFP16 + Canary::BOUND_BF16,
        (_, Element::F32) => Canary::BOUND_F32,
        _ => Canary::BOUND_BF16,
    };
    Canary { shape, seed: SEED, bound }
}

/// Flies one.
pub(super) fn fly(multiplier: &mut Multiplier) -> Result<Passed, Finding> {
    canary(multiplier.overlay()).fly(|problem: &Problem, result: &mut [f32]| {
        let (inputs, outputs) = (problem.shape.k as usize, problem.shape.n as usize);
        let weights: Vec<f32> =
            (0..outputs).flat_map(|output| problem.b.iter().skip(output).step_by(outputs).copied()).collect();
        let linear = multiplier.prepare(Matrix { outputs, inputs, weights: &weights })?;
        multiplier.run(&linear, &problem.a, result).map_err(|error: ProductError| error)
    })
}
