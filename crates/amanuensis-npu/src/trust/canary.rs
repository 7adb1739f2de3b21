//! A canary: a multiplication whose result is known, into memory that was poisoned before.

use std::fmt::Display;

use super::problem::{Problem, Shape};
use crate::driver::Receipt;

/// What the result is filled with before. A NaN that no calculation makes, whole and in its upper half, so that it is told
/// apart in bfloat16 as well.
pub const POISON: u32 = 0x7FE5_0000;

/// A multiplication to be run, and how exact it must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Canary {
    /// Its sizes.
    pub shape: Shape,
    /// Its numbers.
    pub seed: u64,
    /// Largest error allowed, as a part of the sum of the sizes of what was added.
    pub bound: f64,
}

impl Canary {
    /// For results that are kept in f32: an XDNA1 that rounds to even stays below 1e-6, one that rounds down has 1.5e-4.
    pub const BOUND_F32: f64 = 1e-6;
    /// For results that are stored as bfloat16: half a unit in the last of its eight bits, and what goes before. Rounding down
    /// has twice as much.
    pub const BOUND_BF16: f64 = 1.0 / 256.0 + 1e-6;
    /// For operands in blocks of eight with one exponent (XDNA2), results in f32. Rounding down has 9.9e-3.
    pub const BOUND_BFP16: f64 = 2.4e-4;

    /// Runs it twice. `run` is given the problem and the poisoned result, whose poison it takes to the device before and
    /// whose every number it brings back after.
    pub fn fly<Error: Display>(
        &self,
        mut run: impl FnMut(&Problem, &mut [f32]) -> Result<Receipt, Error>,
    ) -> Result<Passed, Finding> {
        let problem = Problem::new(self.seed, self.shape);
        let mut once = |result: &mut Vec<f32>| {
            *result = vec![f32::from_bits(POISON); self.shape.results()];
            run(&problem, result).map_err(|error| Finding::Failed { why: error.to_string() })
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let receipts = [once(&mut first)?, once(&mut second)?];
        let worst = self.judge(&problem, &first)?;
        let differs = first.iter().zip(&second).position(|(one, other)| one.to_bits() != other.to_bits());
        if let Some(place) = differs {
            return Err(Finding::Unsteady { place, first: first[place], second: second[place] });
        }
        Ok(Passed { worst, receipts })
    }

    /// The largest error of a result, if it is one.
    fn judge(&self, problem: &Problem, result: &[f32]) -> Result<f64, Finding> {
        let count = result.len();
        let untouched = result.iter().filter(|number| number.to_bits() == POISON).count();
        if untouched > 0 {
            return Err(Finding::Untouched { untouched, count });
        }
        if let Some(place) = result.iter().position(|number| !number.is_finite()) {
            return Err(Finding::NotFinite { place, found: result[place] });
        }
        if count > 1 && result.iter().all(|number| *number == result[0]) {
            return Err(Finding::AllEqual { found: result[0] });
        }
        let (sums, masses) = problem.solve();
        let mut worst = (0.0, 0);
        for (place, ((found, sum), mass)) in result.iter().zip(&sums).zip(&masses).enumerate() {
            let error = (f64::from(*found) - sum).abs() / mass.max(f64::MIN_POSITIVE);
            if error > worst.0 {
                worst = (error, place);
            }
        }
        let (error, place) = worst;
        if error > self.bound {
            let (found, right) = (result[place], sums[place]);
            return Err(Finding::Inexact { place, found, right, error, bound: self.bound });
        }
        Ok(error)
    }
}

/// What a canary that lives says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Passed {
    /// Its largest error.
    pub worst: f64,
    /// Where it was run, both times.
    pub receipts: [Receipt; 2],
}

/// What a canary died of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Finding {
    /// The run failed.
    #[error("the canary could not be run: {why}")]
    Failed {
        /// Why.
        why: String,
    },
    /// It completed, and not everything was written.
    #[error("the command completed, but {untouched} of {count} results were never written")]
    Untouched {
        /// Results with the poison still in them.
        untouched: usize,
        /// Results.
        count: usize,
    },
    /// Something that is no number.
    #[error("result {place} is {found}")]
    NotFinite {
        /// Where.
        place: usize,
        /// What.
        found: f32,
    },
    /// One number everywhere.
    #[error("every result is {found}")]
    AllEqual {
        /// The number.
        found: f32,
    },
    /// Wrong numbers.
    #[error(
        "result {place} is {found} where {right} is right: an error of {error:.1e}, and {bound:.1e} is allowed (a pack that rounds down, or does not fit this device, has this effect)"
    )]
    Inexact {
        /// Where.
        place: usize,
        /// What.
        found: f32,
        /// What it should be.
        right: f64,
        /// The error, as a part of the sum of sizes.
        error: f64,
        /// What is allowed.
        bound: f64,
    },
    /// Another answer the second time.
    #[error("result {place} was {first} and then {second} for the same input")]
    Unsteady {
        /// Where.
        place: usize,
        /// What it was first.
        first: f32,
        /// And then.
        second: f32,
    },
}
