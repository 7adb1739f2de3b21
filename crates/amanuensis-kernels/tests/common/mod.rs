//! What the tests of the kernels share: every instruction set, every number of threads, numbers from a seed.

#![allow(dead_code, reason = "each test file uses its part")]

use std::num::NonZeroUsize;

use amanuensis_kernels::{Isa, Kernels, Region, Team};

/// The kernels to test: all this machine has, or the one that `AMANUENSIS_ISA` forces.
pub(crate) fn every_kernels() -> Vec<&'static Kernels> {
    if std::env::var_os(amanuensis_kernels::ISA_VARIABLE).is_some_and(|word| !word.is_empty()) {
        return vec![Kernels::detect().unwrap()];
    }
    Isa::available()
        .into_iter()
        .map(|isa| Kernels::new(isa).expect("an available instruction set has kernels"))
        .collect()
}

pub(crate) fn team(kernels: &'static Kernels, threads: usize) -> Team {
    Team::new(kernels, NonZeroUsize::new(threads).unwrap())
}

/// Run on every instruction set with 1 to 4 threads; all thread counts must give the same bytes. Returns one result per
/// instruction set.
pub(crate) fn everywhere(run: impl Fn(&mut Region<'_>) -> Vec<f32>) -> Vec<(Isa, Vec<f32>)> {
    let mut results = Vec::new();
    for kernels in every_kernels() {
        let alone = team(kernels, 1).enter(&run);
        for threads in 2..=4 {
            let together = team(kernels, threads).enter(&run);
            assert!(same_bytes(&alone, &together), "{}: {threads} threads differ from one", kernels.isa());
        }
        results.push((kernels.isa(), alone));
    }
    results
}

/// What two neighbouring weights may be together with the kernels of an instruction set that this machine has.
pub(crate) fn largest_pair(isa: Isa) -> i32 {
    Kernels::new(isa).unwrap().largest_pair()
}

pub(crate) fn same_bytes(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}

/// Numbers about the normal distribution, from a seed.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..count).map(|_| (uniform() + uniform() + uniform() + uniform()) * 1.7).collect()
}

/// Every result within `tolerance` of the truth, measured by the largest of the truth and one.
pub(crate) fn assert_close(results: &[(Isa, Vec<f32>)], truth: &[f64], tolerance: f64) {
    let size = truth.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
    for (isa, result) in results {
        assert_eq!(result.len(), truth.len(), "{isa}");
        for (i, (got, want)) in result.iter().zip(truth).enumerate() {
            let error = (f64::from(*got) - want).abs() / size;
            assert!(error <= tolerance, "{isa}: result {i} is {got}, should be {want}: off by {error:e}");
        }
    }
}
