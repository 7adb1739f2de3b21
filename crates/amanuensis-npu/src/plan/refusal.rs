//! Why there is no plan.

use super::OverlayError;

/// A limit of the hardware or of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Steps of a wrap: 1023.
    Wrap,
    /// Words of a step: 2^20.
    Stride,
    /// Passes that differ: 64.
    Iterations,
    /// Passes of a push: 256.
    Passes,
    /// Words of a pass: 2^32 - 1.
    Length,
    /// Bytes of a matrix, and of an offset: 2^31.
    Offset,
    /// Words of a stream.
    Stream,
    /// Tiles that a core counts in a word.
    Tiles,
}

impl Limit {
    pub(super) const fn says(self) -> &'static str {
        match self {
            Self::Wrap => "the steps of a descriptor's dimension",
            Self::Stride => "the words of a descriptor's step",
            Self::Iterations => "the iterations of a descriptor",
            Self::Passes => "the passes of a push",
            Self::Length => "the words of a descriptor",
            Self::Offset => "the bytes of a matrix in its argument",
            Self::Stream => "the words of an instruction stream",
            Self::Tiles => "the tiles that a core counts",
        }
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The overlay cannot exist.
    #[error("the overlay: {0}")]
    Overlay(#[from] OverlayError),
    /// A side of the product is nothing.
    #[error("a product of {m} x {k} by {k} x {n}: no side may be 0")]
    Empty {
        /// Rows of the left factor.
        m: usize,
        /// What is summed over.
        k: usize,
        /// Columns of the right factor.
        n: usize,
    },
    /// A limit that cannot be got round.
    #[error("{what}: {} would be {value}, more than {most}", .limit.says())]
    Limit {
        /// Of which matrix.
        what: &'static str,
        /// Which limit.
        limit: Limit,
        /// What it would be.
        value: u64,
        /// What it may be.
        most: u64,
    },
    /// Something that is not a whole number of words.
    #[error("{what}: {bytes} bytes are not a whole number of 32-bit words")]
    Alignment {
        /// Of which matrix.
        what: &'static str,
        /// Which distance or length.
        bytes: u64,
    },
    /// An argument that a command does not carry.
    #[error("argument {argument}: a command carries {most}", most = crate::txn::MOST_ARGUMENTS)]
    Argument {
        /// Which one.
        argument: u32,
    },
    /// The overlay's cores sum another number of tiles.
    #[error("K = {k} is {needed} tiles, the cores of this overlay always sum {depth}")]
    Depth {
        /// What is summed over.
        k: usize,
        /// Tiles of that.
        needed: u64,
        /// What the cores do.
        depth: u32,
    },
    /// No descriptor is free: the overlay has more streams at a tile than the schedule expects.
    #[error("column {column} has no free buffer descriptor")]
    Descriptors {
        /// Which column.
        column: u8,
    },
}
