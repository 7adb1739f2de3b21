//! How exactly a model is computed.

use std::fmt;
use std::str::FromStr;

/// What weights are kept as, and multiplied with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ComputeType {
    /// The fastest that is known to lose nothing: on a CPU f16 where that holds every weight, else f32. No model has
    /// been measured to lose nothing in bytes, so that nothing is decided for who does not ask.
    #[default]
    Auto,
    /// f32 throughout: what the reference implementations compute.
    F32,
    /// Weights in f16 and f32 arithmetic: half the memory, and of weights that are numbers of f16, as Whisper's are, what
    /// f32 computes, to the last bit.
    F16,
    /// Bytes, with a scale for every row: a quarter of the memory, several times the speed.
    Int8,
    /// Bytes, and four bits for the weights of the decoder, with a scale for every 32: less to read for every token.
    Int8Int4,
}

impl ComputeType {
    /// All of them.
    pub const ALL: [ComputeType; 5] =
        [ComputeType::Auto, ComputeType::F32, ComputeType::F16, ComputeType::Int8, ComputeType::Int8Int4];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            ComputeType::Auto => "auto",
            ComputeType::F32 => "f32",
            ComputeType::F16 => "f16",
            ComputeType::Int8 => "int8",
            ComputeType::Int8Int4 => "int8-int4",
        }
    }
}

impl fmt::Display for ComputeType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A word that names no compute type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a compute type; use one of {names}", names = ComputeType::ALL.map(ComputeType::name).join(", "))]
pub struct UnknownComputeType(String);

impl FromStr for ComputeType {
    type Err = UnknownComputeType;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        // The words of CTranslate2 for what has a name of its own here.
        let word = word.trim().to_ascii_lowercase();
        let name = match word.as_str() {
            "float32" => "f32",
            "float16" => "f16",
            "default" => "auto",
            other => other,
        };
        ComputeType::ALL.into_iter().find(|compute| compute.name() == name).ok_or(UnknownComputeType(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_compute_types() {
        for compute in ComputeType::ALL {
            assert_eq!(compute.name().parse(), Ok(compute));
        }
        assert_eq!("float32".parse(), Ok(ComputeType::F32));
        assert_eq!("float16".parse(), Ok(ComputeType::F16));
        let message = "int3".parse::<ComputeType>().unwrap_err().to_string();
        assert!(message.contains("`int3`") && message.contains("int8"), "{message}");
    }
}
