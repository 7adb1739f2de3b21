//! 512-bit registers on processors that look up the bytes of a register in others (VBMI): the probabilities of attention.
//!
//! A table of 256 tells a power of two to 28 steps of a doubling: 1.2 % beside the right number at most, where a byte is
//! up to 0.2 % of the largest beside it. What an encoder makes of it is as far from f32 as before.

use std::arch::x86_64::*;

use super::AVX512_VNNI;
use super::avx512::Wide;
use super::avx512_vnni::Whole;
use crate::generic::attend::{Attend, attend as attend_with};
use crate::generic::softmax::Probabilities;
use crate::isa::Isa;
use crate::kernels::Kernels;

pub(crate) static AVX512_VBMI: Kernels = Kernels { isa: Isa::Avx512Vbmi, attend, ..AVX512_VNNI };

/// As the attention of any instruction set.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,avx512vbmi,avx2,fma")]
unsafe fn attend(job: &Attend) {
    // SAFETY: the caller keeps the contract of Attend, and the processor has these instructions (Kernels::new).
    unsafe { attend_with::<Whole, LookedUp>(job) }
}

/// Each from a table of 256, in four registers.
pub(super) struct LookedUp;

/// Steps of a power of two. The first of the table is half of the smallest byte that is not zero.
const STEPS: f64 = 255.0 / 9.0;

#[repr(align(64))]
struct Table([u8; 256]);

static TABLE: Table = Table(table());

const fn table() -> [u8; 256] {
    let mut table = [0; 256];
    // 2^(1 / STEPS), so that 255 factors are 512.
    let factor = 1.024_766_114_7;
    let mut at = 255;
    let mut probability: f64 = 255.0;
    loop {
        table[at] = (probability + 0.5) as u8;
        if at == 0 {
            return table;
        }
        probability /= factor;
        at -= 1;
    }
}

// What is far below counts nothing.
const _: () = assert!(TABLE.0[0] == 0 && TABLE.0[1] == 1 && TABLE.0[255] == 255);

// SAFETY: uses AVX-512 F, BW, VBMI and VNNI, which the trait's contract makes the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all: the contract of Probabilities, stated above")]
unsafe impl Probabilities<Whole> for LookedUp {
    const STEPS: f32 = STEPS as f32;

    fn largest() -> f32 {
        255.0
    }
    #[inline(always)]
    unsafe fn store(steps: [Wide; 4], to: *mut u8, total: Whole) -> Whole {
        unsafe {
            let [first, second, third, fourth] = steps.map(|steps| _mm512_cvtps_epi32(steps.0));
            // What is far below becomes the first of the table.
            let low = _mm512_packs_epi32(first, second);
            let high = _mm512_packs_epi32(third, fourth);
            let index = _mm512_packus_epi16(low, high);
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let index = _mm512_permutexvar_epi32(order, index);
            let part = |at: usize| _mm512_load_si512(TABLE.0.as_ptr().add(64 * at).cast());
            let lower = _mm512_permutex2var_epi8(part(0), index, part(1));
            let upper = _mm512_permutex2var_epi8(part(2), index, part(3));
            let bytes = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), lower, upper);
            _mm512_storeu_si512(to.cast(), bytes);
            Whole(_mm512_dpbusd_epi32(total.0, bytes, _mm512_set1_epi8(1)))
        }
    }
}
