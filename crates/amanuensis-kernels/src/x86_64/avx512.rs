//! Sixteen numbers in a register, 32 registers: tiles of 12 rows x 32 outputs, 24 sums.

use std::arch::x86_64::*;

use crate::generic::{Integers, Vector, kernels_for};
use crate::isa::Isa;

/// One 512-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Wide(pub(super) __m512);

/// The first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    if count >= 16 { !0 } else { (1 << count) - 1 }
}

/// Joins the lanes of sixteen registers, so that each becomes a lane of one: pairs of lanes of pairs of registers, and so on.
/// A third of the instructions that it takes to join them one by one.
#[inline(always)]
unsafe fn join_each<const LARGEST: bool>(registers: *const f32) -> __m512 {
    // SAFETY: reads sixteen registers that the caller has; uses AVX-512 F, as the caller does.
    unsafe {
        let mut pairs = [_mm512_setzero_ps(); 8];
        for (at, pair) in pairs.iter_mut().enumerate() {
            let first = _mm512_loadu_ps(registers.add(32 * at));
            let second = _mm512_loadu_ps(registers.add(32 * at + 16));
            *pair = join::<LARGEST>(_mm512_unpacklo_ps(first, second), _mm512_unpackhi_ps(first, second));
        }
        let mut fours = [_mm512_setzero_ps(); 4];
        for (at, four) in fours.iter_mut().enumerate() {
            let (first, second) = (_mm512_castps_pd(pairs[2 * at]), _mm512_castps_pd(pairs[2 * at + 1]));
            let (low, high) = (_mm512_unpacklo_pd(first, second), _mm512_unpackhi_pd(first, second));
            *four = join::<LARGEST>(_mm512_castpd_ps(low), _mm512_castpd_ps(high));
        }
        let first = join_quarters::<LARGEST>(fours[0], fours[1]);
        let second = join_quarters::<LARGEST>(fours[2], fours[3]);
        join_quarters::<LARGEST>(first, second)
    }
}

/// The first quarter with the second, the third with the fourth: those of `first`, then those of `second`.
#[inline(always)]
unsafe fn join_quarters<const LARGEST: bool>(first: __m512, second: __m512) -> __m512 {
    // SAFETY: uses AVX-512 F, as the caller does.
    unsafe {
        let even = _mm512_shuffle_f32x4::<0x88>(first, second);
        let odd = _mm512_shuffle_f32x4::<0xdd>(first, second);
        join::<LARGEST>(even, odd)
    }
}

/// Sums, or the larger of each pair.
#[inline(always)]
unsafe fn join<const LARGEST: bool>(first: __m512, second: __m512) -> __m512 {
    // SAFETY: uses AVX-512 F, as the caller does.
    unsafe { if LARGEST { _mm512_max_ps(first, second) } else { _mm512_add_ps(first, second) } }
}

// SAFETY: uses AVX-512 F and DQ, which the trait's contract makes the caller's promise; masked reads and writes touch
// only the lanes of the mask.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Vector, stated above")]
unsafe impl Vector for Wide {
    const WIDTH: usize = 16;
    const REGISTERS: usize = 32;
    const TILE: usize = 12;

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
        unsafe { Wide(_mm512_set1_ps(number)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Wide(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        unsafe { Wide(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))) }
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
    /// The best cubic on one whole power, 7.5e-5: the instruction that scales rounds down, and so must what is left.
    #[inline(always)]
    unsafe fn rough_power_of_two(self) -> Self {
        unsafe {
            let rest = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0);
            let mut power = _mm512_set1_ps(0.078_024_49);
            for coefficient in [0.226_067_2, 0.695_833_5, 0.999_925_2] {
                power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(coefficient));
            }
            Wide(_mm512_scalef_ps(power, self.0))
        }
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
    #[inline(always)]
    unsafe fn sum_of_each(registers: *const f32) -> Self {
        unsafe { Wide(join_each::<false>(registers)) }
    }
    #[inline(always)]
    unsafe fn largest_of_each(registers: *const f32) -> Self {
        unsafe { Wide(join_each::<true>(registers)) }
    }
}

/// One 512-bit register of i32, or of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Whole(pub(super) __m512i);

impl Whole {
    /// Bytes 0 and 2 of every lane as words, and bytes 1 and 3.
    #[inline(always)]
    unsafe fn words(self) -> [__m512i; 2] {
        // SAFETY: the caller has AVX-512 BW.
        unsafe { [_mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(self.0)), _mm512_srai_epi16::<8>(self.0)] }
    }
}

