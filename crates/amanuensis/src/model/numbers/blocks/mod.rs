//! ggml's blocks: 32 or 256 numbers that share their scales, the scales in front of or behind them.
//!
//! A row of a matrix is a whole number of blocks, so blocks never reach from one row into the next.

mod encode;
mod kinds;
mod large;
mod small;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

pub(in crate::model) use kinds::{kind_of, number_of};

/// The kinds of blocks. The digit says how many bits a number takes; `_0` has a scale, `_1` a scale and a lowest number;
/// `K` are blocks of 256 whose parts have scales of few bits, which count scales of the whole block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each name is the kind's own")]
pub enum Block {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Q8K,
}

impl Block {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
        Self::Q8K,
    ];

    /// How many numbers a block holds.
    pub fn length(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => small::LENGTH,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K | Self::Q8K => large::LENGTH,
        }
    }

    /// How many bytes a block takes.
    pub fn size(self) -> usize {
        match self {
            Self::Q4_0 => small::Q4_0,
            Self::Q4_1 => small::Q4_1,
            Self::Q5_0 => small::Q5_0,
            Self::Q5_1 => small::Q5_1,
            Self::Q8_0 => small::Q8_0,
            Self::Q2K => large::Q2,
            Self::Q3K => large::Q3,
            Self::Q4K => large::Q4,
            Self::Q5K => large::Q5,
            Self::Q6K => large::Q6,
            Self::Q8K => large::Q8,
        }
    }

    /// ggml's name: `Q5_1`, `Q4_K`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
            Self::Q8K => "Q8_K",
        }
    }

    /// Numbers as blocks; None for the K kinds, which are only read, and where the last block is not full.
    ///
    /// The rounding is that of ggml's reference, so the bytes are those that whisper.cpp's own tool makes of these numbers.
    pub fn encode(self, numbers: &[f32]) -> Option<Vec<u8>> {
        encode::encode(self, numbers)
    }

    pub(super) fn bytes(self, count: usize) -> Option<usize> {
        if count.is_multiple_of(self.length()) { (count / self.length()).checked_mul(self.size()) } else { None }
    }

    pub(super) fn span(self, range: Range<usize>) -> Range<usize> {
        range.start / self.length() * self.size()..range.end.div_ceil(self.length()) * self.size()
    }

    /// As [`amanuensis_kernels::Code::decode`].
    pub(super) fn decode(self, bytes: &[u8], start: usize, into: &mut [f32]) {
        match self {
            Self::Q4_0 => each(bytes, start, into, small::q4_0),
            Self::Q4_1 => each(bytes, start, into, small::q4_1),
            Self::Q5_0 => each(bytes, start, into, small::q5_0),
            Self::Q5_1 => each(bytes, start, into, small::q5_1),
            Self::Q8_0 => each(bytes, start, into, small::q8_0),
            Self::Q2K => each(bytes, start, into, large::q2),
            Self::Q3K => each(bytes, start, into, large::q3),
            Self::Q4K => each(bytes, start, into, large::q4),
            Self::Q5K => each(bytes, start, into, large::q5),
            Self::Q6K => each(bytes, start, into, large::q6),
            Self::Q8K => each(bytes, start, into, large::q8),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Unpacks block after block. The first may be wanted from its middle, the last up to its middle.
fn each<const SIZE: usize, const LENGTH: usize>(
    bytes: &[u8],
    start: usize,
    mut into: &mut [f32],
    unpack: impl Fn(&[u8; SIZE], &mut [f32; LENGTH]),
) {
    let mut skip = start % LENGTH;
    for block in bytes.as_chunks::<SIZE>().0 {
        let (part, rest) = into.split_at_mut((LENGTH - skip).min(into.len()));
        match <&mut [f32; LENGTH]>::try_from(&mut *part) {
            Ok(whole) => unpack(block, whole),
            Err(_) => {
                let mut whole = [0.0; LENGTH];
                unpack(block, &mut whole);
                part.copy_from_slice(&whole[skip..skip + part.len()]);
            }
        }
        (into, skip) = (rest, 0);
    }
}
