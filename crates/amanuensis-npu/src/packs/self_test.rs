//! A pack's own tests: what it must compute, on numbers that everybody can make.

use std::fmt::Display;

use super::loading::sha256;
use super::manifest::SelfTest;
use crate::driver::Receipt;
use crate::trust::{Canary, Finding, Passed, Problem};

/// Why a pack did not pass its test.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SelfTestError {
    /// It failed as canaries do.
    #[error("self-test {seed}: {finding}")]
    Finding {
        /// Which test.
        seed: u64,
        /// What was found.
        finding: Finding,
    },
    /// Other numbers came out.
    #[error(
        "self-test {seed}: the results' SHA-256 is {found} and not {expected}; this device does not run the pack as its maker's did"
    )]
    Digest {
        /// Which test.
        seed: u64,
        /// The manifest's.
        expected: String,
        /// What came out.
        found: String,
    },
}

/// Runs one test of a pack's, by whatever can run a multiplication with it. `run` is as for a [`Canary`].
pub fn verify<Error: Display>(
    test: &SelfTest,
    mut run: impl FnMut(&Problem, &mut [f32]) -> Result<Receipt, Error>,
) -> Result<Passed, SelfTestError> {
    let seed = test.seed;
    let canary = Canary { shape: test.shape, seed, bound: test.bound.unwrap_or(f64::INFINITY) };
    let mut found = String::new();
    let passed = canary.fly(|problem, result| {
        let receipt = run(problem, result)?;
        found = sha256(&result.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
        Ok::<_, Error>(receipt)
    });
    let passed = passed.map_err(|finding| SelfTestError::Finding { seed, finding })?;
    match &test.sha256 {
        Some(expected) if *expected != found => Err(SelfTestError::Digest { seed, expected: expected.clone(), found }),
        _ => Ok(passed),
    }
}
