//! The numbers that weights are written as.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::main_encoding;
use crate::model::ModelFile;

/// What the numbers of matrices and convolutions are written as. Not every format has every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// 32 bits.
    F32,
    /// 16 bits, five of them exponent.
    F16,
    /// The upper halves of f32.
    Bf16,
    /// Bytes with a scale for every output.
    Int8,
    /// Four bits with a scale for every 32.
    Int4,
    /// Bytes with a scale for every 32, as ggml has them.
    Q8_0,
    /// Five bits with a scale and a smallest number for every 32, as ggml has them.
    Q5_1,
    /// Five bits with a scale for every 32, as ggml has them.
    Q5_0,
    /// Four bits with a scale and a smallest number for every 32, as ggml has them.
    Q4_1,
    /// Four bits with a scale for every 32, as ggml has them.
    Q4_0,
}

impl Type {
    /// All of them.
    pub const ALL: [Type; 10] = [
        Type::F32,
        Type::F16,
        Type::Bf16,
        Type::Int8,
        Type::Int4,
        Type::Q8_0,
        Type::Q5_1,
        Type::Q5_0,
        Type::Q4_1,
        Type::Q4_0,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Type::F32 => "f32",
            Type::F16 => "f16",
            Type::Bf16 => "bf16",
            Type::Int8 => "int8",
            Type::Int4 => "int4",
            Type::Q8_0 => "q8_0",
            Type::Q5_1 => "q5_1",
            Type::Q5_0 => "q5_0",
            Type::Q4_1 => "q4_1",
            Type::Q4_0 => "q4_0",
        }
    }

    /// The type that most numbers of a model's matrices are of, if it has a name here.
    pub(super) fn of(model: &ModelFile) -> Option<Self> {
        let encoding = main_encoding(model)?.to_ascii_lowercase();
        let name = match encoding.as_str() {
            "i8" => "int8",
            "i4" => "int4",
            other => other,
        };
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A word that names no type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a type of numbers; use one of {names}", names = Type::ALL.map(Type::name).join(", "))]
pub struct UnknownType(String);

impl FromStr for Type {
    type Err = UnknownType;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        // The words of other programs for what has a name of its own here.
        let word = word.trim().to_ascii_lowercase();
        let name = match word.as_str() {
            "float32" | "fp32" => "f32",
            "float16" | "fp16" => "f16",
            "bfloat16" => "bf16",
            other => other,
        };
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownType(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_types() {
        for kind in Type::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("BFloat16".parse(), Ok(Type::Bf16));
        let message = "int3".parse::<Type>().unwrap_err().to_string();
        assert!(message.contains("`int3`") && message.contains("int8"), "{message}");
    }
}
