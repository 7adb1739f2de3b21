//! Roofs of 64-bit ARM.

use std::arch::aarch64::*;
use std::arch::asm;
use std::hint::black_box;

use super::{Arithmetic, Roofs, portable};

pub(super) fn neon() -> Roofs {
    Roofs {
        multiply_add: Arithmetic { instruction: "fmla, 128 bits", operations: 20 * 4 * 2, run: multiply_add },
        dot_product: Arithmetic { instruction: "smull + sadalp, 128 bits", operations: 8 * 8 * 2, run: dot_product },
        ..portable::portable()
    }
}

#[target_feature(enable = "neon")]
fn multiply_add(steps: usize) {
    let mut sums = black_box([vdupq_n_f32(1.0); 20]);
    let (a, b) = (vdupq_n_f32(black_box(0.999)), vdupq_n_f32(black_box(0.001)));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = vfmaq_f32(*sum, a, b);
        }
    }
    black_box(sums);
}

/// Eight sums and eight factors of their own: with one factor for all, the compiler would multiply once for all.
#[target_feature(enable = "neon")]
fn dot_product(steps: usize) {
    let factors = black_box([vdup_n_s8(3); 8]);
    let mut sums = black_box([vdupq_n_s32(0); 8]);
    let mut b = vdup_n_s8(black_box(5));
    for _ in 0..steps {
        // SAFETY: no instruction at all; the compiler may not assume that `b` stays what it was.
        unsafe { asm!("/* {0:v} */", inout(vreg) b, options(pure, nomem, nostack, preserves_flags)) };
        for (sum, a) in sums.iter_mut().zip(factors) {
            *sum = vpadalq_s16(*sum, vmull_s8(a, b));
        }
    }
    black_box(sums);
}
