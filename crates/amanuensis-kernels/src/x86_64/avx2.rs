//! Eight numbers in a register, 16 registers: tiles of 6 rows x 16 outputs, 12 sums.

use std::arch::x86_64::*;

use crate::generic::{Integers, Vector, kernels_for};
use crate::isa::Isa;

/// One 256-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Wide(pub(super) __m256);

/// A window of these, `count` from its middle back, is a mask of the first `count` lanes.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The first `count` lanes.
#[inline(always)]
unsafe fn first(count: usize) -> __m256i {
    // SAFETY: 8 - min(count, 8) + 8 is within the table; the caller has AVX2.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - count.min(8)).cast()) }
}

// SAFETY: uses AVX2, FMA and F16C, which the trait's contract makes the caller's promise; masked reads and writes touch only
// the lanes of the mask.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Vector, stated above")]
unsafe impl Vector for Wide {
    const WIDTH: usize = 8;
    const REGISTERS: usize = 16;
    const TILE: usize = 6;

    #[inline(always)]
    unsafe fn prefetch(address: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[inline(always)]
    unsafe fn prefetch_far(address: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        unsafe { Wide(_mm256_set1_ps(number)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Wide(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        unsafe { Wide(_mm256_cvtph_ps(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        unsafe { Wide(_mm256_maskload_ps(from, first(count))) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        unsafe { _mm256_maskstore_ps(to, first(count), self.0) }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe { Wide(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        unsafe { Wide(_mm256_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        unsafe { Wide(_mm256_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn over(self, other: Self) -> Self {
        unsafe { Wide(_mm256_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn times_plus(self, factor: Self, addend: Self) -> Self {
        unsafe { Wide(_mm256_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    unsafe fn minus_times(self, factor: Self, addend: Self) -> Self {
        unsafe { Wide(_mm256_fnmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    unsafe fn larger(self, other: Self) -> Self {
        unsafe { Wide(_mm256_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn smaller(self, other: Self) -> Self {
        unsafe { Wide(_mm256_min_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn magnitude(self) -> Self {
        unsafe { Wide(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0)) }
    }
    #[inline(always)]
    unsafe fn nearest(self) -> Self {
        unsafe { Wide(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
    }
    #[inline(always)]
    unsafe fn times_power_of_two(self, power: Self) -> Self {
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(power.0), _mm256_set1_epi32(127));
            Wide(_mm256_mul_ps(self.0, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))))
        }
    }
    #[inline(always)]
    unsafe fn where_at_least(self, key: Self, bound: Self) -> Self {
        unsafe { Wide(_mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_GE_OQ>(key.0, bound.0))) }
    }
    #[inline(always)]
    unsafe fn first_or(self, count: usize, other: Self) -> Self {
        unsafe { Wide(_mm256_blendv_ps(other.0, self.0, _mm256_castsi256_ps(first(count)))) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        unsafe {
            let four = _mm_max_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }
}

/// What is the same for every way to multiply bytes in 256-bit registers.
macro_rules! integers_of_256_bits {
    () => {
        type Floats = Wide;

        #[inline(always)]
        unsafe fn splat(number: i32) -> Self {
            unsafe { Self(_mm256_set1_epi32(number)) }
        }
        #[inline(always)]
        unsafe fn load(from: *const i32) -> Self {
            unsafe { Self(_mm256_loadu_si256(from.cast())) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut i32) {
            unsafe { _mm256_storeu_si256(to.cast(), self.0) }
        }
        #[inline(always)]
        unsafe fn plus(self, other: Self) -> Self {
            unsafe { Self(_mm256_add_epi32(self.0, other.0)) }
        }
        #[inline(always)]
        unsafe fn nearest(numbers: Wide) -> Self {
            unsafe { Self(_mm256_cvtps_epi32(numbers.0)) }
        }
        #[inline(always)]
        unsafe fn numbers(self) -> Wide {
            unsafe { Wide(_mm256_cvtepi32_ps(self.0)) }
        }
        #[inline(always)]
        unsafe fn store_bytes(self, to: *mut u8) {
            unsafe {
                // The low byte of each lane to the front of each half, then the fronts together.
                let order = _mm256_setr_epi8(
                    0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1,
                    -1, -1, -1, -1, -1, -1,
                );
                let fronts = _mm256_shuffle_epi8(self.0, order);
                let (low, high) = (_mm256_castsi256_si128(fronts), _mm256_extracti128_si256::<1>(fronts));
                _mm_storel_epi64(to.cast(), _mm_unpacklo_epi32(low, high));
            }
        }
        #[inline(always)]
        unsafe fn halves(self) -> [Self; 2] {
            unsafe {
                let (half, eight) = (_mm256_set1_epi8(0x0f), _mm256_set1_epi8(8));
                let lower = _mm256_and_si256(self.0, half);
                let upper = _mm256_and_si256(_mm256_srli_epi32::<4>(self.0), half);
                [Self(_mm256_sub_epi8(lower, eight)), Self(_mm256_sub_epi8(upper, eight))]
            }
        }
        #[inline(always)]
        unsafe fn cells(bytes: [Self; 4]) -> Self {
            unsafe {
                let low = _mm256_set1_epi32(0xff);
                let [first, second, third, fourth] = bytes.map(|bytes| bytes.0);
                let pair = _mm256_or_si256(
                    _mm256_and_si256(first, low),
                    _mm256_slli_epi32::<8>(_mm256_and_si256(second, low)),
                );
                let other = _mm256_or_si256(
                    _mm256_slli_epi32::<16>(_mm256_and_si256(third, low)),
                    _mm256_slli_epi32::<24>(fourth),
                );
                Self(_mm256_or_si256(pair, other))
            }
        }
    };
}
pub(super) use integers_of_256_bits;

/// One 256-bit register of i32, or of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Whole(__m256i);

// SAFETY: uses AVX2, which the trait's contract makes the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Integers, stated above")]
unsafe impl Integers for Whole {
    integers_of_256_bits!();
    type Left = __m256i;
    /// The instruction takes the left side unsigned, and adds two products in a word: 255 x 128 fits, and 127 x (127 +
    /// 127). To keep weights within that costs a scale that is a third higher, because numbers of many sizes seldom lie
    /// beside one that is as large; to move the signs to the left side instead costs an instruction, and registers that
    /// are not there: a third of the speed.
    const OFFSET: i32 = 128;
    const LARGEST_PAIR: i32 = 128;
    const LARGEST_PROBABILITY: u8 = 127;

    #[inline(always)]
    unsafe fn left(cell: *const i32) -> __m256i {
        unsafe { _mm256_set1_epi32(cell.read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn plus_products(self, left: __m256i, weights: Self) -> Self {
        unsafe {
            let pairs = _mm256_maddubs_epi16(left, weights.0);
            Whole(_mm256_add_epi32(self.0, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))))
        }
    }
}

kernels_for!(AVX2, Isa::Avx2, Wide, Whole, #[target_feature(enable = "avx2,fma,f16c")]);
