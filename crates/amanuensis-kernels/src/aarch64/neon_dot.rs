//! 128-bit registers on processors that multiply and sum bytes in one instruction.
//!
//! All tests of the kernels pass with it under `qemu-aarch64`; it has never run on a processor.

use std::arch::aarch64::*;
use std::arch::asm;

use super::neon::{Wide, integers_of_128_bits};
use crate::generic::{Integers, kernels_for};
use crate::isa::Isa;

/// One 128-bit register of i32, or of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Whole(int32x4_t);

// SAFETY: uses NEON and its dot products, which the trait's contract makes the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Integers, stated above")]
unsafe impl Integers for Whole {
    integers_of_128_bits!();
    type Left = int8x16_t;

    #[inline(always)]
    unsafe fn left(cell: *const i32) -> int8x16_t {
        unsafe { vreinterpretq_s8_s32(vld1q_dup_s32(cell)) }
    }
    /// As assembly, because Rust 1.95 keeps the intrinsic, `vdotq_s32`, for itself.
    #[inline(always)]
    unsafe fn plus_products(self, left: int8x16_t, weights: Self) -> Self {
        let mut sum = self.0;
        unsafe {
            asm!(
                "sdot {sum:v}.4s, {left:v}.16b, {weights:v}.16b",
                sum = inlateout(vreg) sum,
                left = in(vreg) left,
                weights = in(vreg) weights.0,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        Whole(sum)
    }
}

kernels_for!(NEON_DOT, Isa::NeonDot, Wide, Whole, #[target_feature(enable = "neon,dotprod")]);
