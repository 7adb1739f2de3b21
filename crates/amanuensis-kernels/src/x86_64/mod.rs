//! Vectors of x86-64.

mod amx;
mod amx_attend;
mod avx2;
mod avx512;
mod avx512_vbmi;
mod avx512_vnni;
mod avx_vnni;

pub(crate) use amx::{AMX, Shapes, absent as absent_of_amx};
pub(crate) use avx_vnni::AVX_VNNI;
pub(crate) use avx2::AVX2;
pub(crate) use avx512::AVX512;
pub(crate) use avx512_vbmi::AVX512_VBMI;
pub(crate) use avx512_vnni::AVX512_VNNI;
