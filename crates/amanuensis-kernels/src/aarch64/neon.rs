//! Four numbers in a register, 32 registers: tiles of 12 rows x 8 outputs, 24 sums.
//!
//! All tests of the kernels pass with it under `qemu-aarch64`. It has never run on a processor, so the tile is a guess
//! from the number of registers, and nothing is fetched ahead by hand.

use std::arch::aarch64::*;

use crate::generic::{Integers, Vector, kernels_for};
use crate::isa::Isa;

/// One 128-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Wide(pub(super) float32x4_t);

/// A window of these, `count` from its middle back, is a mask of the first `count` lanes.
static MASKS: [u32; 8] = [!0, !0, !0, !0, 0, 0, 0, 0];

/// The first `count` lanes.
#[inline(always)]
unsafe fn first(count: usize) -> uint32x4_t {
    // SAFETY: 4 - min(count, 4) + 4 is within the table; the caller has NEON.
    unsafe { vld1q_u32(MASKS.as_ptr().add(4 - count.min(4))) }
}

// SAFETY: uses NEON, which the trait's contract makes the caller's promise; partial reads and writes go through a
// buffer of their own.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Vector, stated above")]
unsafe impl Vector for Wide {
    const WIDTH: usize = 4;
    const REGISTERS: usize = 32;
    const TILE: usize = 12;

    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        unsafe { Wide(vdupq_n_f32(number)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Wide(vld1q_f32(from)) }
    }
    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        unsafe {
            let singles: float32x4_t;
            // The intrinsic is not stable.
            std::arch::asm!("fcvtl {singles:v}.4s, {halves:v}.4h", singles = lateout(vreg) singles,
                halves = in(vreg) vld1_u16(from), options(pure, nomem, nostack, preserves_flags));
            Wide(singles)
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { vst1q_f32(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        let mut whole = [0.0; 4];
        unsafe {
            std::ptr::copy_nonoverlapping(from, whole.as_mut_ptr(), count.min(4));
            Wide(vld1q_f32(whole.as_ptr()))
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        let mut whole = [0.0; 4];
        unsafe {
            vst1q_f32(whole.as_mut_ptr(), self.0);
            std::ptr::copy_nonoverlapping(whole.as_ptr(), to, count.min(4));
        }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe { Wide(vaddq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        unsafe { Wide(vsubq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        unsafe { Wide(vmulq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn over(self, other: Self) -> Self {
        unsafe { Wide(vdivq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn times_plus(self, factor: Self, addend: Self) -> Self {
        unsafe { Wide(vfmaq_f32(addend.0, self.0, factor.0)) }
    }
    #[inline(always)]
    unsafe fn minus_times(self, factor: Self, addend: Self) -> Self {
        unsafe { Wide(vfmsq_f32(addend.0, self.0, factor.0)) }
    }
    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        unsafe { Wide(vmaxq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn smaller(self, other: Self) -> Self {
        unsafe { Wide(vminq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn magnitude(self) -> Self {
        unsafe { Wide(vabsq_f32(self.0)) }
    }
    #[inline(always)]
    unsafe fn nearest(self) -> Self {
        unsafe { Wide(vrndnq_f32(self.0)) }
    }
    #[inline(always)]
    unsafe fn times_power_of_two(self, power: Self) -> Self {
        unsafe {
            let exponent = vaddq_s32(vcvtnq_s32_f32(power.0), vdupq_n_s32(127));
            Wide(vmulq_f32(self.0, vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))))
        }
    }
    #[inline(always)]
    unsafe fn where_at_least(self, key: Self, bound: Self) -> Self {
        unsafe {
            let kept = vandq_u32(vreinterpretq_u32_f32(self.0), vcgeq_f32(key.0, bound.0));
            Wide(vreinterpretq_f32_u32(kept))
        }
    }
    #[inline(always)]
    unsafe fn first_or(self, count: usize, other: Self) -> Self {
        unsafe { Wide(vbslq_f32(first(count), self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe { vaddvq_f32(self.0) }
    }
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        unsafe { vmaxvq_f32(self.0) }
    }
}

/// One 128-bit register of i32, or of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Whole(int32x4_t);

/// What is the same for every way to multiply bytes.
macro_rules! integers_of_128_bits {
    () => {
        type Floats = Wide;
        const OFFSET: i32 = 0;

        #[inline(always)]
        unsafe fn splat(number: i32) -> Self {
            unsafe { Self(vdupq_n_s32(number)) }
        }
        #[inline(always)]
        unsafe fn load(from: *const i32) -> Self {
            unsafe { Self(vld1q_s32(from)) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut i32) {
            unsafe { vst1q_s32(to, self.0) }
        }
        #[inline(always)]
        unsafe fn plus(self, other: Self) -> Self {
            unsafe { Self(vaddq_s32(self.0, other.0)) }
        }
        #[inline(always)]
        unsafe fn nearest(numbers: Wide) -> Self {
            unsafe { Self(vcvtnq_s32_f32(numbers.0)) }
        }
        #[inline(always)]
        unsafe fn numbers(self) -> Wide {
            unsafe { Wide(vcvtq_f32_s32(self.0)) }
        }
        #[inline(always)]
        unsafe fn store_bytes(self, to: *mut u8) {
            unsafe {
                let words = vmovn_s32(self.0);
                let bytes = vmovn_s16(vcombine_s16(words, words));
                vst1_lane_u32::<0>(to.cast(), vreinterpret_u32_s8(bytes));
            }
        }
        #[inline(always)]
        unsafe fn halves(self) -> [Self; 2] {
            unsafe {
                let (bytes, eight) = (vreinterpretq_u8_s32(self.0), vdupq_n_s8(8));
                let lower = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(0x0f)));
                let upper = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
                [lower, upper].map(|halves| Self(vreinterpretq_s32_s8(vsubq_s8(halves, eight))))
            }
        }
        #[inline(always)]
        unsafe fn cells(bytes: [Self; 4]) -> Self {
            unsafe {
                let low = vdupq_n_s32(0xff);
                let [first, second, third, fourth] = bytes.map(|bytes| bytes.0);
                let pair = vorrq_s32(vandq_s32(first, low), vshlq_n_s32::<8>(vandq_s32(second, low)));
                let other = vorrq_s32(vshlq_n_s32::<16>(vandq_s32(third, low)), vshlq_n_s32::<24>(fourth));
                Self(vorrq_s32(pair, other))
            }
        }
    };
}
pub(super) use integers_of_128_bits;

// SAFETY: uses NEON, which the trait's contract makes the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Integers, stated above")]
unsafe impl Integers for Whole {
    integers_of_128_bits!();
    type Left = int8x16_t;

    #[inline(always)]
    unsafe fn left(cell: *const i32) -> int8x16_t {
        unsafe { vreinterpretq_s8_s32(vld1q_dup_s32(cell)) }
    }
    /// Products as words; two of them are at most 2 x 128 x 127, which a word holds.
    #[inline(always)]
    unsafe fn plus_products(self, left: int8x16_t, weights: Self) -> Self {
        unsafe {
            let weights = vreinterpretq_s8_s32(weights.0);
            let low = vmull_s8(vget_low_s8(left), vget_low_s8(weights));
            let high = vmull_high_s8(left, weights);
            Whole(vpadalq_s16(self.0, vpaddq_s16(low, high)))
        }
    }
}

kernels_for!(NEON, Isa::Neon, Wide, Whole, #[target_feature(enable = "neon")]);
