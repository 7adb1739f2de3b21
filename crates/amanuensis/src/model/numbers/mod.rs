//! How files write numbers, and how they become f32.

mod dtype;
mod multiplied;
mod scaled;
mod tensor;
mod transposed;

use std::fmt;
use std::ops::Range;

use amanuensis_kernels::{Code, Stored};
use serde::{Serialize, Serializer};

pub use dtype::Dtype;
pub use multiplied::Multiplied;
pub use scaled::{Scaled, Whole};
pub use tensor::Tensor;
pub use transposed::Transposed;

/// How the numbers of a tensor are written.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Encoding {
    /// One number behind the other.
    Plain(Dtype),
    /// Whole numbers of few bits that count scales.
    Scaled(Scaled),
    /// A matrix column by column.
    Transposed(Transposed),
    /// Numbers with a factor for every column, which no file has: what smoothing makes of a model.
    Multiplied(Multiplied),
}

impl Encoding {
    /// How many bytes so many numbers take; None where that is more than there are addresses, or where so many numbers
    /// cannot be written in this way.
    pub fn bytes(&self, count: usize) -> Option<usize> {
        match self {
            Self::Plain(dtype) => count.checked_mul(dtype.size()),
            Self::Scaled(scaled) => scaled.bytes(count),
            Self::Transposed(transposed) => transposed.inner.bytes(count),
            Self::Multiplied(multiplied) => multiplied.inner.bytes(count),
        }
    }

    /// How many bytes of scales and zeros go with the numbers, as f32 and i32.
    pub fn scale_bytes(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Scaled(scaled) => 4 * (scaled.scales.len() + scaled.zeros.len()),
            Self::Transposed(transposed) => transposed.inner.scale_bytes(),
            Self::Multiplied(multiplied) => multiplied.inner.scale_bytes(),
        }
    }

    /// Whether weights may be written so.
    pub fn is_weight(&self) -> bool {
        match self {
            Self::Plain(dtype) => dtype.is_weight(),
            Self::Scaled(_) => true,
            Self::Transposed(transposed) => transposed.inner.is_weight(),
            Self::Multiplied(multiplied) => multiplied.inner.is_weight(),
        }
    }
}

impl Code for Encoding {
    fn span(&self, range: Range<usize>) -> Option<Range<usize>> {
        match self {
            Self::Plain(dtype) => Some(range.start * dtype.size()..range.end * dtype.size()),
            Self::Scaled(scaled) => Some(scaled.span(range)),
            Self::Transposed(_) => None,
            Self::Multiplied(multiplied) => multiplied.inner.span(range),
        }
    }

    fn decode(&self, bytes: &[u8], start: usize, into: &mut [f32]) {
        match self {
            Self::Plain(dtype) => plain(*dtype, bytes).read(0, into),
            Self::Scaled(scaled) => scaled.decode(bytes, start, into),
            Self::Transposed(transposed) => transposed.decode(bytes, start, into),
            Self::Multiplied(multiplied) => multiplied.decode(bytes, start, into),
        }
    }
}

/// Numbers of a kind that weights may be of; of another kind there are none.
fn plain(dtype: Dtype, bytes: &[u8]) -> Stored<'_> {
    match dtype {
        Dtype::F32 => Stored::f32(bytes),
        Dtype::F16 => Stored::f16(bytes),
        Dtype::BF16 => Stored::bf16(bytes),
        _ => Stored::f32(&[]),
    }
}

impl From<Dtype> for Encoding {
    fn from(dtype: Dtype) -> Self {
        Self::Plain(dtype)
    }
}

/// `F16`, `I8`, `Q5_1`.
impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(dtype) => dtype.fmt(formatter),
            Self::Scaled(scaled) => scaled.fmt(formatter),
            Self::Transposed(transposed) => transposed.inner.fmt(formatter),
            Self::Multiplied(multiplied) => multiplied.inner.fmt(formatter),
        }
    }
}

impl Serialize for Encoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
