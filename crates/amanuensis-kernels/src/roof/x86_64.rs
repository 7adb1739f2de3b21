//! Roofs of x86-64.

use std::arch::asm;
use std::arch::x86_64::*;
use std::hint::black_box;

use super::{Arithmetic, Roofs};
use crate::x86_64::Shapes;

/// Numbers that the loops for reading take at a time.
const CHUNK: usize = 96;

pub(super) fn avx512_vnni() -> Roofs {
    let dot_product =
        Arithmetic { instruction: "vpdpbusd, 512 bits", operations: 12 * 64 * 2, run: dot_product_512_vnni };
    Roofs { dot_product, ..avx512() }
}

pub(super) fn avx512() -> Roofs {
    Roofs {
        multiply_add: Arithmetic { instruction: "vfmadd, 512 bits", operations: 12 * 16 * 2, run: multiply_add_512 },
        dot_product: Arithmetic {
            instruction: "vpmaddubsw + vpmaddwd, 512 bits",
            operations: 6 * 64 * 2,
            run: dot_product_512,
        },
        read: read_512,
    }
}

pub(super) fn amx() -> Roofs {
    let dot_product =
        Arithmetic { instruction: "tdpbusd, tiles", operations: 6 * 16 * 16 * 64 * 2, run: dot_product_of_tiles };
    Roofs { dot_product, ..avx512_vnni() }
}

pub(super) fn avx_vnni() -> Roofs {
    let dot_product =
        Arithmetic { instruction: "vpdpbusd, 256 bits", operations: 10 * 32 * 2, run: dot_product_256_vnni };
    Roofs { dot_product, ..avx2() }
}

pub(super) fn avx2() -> Roofs {
    Roofs {
        multiply_add: Arithmetic { instruction: "vfmadd, 256 bits", operations: 10 * 8 * 2, run: multiply_add_256 },
        dot_product: Arithmetic {
            instruction: "vpmaddubsw + vpmaddwd, 256 bits",
            operations: 6 * 32 * 2,
            run: dot_product_256,
        },
        read: read_256,
    }
}

#[target_feature(enable = "avx512f")]
fn multiply_add_512(steps: usize) {
    let mut sums = black_box([_mm512_set1_ps(1.0); 12]);
    let (a, b) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, a, b);
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx2,fma")]
fn multiply_add_256(steps: usize) {
    let mut sums = black_box([_mm256_set1_ps(1.0); 10]);
    let (a, b) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, a, b);
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn dot_product_512_vnni(steps: usize) {
    let mut sums = black_box([_mm512_setzero_si512(); 12]);
    let (a, b) = (_mm512_set1_epi8(black_box(3)), _mm512_set1_epi8(black_box(5)));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, a, b);
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx2,avxvnni")]
fn dot_product_256_vnni(steps: usize) {
    let mut sums = black_box([_mm256_setzero_si256(); 10]);
    let (a, b) = (_mm256_set1_epi8(black_box(3)), _mm256_set1_epi8(black_box(5)));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm256_dpbusd_avx_epi32(*sum, a, b);
        }
    }
    black_box(sums);
}

/// Six tiles of sums and two of factors, all of them 16 x 64 bytes. Loading the shapes sets them to zero, which takes no
/// less time to multiply.
fn dot_product_of_tiles(steps: usize) {
    let shapes = Shapes::new(32);
    // SAFETY: the caller has these instructions, which read nothing but the shapes.
    unsafe {
        asm!(
            "ldtilecfg [{shapes}]",
            "test {steps}, {steps}",
            "jz 3f",
            "2:",
            "tdpbusd tmm0, tmm6, tmm7",
            "tdpbusd tmm1, tmm6, tmm7",
            "tdpbusd tmm2, tmm6, tmm7",
            "tdpbusd tmm3, tmm6, tmm7",
            "tdpbusd tmm4, tmm6, tmm7",
            "tdpbusd tmm5, tmm6, tmm7",
            "dec {steps}",
            "jnz 2b",
            "3:",
            "tilerelease",
            shapes = in(reg) &shapes,
            steps = inout(reg) steps => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// Six sums and six factors of their own: with one factor for all, the compiler would multiply once for all.
#[target_feature(enable = "avx512f,avx512bw")]
fn dot_product_512(steps: usize) {
    let factors = black_box([_mm512_set1_epi8(3); 6]);
    let mut sums = black_box([_mm512_setzero_si512(); 6]);
    let (mut b, ones) = (_mm512_set1_epi8(black_box(5)), _mm512_set1_epi16(1));
    for _ in 0..steps {
        // SAFETY: no instruction at all; the compiler may not assume that `b` stays what it was.
        unsafe { asm!("/* {0} */", inout(zmm_reg) b, options(pure, nomem, nostack, preserves_flags)) };
        for (sum, a) in sums.iter_mut().zip(factors) {
            *sum = _mm512_add_epi32(*sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), ones));
        }
    }
    black_box(sums);
}

/// As [`dot_product_512`].
#[target_feature(enable = "avx2")]
fn dot_product_256(steps: usize) {
    let factors = black_box([_mm256_set1_epi8(3); 6]);
    let mut sums = black_box([_mm256_setzero_si256(); 6]);
    let (mut b, ones) = (_mm256_set1_epi8(black_box(5)), _mm256_set1_epi16(1));
    for _ in 0..steps {
        // SAFETY: as above.
        unsafe { asm!("/* {0} */", inout(ymm_reg) b, options(pure, nomem, nostack, preserves_flags)) };
        for (sum, a) in sums.iter_mut().zip(factors) {
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
    }
    black_box(sums);
}

#[target_feature(enable = "avx512f")]
fn read_512(numbers: &[f32]) -> f32 {
    let chunks = numbers.chunks_exact(CHUNK);
    let rest: f32 = chunks.remainder().iter().sum();
    let mut sums = [_mm512_setzero_ps(); CHUNK / 16];
    for chunk in chunks {
        for (row, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the last of the rows ends with the chunk.
            *sum = _mm512_add_ps(*sum, unsafe { _mm512_loadu_ps(chunk.as_ptr().wrapping_add(16 * row)) });
        }
    }
    sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum::<f32>() + rest
}

#[target_feature(enable = "avx2")]
fn read_256(numbers: &[f32]) -> f32 {
    let chunks = numbers.chunks_exact(CHUNK);
    let rest: f32 = chunks.remainder().iter().sum();
    let mut sums = [_mm256_setzero_ps(); CHUNK / 8];
    for chunk in chunks {
        for (row, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the last of the rows ends with the chunk.
            *sum = _mm256_add_ps(*sum, unsafe { _mm256_loadu_ps(chunk.as_ptr().wrapping_add(8 * row)) });
        }
    }
    let mut all = [0.0_f32; CHUNK];
    for (row, sum) in sums.iter().enumerate() {
        // SAFETY: there is room for all rows.
        unsafe { _mm256_storeu_ps(all.as_mut_ptr().wrapping_add(8 * row), *sum) };
    }
    all.iter().sum::<f32>() + rest
}
