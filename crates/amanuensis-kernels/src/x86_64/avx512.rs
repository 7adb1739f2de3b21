//! Sixteen f32 in a register, 32 registers: tiles of 12 rows x 32 outputs, 24 sums.

use std::arch::x86_64::*;

use crate::generic::{Vector, kernels_for};
use crate::isa::Isa;

/// One 512-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Wide(__m512);

/// The first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    if count >= 16 { !0 } else { (1 << count) - 1 }
}

// SAFETY: uses AVX-512 F and DQ, which the trait's contract makes the caller's promise; masked reads and writes touch
// only the lanes of the mask.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Vector, stated above")]
unsafe impl Vector for Wide {
    const WIDTH: usize = 16;
    const TILE: usize = 12;

    #[inline(always)]
    unsafe fn prefetch(address: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        unsafe { Wide(_mm512_set1_ps(number)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Wide(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        unsafe { Wide(_mm512_maskz_loadu_ps(first(count), from)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        unsafe { _mm512_mask_storeu_ps(to, first(count), self.0) }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe { Wide(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        unsafe { Wide(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        unsafe { Wide(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn over(self, other: Self) -> Self {
        unsafe { Wide(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn times_plus(self, factor: Self, addend: Self) -> Self {
        unsafe { Wide(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    unsafe fn minus_times(self, factor: Self, addend: Self) -> Self {
        unsafe { Wide(_mm512_fnmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        unsafe { Wide(_mm512_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn smaller(self, other: Self) -> Self {
        unsafe { Wide(_mm512_min_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn magnitude(self) -> Self {
        unsafe { Wide(_mm512_abs_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn nearest(self) -> Self {
        unsafe { Wide(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
    }
    #[inline(always)]
    unsafe fn times_power_of_two(self, power: Self) -> Self {
        unsafe { Wide(_mm512_scalef_ps(self.0, power.0)) }
    }
    #[inline(always)]
    unsafe fn where_at_least(self, key: Self, bound: Self) -> Self {
        unsafe { Wide(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(key.0, bound.0), self.0)) }
    }
    #[inline(always)]
    unsafe fn first_or(self, count: usize, other: Self) -> Self {
        unsafe { Wide(_mm512_mask_mov_ps(other.0, first(count), self.0)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe { _mm512_reduce_add_ps(self.0) }
    }
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        unsafe { _mm512_reduce_max_ps(self.0) }
    }
}

kernels_for!(AVX512, Isa::Avx512, Wide, product_many_registers,
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]);
