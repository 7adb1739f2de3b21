//! The arithmetic of Amanuensis: vector kernels, packed matrices and the thread team. Numbers only.
//!
//! A [`Team`] is made once with the [`Kernels`] of this processor. A pass over a model is a sequential program inside
//! [`Team::enter`]; each operation of the [`Region`] it gets splits its own work over the threads:
//!
//! ```
//! use amanuensis_kernels::{Epilogue, Kernels, PackedMatrix, Team};
//!
//! let kernels = Kernels::detect()?;
//! let mut team = Team::new(kernels, std::num::NonZeroUsize::MIN);
//! let weights = PackedMatrix::pack(kernels, &[1.0, 2.0, 3.0, 4.0][..], 2, 2, Some(&[0.5, 0.5]));
//! let mut out = [0.0; 2];
//! team.enter(|region| region.linear(&[1.0, 1.0], None, &weights, Epilogue::Store, &mut out));
//! assert_eq!(out, [3.5, 7.5]);
//! # Ok::<(), amanuensis_kernels::UnsupportedIsa>(())
//! ```
//!
//! The same input on the same processor gives the same bytes with any number of threads, and a row's result does not
//! depend on the other rows of the call: every sum has one fixed order. No thread changes how the processor treats
//! denormal numbers; instead the exponential is zero below 1e-30, so a softmax makes none.
//!
//! | instruction set | tile, rows x outputs | bytes are multiplied by | how it was checked |
//! |---|---|---|---|
//! | `scalar` | 6 x 8 | plain Rust | every test, on x86-64 and on emulated 64-bit ARM |
//! | `neon` | 12 x 8 | `smull`, `addp`, `sadalp` | every test, on an emulated processor only; its speed is unknown |
//! | `neon-dot` | 12 x 8 | `sdot` | every test, on an emulated processor only; its speed is unknown |
//! | `avx2` | 6 x 16 | `vpmaddubsw`, `vpmaddwd` | every test, on a processor |
//! | `avx-vnni` | 6 x 16 | `vpdpbusd` | every test, on a processor |
//! | `avx512` | 12 x 32 | `vpmaddwd` | every test, on a processor |
//! | `avx512-vnni` | 12 x 32 | `vpdpbusd` | every test, on a processor |
//! | `avx512-vbmi` | 12 x 32 | `vpdpbusd`; probabilities by `vpermi2b` | every test, on a processor |
//! | `amx` | 12 x 32; of bytes 32 x 32 | `tdpbusd`, few rows as `avx512-vbmi` | every test, on a processor |
//!
//! The last of the table that a processor has is used, unless `AMANUENSIS_ISA` names another. That goes for `neon-dot`
//! too, although no processor with its instruction has run it yet: in f32 it is `neon`, and in bytes one instruction of
//! the kind that `avx512-vnni` uses stands where three or four did.
//!
//! `smmla` of 64-bit ARM (i8mm) is not used. It multiplies two rows with two outputs, eight bytes deep: the weights of an
//! output would have to lie eight side by side instead of four, and a register would hold sums of two rows. That is
//! another packing and another inner loop, for processors that all have `sdot`.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod affinity;
mod attention;
mod feed_forward;
mod generic;
mod heads;
mod heap;
mod isa;
mod kernels;
mod keys_values;
mod left;
mod linear;
mod matrix;
mod memory;
mod normal;
mod packing;
mod panels;
mod past;
mod precision;
mod projection;
pub mod reference;
pub mod roof;
mod spectrum;
mod stored;
mod team;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use affinity::PINNING_VARIABLE;
pub use attention::AttentionWeights;
pub use feed_forward::SlicedMatrix;
pub use heap::share_heaps;
pub use isa::{ISA_VARIABLE, Isa, UnsupportedIsa};
pub use kernels::Kernels;
pub use keys_values::KeysValues;
pub use left::Norm;
pub use linear::Epilogue;
pub use matrix::PackedMatrix;
pub use memory::{AlignedBuffer, MappedFile, Number};
pub use past::{Past, Turn};
pub use precision::Precision;
pub use projection::PackedRows;
pub use spectrum::{Band, Spectrum};
pub use stored::{Code, Stored, StoredMatrix};
pub use team::{Region, Team};
