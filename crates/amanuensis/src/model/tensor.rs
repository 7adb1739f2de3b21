//! One tensor as it lies in its file.

use std::fmt;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
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
}

/// Numbers converted at a time: the copy that aligns them stays in the first-level cache.
const BLOCK: usize = 1024;

impl Tensor<'_> {
    /// How many numbers it holds.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// The numbers as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.count()];
        self.read_f32(&mut numbers);
        numbers
    }

    /// Writes the numbers as f32.
    ///
    /// # Panics
    /// When `output` is not as long as the tensor, or the tensor holds no weights: [`super::Weights::tensor`] gives
    /// only tensors that do.
    pub fn read_f32(&self, output: &mut [f32]) {
        assert_eq!(output.len(), self.count(), "the length of {}", self.name);
        match self.dtype {
            Dtype::F32 => {
                for (number, bytes) in output.iter_mut().zip(self.bytes.as_chunks().0) {
                    *number = f32::from_le_bytes(*bytes);
                }
            }
            Dtype::F16 => self.convert(output, [f16::ZERO; BLOCK], f16::from_le_bytes),
            Dtype::BF16 => self.convert(output, [bf16::ZERO; BLOCK], bf16::from_le_bytes),
            other => panic!("{} holds {other}, which are not weights", self.name),
        }
    }

    fn convert<H: Copy>(&self, output: &mut [f32], mut block: [H; BLOCK], from_bytes: impl Fn([u8; 2]) -> H)
    where
        [H]: HalfFloatSliceExt,
    {
        for (numbers, bytes) in output.chunks_mut(BLOCK).zip(self.bytes.chunks(2 * BLOCK)) {
            let block = &mut block[..numbers.len()];
            for (half, bytes) in block.iter_mut().zip(bytes.as_chunks().0) {
                *half = from_bytes(*bytes);
            }
            block.convert_to_f32_slice(numbers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
        Tensor { name: "t", dtype, shape: &[bytes.len() / dtype.size()], bytes }.to_f32()
    }

    #[test]
    fn every_kind_of_weight_becomes_f32_whatever_its_alignment() {
        let values: Vec<f32> = (0..2500).map(|number| (number as f32 - 1250.0) / 8.0).collect();
        let stored = |bytes: Vec<u8>| [vec![0], bytes].concat();
        let f32s = stored(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        let f16s = stored(values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect());
        let bf16s = stored(values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect());
        assert_eq!(tensor(Dtype::F32, &f32s[1..]), values);
        assert_eq!(tensor(Dtype::F16, &f16s[1..]), values);
        let rounded: Vec<f32> = values.iter().map(|value| bf16::from_f32(*value).to_f32()).collect();
        assert_eq!(tensor(Dtype::BF16, &bf16s[1..]), rounded);
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
