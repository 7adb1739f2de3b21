//! One tensor as it lies in its file.

use std::fmt;

use amanuensis_kernels::{MappedFile, Stored};
use serde::Serialize;

/// The kinds of numbers a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each name is the kind's own")]
pub enum Dtype {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    #[serde(rename = "BOOL")]
    Bool,
}

impl Dtype {
    const ALL: [Self; 13] = [
        Self::F64,
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::I64,
        Self::I32,
        Self::I16,
        Self::I8,
        Self::U64,
        Self::U32,
        Self::U16,
        Self::U8,
        Self::Bool,
    ];

    /// The kind by its name in safetensors.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// The name in safetensors.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::I64 => "I64",
            Self::I32 => "I32",
            Self::I16 => "I16",
            Self::I8 => "I8",
            Self::U64 => "U64",
            Self::U32 => "U32",
            Self::U16 => "U16",
            Self::U8 => "U8",
            Self::Bool => "BOOL",
        }
    }

    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether weights may be of this kind.
    pub fn is_weight(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A tensor: its numbers row by row, little-endian, in the bytes of the file.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// Canonical name, `encoder.layers.0.self_attn.q_proj.weight`.
    pub name: &'a str,
    /// Kind of the numbers.
    pub dtype: Dtype,
    /// Lengths of the axes, the outermost first.
    pub shape: &'a [usize],
    /// The numbers; not necessarily aligned to their size.
    pub bytes: &'a [u8],
    /// The map that the bytes lie in, if they do.
    pub(super) file: Option<&'a MappedFile>,
}

impl<'a> Tensor<'a> {
    /// How many numbers it holds.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// The numbers as weights, to be read or packed.
    ///
    /// # Panics
    /// When the tensor holds no weights: [`super::Weights::tensor`] gives only tensors that do.
    pub fn stored(&self) -> Stored<'a> {
        let stored = match self.dtype {
            Dtype::F32 => Stored::f32(self.bytes),
            Dtype::F16 => Stored::f16(self.bytes),
            Dtype::BF16 => Stored::bf16(self.bytes),
            other => panic!("{} holds {other}, which are not weights", self.name),
        };
        self.file.map_or(stored, |file| stored.in_file(file))
    }

    /// The numbers as f32.
    ///
    /// # Panics
    /// When the tensor holds no weights.
    pub fn to_f32(&self) -> Vec<f32> {
        self.stored().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_weight_becomes_f32() {
        let tensor = |dtype: Dtype, bytes: &[u8]| {
            Tensor { name: "t", dtype, shape: &[bytes.len() / dtype.size()], bytes, file: None }.to_f32()
        };
        assert_eq!(tensor(Dtype::F32, &1.5_f32.to_le_bytes()), [1.5]);
        assert_eq!(tensor(Dtype::F16, &[0x00, 0x3e, 0x00, 0xbc]), [1.5, -1.0]);
        assert_eq!(tensor(Dtype::BF16, &[0xc0, 0x3f, 0x80, 0xbf]), [1.5, -1.0]);
        assert!(tensor(Dtype::F16, &[]).is_empty());
    }

    #[test]
    fn names_lead_back_to_kinds() {
        for dtype in Dtype::ALL {
            assert_eq!(Dtype::named(dtype.name()), Some(dtype));
        }
        assert_eq!(Dtype::named("F4"), None);
    }
}
