//! What this processor can do at most: loops that multiply, or that read, and do nothing else.
//!
//! A kernel is judged by its share of these, measured in the same run and on the same threads:
//!
//! ```
//! use amanuensis_kernels::roof::Roofs;
//! use amanuensis_kernels::{Kernels, Team};
//!
//! let kernels = Kernels::detect()?;
//! let mut team = Team::new(kernels, std::num::NonZeroUsize::MIN);
//! let roofs = Roofs::of(kernels);
//! let threads = team.threads();
//! team.enter(|region| region.split(threads, |_| roofs.multiply_add.run(1000)));
//! let operations = threads as u64 * 1000 * roofs.multiply_add.operations();
//! assert!(operations > 0);
//! # Ok::<(), amanuensis_kernels::UnsupportedIsa>(())
//! ```
//!
//! Such a loop is easily wrong. It has as many sums as hide the latency of two units and as few as stay in registers:
//! where sums go through memory, the figure changes by a third from run to run with the alignment of the stack. Its
//! factors are opaque to the compiler, which would otherwise multiply once, before the loop.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::isa::Isa;
use crate::kernels::Kernels;

/// A loop over one kind of arithmetic on independent sums in registers.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic {
    instruction: &'static str,
    operations: u64,
    run: unsafe fn(steps: usize),
}

impl Arithmetic {
    /// The instruction, or the few of them, that the loop is made of.
    pub fn instruction(&self) -> &'static str {
        self.instruction
    }

    /// Operations in one step; a multiplication and the addition behind it are two.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Takes so many steps.
    pub fn run(&self, steps: usize) {
        // SAFETY: a loop is handed out only by `Roofs::of`, for an instruction set that the processor has.
        unsafe { (self.run)(steps) }
    }
}

/// The loops of one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Roofs {
    /// Multiply-adds in single precision.
    pub multiply_add: Arithmetic,
    /// Products of 8-bit integers, added up in 32 bits.
    pub dot_product: Arithmetic,
    read: unsafe fn(&[f32]) -> f32,
}

impl Roofs {
    /// The loops that go with `kernels`: the same instruction set, which this processor has.
    pub fn of(kernels: &'static Kernels) -> Roofs {
        match kernels.isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => x86_64::amx(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni | Isa::Avx512Vbmi => x86_64::avx512_vnni(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86_64::avx512(),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => x86_64::avx_vnni(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86_64::avx2(),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => aarch64::neon_dot(),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => aarch64::neon(),
            _ => portable::portable(),
        }
    }

    /// Reads all numbers, which is all the time it takes, and gives their sum.
    pub fn read(&self, numbers: &[f32]) -> f32 {
        // SAFETY: as in `Arithmetic::run`.
        unsafe { (self.read)(numbers) }
    }
}
