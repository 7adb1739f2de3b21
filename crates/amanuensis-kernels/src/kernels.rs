//! The table of kernels: one per instruction set, obtainable only where the processor has the instructions.

use std::sync::LazyLock;

use crate::generic;
use crate::generic::attend::Attend;
use crate::generic::product::Product;
use crate::generic::quantize::{Keys, Quantize, Values};
use crate::generic::spectrum::Frames;
use crate::isa::{Isa, UnsupportedIsa};
use crate::precision::Precision;

type LayerNorm = unsafe fn(input: &[f32], gain: &[f32], bias: &[f32], out: &mut [f32]);

/// The kernels of one instruction set.
///
/// A reference to one is the proof that this processor can run it: [`Kernels::new`] gives none where it cannot, and
/// there is no other way to get one. One call is a tile of rows, a row or more, so calling through a pointer costs
/// nothing that can be measured.
pub struct Kernels {
    pub(crate) isa: Isa,
    /// Rows of the largest product tile.
    pub(crate) tile: usize,
    /// The same for products of bytes.
    pub(crate) tile_of_bytes: usize,
    /// Outputs per packed panel.
    pub(crate) panel: usize,
    /// What is added to a byte of the left side of a product when it is stored.
    pub(crate) offset: i32,
    pub(crate) largest_pair: i32,
    pub(crate) product: unsafe fn(&Product),
    pub(crate) product_of_halves: unsafe fn(&Product),
    pub(crate) product_of_bytes: unsafe fn(&Product),
    pub(crate) product_of_nibbles: unsafe fn(&Product),
    pub(crate) quantize: unsafe fn(&Quantize),
    pub(crate) weights: unsafe fn(numbers: &[f32], cells: &mut [u32]) -> (f32, i32),
    pub(crate) keys: unsafe fn(&Keys),
    pub(crate) values: unsafe fn(&Values),
    pub(crate) attend: unsafe fn(&Attend),
    pub(crate) softmax: unsafe fn(strip: &mut [f32], rows: usize, lengths: &[usize], scales: &mut [f32]),
    pub(crate) layer_norm: LayerNorm,
    pub(crate) gelu: unsafe fn(&mut [f32]),
    pub(crate) exponential: unsafe fn(&mut [f32]),
    pub(crate) log_sum_exp: unsafe fn(&[f32]) -> f32,
    pub(crate) argmax: unsafe fn(&[f32]) -> usize,
    pub(crate) power: unsafe fn(&Frames<'_>),
}

impl Kernels {
    /// The kernels of `isa`, if this machine can run them.
    pub fn new(isa: Isa) -> Option<&'static Kernels> {
        if !isa.lacks().is_empty() {
            return None;
        }
        match isa {
            Isa::Scalar => Some(&generic::SCALAR),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Some(&crate::x86_64::AVX2),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => Some(&crate::x86_64::AVX_VNNI),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Some(&crate::x86_64::AVX512),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => Some(&crate::x86_64::AVX512_VNNI),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vbmi => Some(&crate::x86_64::AVX512_VBMI),
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => Some(&crate::x86_64::AMX),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Some(&crate::aarch64::NEON),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => Some(&crate::aarch64::NEON_DOT),
            // Another architecture's; `lacks` has refused it above.
            _ => None,
        }
    }

    /// The kernels to use: what `AMANUENSIS_ISA` says, or the widest this machine can run.
    pub fn detect() -> Result<&'static Kernels, UnsupportedIsa> {
        let isa = Isa::detect()?;
        Ok(Kernels::new(isa).unwrap_or(&generic::SCALAR))
    }

    /// Those of [`detect`](Kernels::detect), or the plainest where that refuses: for work beside a model, which was refused
    /// then.
    pub fn beside() -> &'static Kernels {
        static BESIDE: LazyLock<&'static Kernels> = LazyLock::new(|| Kernels::detect().unwrap_or(&generic::SCALAR));
        &BESIDE
    }

    /// The instruction set of these kernels.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The largest magnitude of two neighbouring weights together as bytes ([`Precision::Int8`](crate::Precision)), the
    /// first and second of an output, the third and fourth, and so on: 254 where they are free, 128 where their products
    /// are added in a word.
    pub fn largest_pair(&self) -> i32 {
        self.largest_pair
    }

    /// Rows of the largest tile of a product whose left side is of this precision.
    pub(crate) fn tile_of(&self, left: Precision) -> usize {
        match left {
            Precision::F32 | Precision::F16 => self.tile,
            Precision::Int8 | Precision::Int4 => self.tile_of_bytes,
        }
    }

    /// GELU of every number, in place: x Phi(x) with the exact normal distribution, not the tanh approximation.
    pub fn gelu(&self, numbers: &mut [f32]) {
        // SAFETY: a Kernels exists only where its instructions do.
        unsafe { (self.gelu)(numbers) }
    }

    /// e^x of every number, in place, within 2e-7 of the value; zero below e^-69, at most e^88.
    pub fn exponential(&self, numbers: &mut [f32]) {
        // SAFETY: a Kernels exists only where its instructions do.
        unsafe { (self.exponential)(numbers) }
    }

    /// ln(sum of e^x), minus infinity for no numbers: what turns scores into log-probabilities. Scores of minus
    /// infinity (suppressed tokens) count as nothing.
    pub fn log_sum_exp(&self, numbers: &[f32]) -> f32 {
        // SAFETY: a Kernels exists only where its instructions do.
        unsafe { (self.log_sum_exp)(numbers) }
    }

    /// The index of the largest number, the first of several equal ones; zero when there are none.
    pub fn argmax(&self, numbers: &[f32]) -> usize {
        // SAFETY: a Kernels exists only where its instructions do.
        unsafe { (self.argmax)(numbers) }
    }
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Kernels({})", self.isa)
    }
}
