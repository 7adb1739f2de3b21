//! What this processor can do, and which of it is used.

use std::fmt;
use std::str::FromStr;

/// The environment variable that forces one instruction set.
pub const ISA_VARIABLE: &str = "AMANUENSIS_ISA";

/// Those of the features that this processor has not, or the architecture if it is of another.
macro_rules! lacking {
    (x86_64: $($feature:tt)*) => {{
        #[cfg(target_arch = "x86_64")]
        {
            absent([$(($feature, is_x86_feature_detected!($feature))),*])
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            vec!["an x86-64 processor"]
        }
    }};
    (aarch64: $($feature:tt)*) => {{
        #[cfg(target_arch = "aarch64")]
        {
            absent([$(($feature, std::arch::is_aarch64_feature_detected!($feature))),*])
        }
        #[cfg(not(target_arch = "aarch64"))]
        {
            vec!["a 64-bit ARM processor"]
        }
    }};
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn absent<const N: usize>(features: [(&'static str, bool); N]) -> Vec<&'static str> {
    features.into_iter().filter(|(_, present)| !present).map(|(feature, _)| feature).collect()
}

/// An instruction set for which kernels exist, from the plainest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// Portable Rust, no instruction beyond what every processor of the target has.
    Scalar,
    /// 128-bit vectors of 64-bit ARM.
    Neon,
    /// 128-bit vectors with dot products of bytes on 64-bit ARM.
    NeonDot,
    /// 256-bit vectors with fused multiply-add on x86-64.
    Avx2,
    /// 256-bit vectors with dot products of bytes on x86-64, for processors without 512-bit vectors.
    AvxVnni,
    /// 512-bit vectors on x86-64.
    Avx512,
    /// 512-bit vectors with dot products of bytes on x86-64.
    Avx512Vnni,
    /// The same with tables of bytes.
    Avx512Vbmi,
    /// Tiles of bytes beside 512-bit vectors with dot products and tables of bytes on x86-64.
    Amx,
}

/// Why an instruction set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedIsa {
    /// The word names no instruction set.
    #[error("{ISA_VARIABLE}: `{word}` is not an instruction set; use one of {names}, or unset it", names = Isa::names(&Isa::ALL))]
    Unknown {
        /// The word that was given.
        word: String,
    },
    /// The processor lacks it.
    #[error("{ISA_VARIABLE}: {isa} cannot run here, this machine lacks {lacks}; available: {available}")]
    Missing {
        /// The instruction set asked for.
        isa: Isa,
        /// What the processor lacks, comma separated.
        lacks: String,
        /// The instruction sets that would run, comma separated.
        available: String,
    },
}

impl Isa {
    /// Every instruction set there is, from the plainest to the widest.
    pub const ALL: [Isa; 9] = [
        Isa::Scalar,
        Isa::Neon,
        Isa::NeonDot,
        Isa::Avx2,
        Isa::AvxVnni,
        Isa::Avx512,
        Isa::Avx512Vnni,
        Isa::Avx512Vbmi,
        Isa::Amx,
    ];

    /// The word that selects this instruction set.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Neon => "neon",
            Isa::NeonDot => "neon-dot",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avx-vnni",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512-vnni",
            Isa::Avx512Vbmi => "avx512-vbmi",
            Isa::Amx => "amx",
        }
    }

    /// Words for several, comma separated.
    fn names(of: &[Isa]) -> String {
        of.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ")
    }

    /// What this machine lacks to run the kernels of this instruction set; empty when it can.
    pub fn lacks(self) -> Vec<&'static str> {
        match self {
            Isa::Scalar => Vec::new(),
            Isa::Neon => lacking!(aarch64: "neon"),
            Isa::NeonDot => lacking!(aarch64: "neon" "dotprod"),
            Isa::Avx2 => lacking!(x86_64: "avx2" "fma" "f16c"),
            Isa::AvxVnni => lacking!(x86_64: "avx2" "fma" "f16c" "avxvnni"),
            Isa::Avx512 => lacking!(x86_64: "avx2" "fma" "avx512f" "avx512vl" "avx512bw" "avx512dq"),
            Isa::Avx512Vnni => {
                lacking!(x86_64: "avx2" "fma" "avx512f" "avx512vl" "avx512bw" "avx512dq" "avx512vnni")
            }
            Isa::Avx512Vbmi => {
                lacking!(x86_64: "avx2" "fma" "avx512f" "avx512vl" "avx512bw" "avx512dq" "avx512vnni" "avx512vbmi")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => [Isa::Avx512Vbmi.lacks(), crate::x86_64::absent_of_amx()].concat(),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Amx => Isa::Avx512Vbmi.lacks(),
        }
    }

    /// The instruction sets this machine can run, from the plainest to the widest; never empty.
    pub fn available() -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.lacks().is_empty()).collect()
    }

    /// The one to use: what `AMANUENSIS_ISA` says, or the widest available.
    ///
    /// A forced instruction set that the machine lacks is an error, never a silent step down: a measurement or a test
    /// under that name would be about something else.
    pub fn detect() -> Result<Isa, UnsupportedIsa> {
        match std::env::var_os(ISA_VARIABLE) {
            None => Ok(Isa::widest()),
            Some(word) if word.is_empty() => Ok(Isa::widest()),
            Some(word) => word.to_string_lossy().parse::<Isa>()?.require(),
        }
    }

    /// This instruction set if the machine can run it.
    pub fn require(self) -> Result<Isa, UnsupportedIsa> {
        let lacks = self.lacks();
        if lacks.is_empty() {
            return Ok(self);
        }
        let available = Isa::names(&Isa::available());
        Err(UnsupportedIsa::Missing { isa: self, lacks: lacks.join(", "), available })
    }

    /// The last of the table that this processor has.
    pub fn widest() -> Isa {
        Isa::ALL.into_iter().rev().find(|isa| isa.lacks().is_empty()).unwrap_or(Isa::Scalar)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = UnsupportedIsa;

    fn from_str(word: &str) -> Result<Isa, UnsupportedIsa> {
        let wanted = word.trim().to_ascii_lowercase();
        let known = Isa::ALL.into_iter().find(|isa| isa.name() == wanted);
        known.ok_or_else(|| UnsupportedIsa::Unknown { word: word.to_owned() })
    }
}
