//! One tensor as it lies in its file.

use amanuensis_kernels::{MappedFile, Stored};

use super::{Dtype, Encoding};

/// A tensor: its numbers row by row, little-endian, in the bytes of the file.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// Canonical name, `encoder.layers.0.self_attn.q_proj.weight`.
    pub name: &'a str,
    /// How the numbers are written.
    pub encoding: &'a Encoding,
    /// Lengths of the axes, the outermost first.
    pub shape: &'a [usize],
    /// What the numbers are made of; not necessarily aligned to their size.
    pub bytes: &'a [u8],
    /// The map that the bytes lie in, if they do.
    pub(in crate::model) file: Option<&'a MappedFile>,
}

impl<'a> Tensor<'a> {
    /// How many numbers it holds.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes that the files spend on it: those of the numbers and those of what says how they count.
    pub fn stored_bytes(&self) -> usize {
        self.bytes.len() + self.encoding.scale_bytes()
    }

    /// The numbers as weights, to be read or packed.
    ///
    /// # Panics
    /// When the tensor holds no weights: [`Weights::tensor`](crate::model::Weights::tensor) gives only tensors that do.
    pub fn stored(&self) -> Stored<'a> {
        let stored = match self.encoding {
            Encoding::Plain(Dtype::F32) => Stored::f32(self.bytes),
            Encoding::Plain(Dtype::F16) => Stored::f16(self.bytes),
            Encoding::Plain(Dtype::BF16) => Stored::bf16(self.bytes),
            Encoding::Plain(other) => panic!("{} holds {other}, which are not weights", self.name),
            coded => Stored::coded(coded, self.count(), self.bytes),
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
            let (encoding, shape) = (Encoding::Plain(dtype), [bytes.len() / dtype.size()]);
            Tensor { name: "t", encoding: &encoding, shape: &shape, bytes, file: None }.to_f32()
        };
        assert_eq!(tensor(Dtype::F32, &1.5_f32.to_le_bytes()), [1.5]);
        assert_eq!(tensor(Dtype::F16, &[0x00, 0x3e, 0x00, 0xbc]), [1.5, -1.0]);
        assert_eq!(tensor(Dtype::BF16, &[0xc0, 0x3f, 0x80, 0xbf]), [1.5, -1.0]);
        assert!(tensor(Dtype::F16, &[]).is_empty());
    }
}
