//! What this processor can do, and which of it is used.

use std::fmt;
use std::str::FromStr;

/// The environment variable that forces one instruction set.
pub const ISA_VARIABLE: &str = "AMANUENSIS_ISA";

/// An instruction set for which kernels exist, from the plainest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// Portable Rust, no instruction beyond what every processor of the target has.
    Scalar,
    /// 128-bit vectors of 64-bit ARM.
    Neon,
    /// 256-bit vectors with fused multiply-add on x86-64.
    Avx2,
    /// 512-bit vectors on x86-64.
    Avx512,
    /// 512-bit vectors with dot products of bytes on x86-64.
    Avx512Vnni,
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
    pub const ALL: [Isa; 5] = [Isa::Scalar, Isa::Neon, Isa::Avx2, Isa::Avx512, Isa::Avx512Vnni];

    /// The word that selects this instruction set.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Neon => "neon",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512-vnni",
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
            Isa::Neon => lacks_neon(),
            Isa::Avx2 => lacks_avx2(),
            Isa::Avx512 => lacks_avx512(),
            Isa::Avx512Vnni => lacks_avx512_vnni(),
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

    fn widest() -> Isa {
        Isa::available().into_iter().next_back().unwrap_or(Isa::Scalar)
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

#[cfg(target_arch = "x86_64")]
fn lacks_avx2() -> Vec<&'static str> {
    let mut lacks = Vec::new();
    if !is_x86_feature_detected!("avx2") {
        lacks.push("avx2");
    }
    if !is_x86_feature_detected!("fma") {
        lacks.push("fma");
    }
    lacks
}

#[cfg(target_arch = "x86_64")]
fn lacks_avx512() -> Vec<&'static str> {
    let mut lacks = lacks_avx2();
    if !is_x86_feature_detected!("avx512f") {
        lacks.push("avx512f");
    }
    if !is_x86_feature_detected!("avx512vl") {
        lacks.push("avx512vl");
    }
    if !is_x86_feature_detected!("avx512bw") {
        lacks.push("avx512bw");
    }
    if !is_x86_feature_detected!("avx512dq") {
        lacks.push("avx512dq");
    }
    lacks
}

#[cfg(target_arch = "x86_64")]
fn lacks_avx512_vnni() -> Vec<&'static str> {
    let mut lacks = lacks_avx512();
    if !is_x86_feature_detected!("avx512vnni") {
        lacks.push("avx512vnni");
    }
    lacks
}

#[cfg(not(target_arch = "x86_64"))]
fn lacks_avx512_vnni() -> Vec<&'static str> {
    vec!["an x86-64 processor"]
}

#[cfg(not(target_arch = "x86_64"))]
fn lacks_avx2() -> Vec<&'static str> {
    vec!["an x86-64 processor"]
}

#[cfg(not(target_arch = "x86_64"))]
fn lacks_avx512() -> Vec<&'static str> {
    vec!["an x86-64 processor"]
}

#[cfg(target_arch = "aarch64")]
fn lacks_neon() -> Vec<&'static str> {
    if std::arch::is_aarch64_feature_detected!("neon") { Vec::new() } else { vec!["neon"] }
}

#[cfg(not(target_arch = "aarch64"))]
fn lacks_neon() -> Vec<&'static str> {
    vec!["a 64-bit ARM processor"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_instruction_sets() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        assert_eq!(" AVX2 ".parse(), Ok(Isa::Avx2));
        let message = "mmx".parse::<Isa>().unwrap_err().to_string();
        assert!(message.contains("`mmx`") && message.contains("scalar"), "{message}");
    }

    #[test]
    fn the_absent_is_refused_by_name() {
        assert!(Isa::available().contains(&Isa::Scalar));
        for isa in Isa::ALL {
            if isa.lacks().is_empty() {
                assert_eq!(isa.require(), Ok(isa));
            } else {
                let message = isa.require().unwrap_err().to_string();
                assert!(message.contains(isa.name()) && message.contains("lacks"), "{message}");
            }
        }
    }
}
