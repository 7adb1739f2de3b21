//! 256-bit registers on processors that multiply and sum bytes in one instruction, and have no wider registers.
//!
//! The tests of products and attention in bytes pass with it on a processor without the instruction, whose faults were
//! answered by emulating it. It has never run on a processor that has it.

use std::arch::x86_64::*;

use super::avx2::{Wide, integers_of_256_bits};
use crate::generic::{Integers, kernels_for};
use crate::isa::Isa;

/// One 256-bit register of i32, or of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Whole(__m256i);

// SAFETY: uses AVX2 and AVX-VNNI, which the trait's contract makes the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Integers, stated above")]
unsafe impl Integers for Whole {
    integers_of_256_bits!();
    type Left = __m256i;
    /// The instruction takes the left side unsigned.
    const OFFSET: i32 = 128;

    #[inline(always)]
    unsafe fn left(cell: *const i32) -> __m256i {
        unsafe { _mm256_set1_epi32(cell.read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn plus_products(self, left: __m256i, weights: Self) -> Self {
        unsafe { Whole(_mm256_dpbusd_avx_epi32(self.0, left, weights.0)) }
    }
}

kernels_for!(AVX_VNNI, Isa::AvxVnni, Wide, Whole, #[target_feature(enable = "avx2,fma,f16c,avxvnni")]);
