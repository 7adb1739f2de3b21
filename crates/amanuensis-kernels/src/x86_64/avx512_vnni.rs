//! 512-bit registers on processors that multiply and sum bytes in one instruction.

use std::arch::x86_64::*;

use super::avx512::{Wide, integers_of_512_bits, transpose};
use crate::generic::{Integers, kernels_for};
use crate::isa::Isa;

/// One 512-bit register of i32, or of bytes.
#[derive(Clone, Copy)]
pub(super) struct Whole(pub(super) __m512i);

// SAFETY: uses AVX-512 F, BW and VNNI, which the trait's contract makes the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Integers, stated above")]
unsafe impl Integers for Whole {
    integers_of_512_bits!();
    type Left = __m512i;
    /// The instruction takes the left side unsigned.
    const OFFSET: i32 = 128;

    #[inline(always)]
    unsafe fn left(cell: *const i32) -> __m512i {
        unsafe { _mm512_set1_epi32(cell.read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn plus_products(self, left: __m512i, weights: Self) -> Self {
        unsafe { Whole(_mm512_dpbusd_epi32(self.0, left, weights.0)) }
    }
}

kernels_for!(AVX512_VNNI, Isa::Avx512Vnni, Wide, Whole,
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,avx2,fma")]);
