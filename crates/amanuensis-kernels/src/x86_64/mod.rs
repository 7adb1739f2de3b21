//! Vectors of x86-64.

mod avx2;
mod avx512;

pub(crate) use avx2::AVX2;
pub(crate) use avx512::AVX512;