/// Sixteen rows of sixteen numbers, `stride` apart, to their columns, `step` apart: pairs, fours, then quarters of registers.
#[inline(always)]
pub(super) unsafe fn transpose(rows: *const i32, stride: usize, columns: *mut i32, step: usize) {
    // SAFETY: the caller has the numbers, and AVX-512 F.
    unsafe {
        let zero = _mm512_setzero_si512();
        let (mut row, mut fours) = ([zero; 16], [zero; 16]);
        for (number, row) in row.iter_mut().enumerate() {
            *row = _mm512_loadu_si512(rows.add(number * stride).cast());
        }
        for four in (0..16).step_by(4) {
            let low = _mm512_unpacklo_epi32(row[four], row[four + 1]);
            let high = _mm512_unpackhi_epi32(row[four], row[four + 1]);
            let next_low = _mm512_unpacklo_epi32(row[four + 2], row[four + 3]);
            let next_high = _mm512_unpackhi_epi32(row[four + 2], row[four + 3]);
            fours[four] = _mm512_unpacklo_epi64(low, next_low);
            fours[four + 1] = _mm512_unpackhi_epi64(low, next_low);
            fours[four + 2] = _mm512_unpacklo_epi64(high, next_high);
            fours[four + 3] = _mm512_unpackhi_epi64(high, next_high);
        }
        // Quarter q of register 4 r + c holds column 4 q + c of the four rows from 4 r on.
        for column in 0..4 {
            let [a, b, c, d] = [fours[column], fours[column + 4], fours[column + 8], fours[column + 12]];
            let even = [_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0x88>(c, d)];
            let odd = [_mm512_shuffle_i32x4::<0xdd>(a, b), _mm512_shuffle_i32x4::<0xdd>(c, d)];
            let columns = columns.add(column * step);
            _mm512_storeu_si512(columns.cast(), _mm512_shuffle_i32x4::<0x88>(even[0], even[1]));
            _mm512_storeu_si512(columns.add(4 * step).cast(), _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]));
            _mm512_storeu_si512(columns.add(8 * step).cast(), _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]));
            _mm512_storeu_si512(columns.add(12 * step).cast(), _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]));
        }
    }
}

/// What is the same for every way to multiply bytes in 512-bit registers.
macro_rules! integers_of_512_bits {
    () => {
        type Floats = Wide;

        #[inline(always)]
        unsafe fn splat(number: i32) -> Self {
            unsafe { Self(_mm512_set1_epi32(number)) }
        }
        #[inline(always)]
        unsafe fn load(from: *const i32) -> Self {
            unsafe { Self(_mm512_loadu_si512(from.cast())) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut i32) {
            unsafe { _mm512_storeu_si512(to.cast(), self.0) }
        }
        #[inline(always)]
        unsafe fn plus(self, other: Self) -> Self {
            unsafe { Self(_mm512_add_epi32(self.0, other.0)) }
        }
        #[inline(always)]
        unsafe fn nearest(numbers: Wide) -> Self {
            unsafe { Self(_mm512_cvtps_epi32(numbers.0)) }
        }
        #[inline(always)]
        unsafe fn numbers(self) -> Wide {
            unsafe { Wide(_mm512_cvtepi32_ps(self.0)) }
        }
        #[inline(always)]
        unsafe fn store_bytes(self, to: *mut u8) {
            unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(self.0)) }
        }
        #[inline(always)]
        unsafe fn store_left(of: [Self; 4], to: *mut u8) {
            unsafe {
                let [first, second, third, fourth] = of.map(|integers| integers.0);
                let low = _mm512_packs_epi32(first, second);
                let high = _mm512_packs_epi32(third, fourth);
                let bytes =
                    if Self::OFFSET == 0 { _mm512_packs_epi16(low, high) } else { _mm512_packus_epi16(low, high) };
                // Packing goes by quarters of a register: every fourth cell belongs to the same of the four.
                let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
                _mm512_storeu_si512(to.cast(), _mm512_permutexvar_epi32(order, bytes));
            }
        }
        #[inline(always)]
        unsafe fn transpose(rows: *const i32, stride: usize, columns: *mut i32, step: usize) {
            unsafe { transpose(rows, stride, columns, step) }
        }
        #[inline(always)]
        unsafe fn halves(self) -> [Self; 2] {
            unsafe {
                let (half, eight) = (_mm512_set1_epi8(0x0f), _mm512_set1_epi8(8));
                let lower = _mm512_and_si512(self.0, half);
                let upper = _mm512_and_si512(_mm512_srli_epi32::<4>(self.0), half);
                [Self(_mm512_sub_epi8(lower, eight)), Self(_mm512_sub_epi8(upper, eight))]
            }
        }
        #[inline(always)]
        unsafe fn cells(bytes: [Self; 4]) -> Self {
            unsafe {
                let low = _mm512_set1_epi32(0xff);
                let [first, second, third, fourth] = bytes.map(|bytes| bytes.0);
                let pair = _mm512_or_si512(
                    _mm512_and_si512(first, low),
                    _mm512_slli_epi32::<8>(_mm512_and_si512(second, low)),
                );
                let other = _mm512_or_si512(
                    _mm512_slli_epi32::<16>(_mm512_and_si512(third, low)),
                    _mm512_slli_epi32::<24>(fourth),
                );
                Self(_mm512_or_si512(pair, other))
            }
        }
    };
}
pub(super) use integers_of_512_bits;

// SAFETY: uses AVX-512 F and BW, which the trait's contract makes the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Integers, stated above")]
unsafe impl Integers for Whole {
    integers_of_512_bits!();
    type Left = [__m512i; 2];
    const OFFSET: i32 = 0;

    #[inline(always)]
    unsafe fn left(cell: *const i32) -> [__m512i; 2] {
        unsafe { Whole(_mm512_set1_epi32(cell.read_unaligned())).words() }
    }
    /// As words, because there is no product of signed bytes: the compiler widens weights once for all rows of a tile.
    #[inline(always)]
    unsafe fn plus_products(self, left: [__m512i; 2], weights: Self) -> Self {
        unsafe {
            let [even, odd] = weights.words();
            let sum = _mm512_add_epi32(self.0, _mm512_madd_epi16(left[0], even));
            Whole(_mm512_add_epi32(sum, _mm512_madd_epi16(left[1], odd)))
        }
    }
}

kernels_for!(AVX512, Isa::Avx512, Wide, Whole,
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]);
