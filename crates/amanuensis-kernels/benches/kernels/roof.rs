//! What this machine can do at most.

use std::hint::black_box;

use amanuensis_kernels::{Isa, Team};

use crate::measure;

/// Multiply-adds of each sum in one call. There are enough sums to hide the latency of two units and few enough that none
/// goes through memory.
const STEPS: usize = 200_000;

/// Floating-point operations a second with every thread busy on independent sums in registers.
pub(crate) fn peak(team: &mut Team) -> f64 {
    let isa = team.kernels().isa();
    let threads = team.threads();
    let (best, _) = measure(|| {
        team.enter(|region| {
            region.split(threads, |_| {
                black_box(sums(isa));
            });
        });
    });
    // Two operations each; see `sums` for the number of sums.
    threads as f64 * STEPS as f64 * 2.0 * lanes(isa) as f64 / best
}

fn lanes(isa: Isa) -> usize {
    match isa {
        Isa::Scalar => 8 * 4,
        Isa::Neon => 20 * 4,
        Isa::Avx2 => 10 * 8,
        Isa::Avx512 | Isa::Avx512Vnni => 12 * 16,
    }
}

fn sums(isa: Isa) -> f32 {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the team's kernels are of this instruction set, so the processor has it.
        Isa::Avx512 | Isa::Avx512Vnni => unsafe { avx512() },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { avx2() },
        Isa::Neon => plain::<80>(),
        _ => plain::<32>(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512() -> f32 {
    use std::arch::x86_64::*;
    let mut sums = [_mm512_set1_ps(1.0); 12];
    let (a, b) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
    for _ in 0..STEPS {
        sums = sums.map(|sum| _mm512_fmadd_ps(sum, a, b));
    }
    sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2() -> f32 {
    use std::arch::x86_64::*;
    let mut sums = [_mm256_set1_ps(1.0); 10];
    let (a, b) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
    for _ in 0..STEPS {
        sums = sums.map(|sum| _mm256_fmadd_ps(sum, a, b));
    }
    sums.iter().map(|sum| _mm_cvtss_f32(_mm256_castps256_ps128(*sum))).sum()
}

/// N sums, as the compiler arranges them; fused where the target always has the instruction.
fn plain<const N: usize>() -> f32 {
    let mut sums = [1.0_f32; N];
    let (a, b) = (black_box(0.999_f32), black_box(0.001_f32));
    for _ in 0..STEPS {
        for sum in &mut sums {
            *sum = if cfg!(target_arch = "aarch64") { sum.mul_add(a, b) } else { *sum * a + b };
        }
    }
    sums.iter().sum()
}

/// Reading speed for sizes that fit ever farther caches.
pub(crate) fn bandwidth(team: &mut Team) {
    for megabytes in [1, 16, 400] {
        let numbers = vec![1.0_f32; megabytes << 18];
        let blocks = team.threads() * 4;
        let span = numbers.len() / blocks;
        let (best, median) = measure(|| {
            team.enter(|region| {
                region.split(blocks, |block| {
                    let mut lanes = [0.0_f32; 64];
                    for chunk in numbers[block * span..(block + 1) * span].chunks_exact(64) {
                        for (lane, number) in lanes.iter_mut().zip(chunk) {
                            *lane += number;
                        }
                    }
                    black_box(lanes);
                });
            });
        });
        let size = (blocks * span * 4) as f64;
        println!("  read {megabytes:4} MB {:27.1} GB/s best {:6.1} median", size / best / 1e9, size / median / 1e9);
    }
}
