//! Known multiplications on whoever multiplies: canaries, self-tests of packs, sweeps.

use super::multiplier::Multiplier;
use super::products::{Matrix, ProductError, Products};
use crate::driver::Receipt;
use crate::plan::{Arithmetic, Element};
use crate::trust::{Canary, Finding, Passed, Problem, Shape};

/// Changes nothing but that all programs fly the same canary.
const SEED: u64 = 0xCA_9A_2F;

impl Multiplier {
    /// Multiplies the matrices of a problem, as [`Canary::fly`] and [`verify`](crate::packs::verify) want it.
    pub fn solve(&mut self, problem: &Problem, result: &mut [f32]) -> Result<Receipt, ProductError> {
        let (inputs, outputs) = (problem.shape.k as usize, problem.shape.n as usize);
        let weights: Vec<f32> =
            (0..outputs).flat_map(|output| problem.b.iter().skip(output).step_by(outputs).copied()).collect();
        let linear = self.prepare(Matrix { outputs, inputs, weights: &weights })?;
        self.run(&linear, &problem.a, result)
    }

    /// How exact a result must be, as a part of the sum of the sizes of what was added.
    pub fn bound(&self) -> f64 {
        let operands = self.overlay().operands;
        match (operands.arithmetic, operands.output) {
            (Arithmetic::BlockFloat, Element::F32) => Canary::BOUND_BFP16,
            (Arithmetic::BlockFloat, _) => Canary::BOUND_BFP16 + Canary::BOUND_BF16,
            (_, Element::F32) => Canary::BOUND_F32,
            _ => Canary::BOUND_BF16,
        }
    }

    /// Flies a canary that every core takes part in and that sums more than one tile.
    pub fn fly(&mut self) -> Result<Passed, Finding> {
        let overlay = self.overlay();
        let side = |tile: usize, times: u8| (tile * usize::from(times)) as u32;
        let shape = Shape {
            m: side(overlay.tile.m, overlay.rows),
            k: side(overlay.tile.k, 2),
            n: side(overlay.tile.n, overlay.columns),
        };
        Canary { shape, seed: SEED, bound: self.bound() }.fly(|problem, result| self.solve(problem, result))
    }
}
