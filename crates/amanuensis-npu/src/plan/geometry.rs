//! A product cut into the overlay's tiles: how many there are, and how much memory the padded matrices take.

use super::{Gemm, Limit, Overlay, Refusal};

/// A product cut into tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Rows, inner side and columns that are wanted.
    pub wanted: [usize; 3],
    /// The same padded to whole blocks.
    pub padded: [usize; 3],
    /// Blocks of rows: each is a tile for every row of cores.
    pub row_blocks: u64,
    /// Blocks of columns: each is a tile for every column of cores.
    pub column_blocks: u64,
    /// Tiles that are summed.
    pub depth: u64,
    /// Words of the left factor.
    pub activation_words: usize,
    /// Words of the right factor.
    pub weight_words: usize,
    /// Words of the product.
    pub result_words: usize,
}

/// Bytes of an argument that are used: an offset of 2^31 could not be told from one with what late arguments have added.
pub(super) const MOST_BYTES: u64 = 1 << 31;

impl Geometry {
    /// Cuts a product into an overlay's tiles. The overlay is one that was checked.
    pub fn new(overlay: &Overlay, gemm: &Gemm) -> Result<Self, Refusal> {
        overlay.check()?;
        let (m, k, n) = (gemm.m, gemm.k, gemm.n);
        if m == 0 || k == 0 || n == 0 {
            return Err(Refusal::Empty { m, k, n });
        }
        let tile = overlay.tile;
        let blocks = [tile.m * usize::from(overlay.rows), tile.k, tile.n * usize::from(overlay.columns)];
        let counts = [m.div_ceil(blocks[0]), k.div_ceil(blocks[1]), n.div_ceil(blocks[2])];
        let padded: Vec<Option<usize>> =
            counts.iter().zip(blocks).map(|(count, block)| count.checked_mul(block)).collect();
        let too_long = |what| Refusal::Limit { what, limit: Limit::Offset, value: u64::MAX, most: MOST_BYTES };
        let [Some(rows), Some(inner), Some(columns)] = padded[..] else { return Err(too_long("a side")) };
        let words = |what, one: usize, other: usize, bytes: u64| {
            let total = (one as u64).checked_mul(other as u64).and_then(|count| count.checked_mul(bytes));
            let total = total.filter(|total| *total <= MOST_BYTES).ok_or(too_long(what))?;
            usize::try_from(total / 4).map_err(|_| too_long(what))
        };
        let (input, output) = (overlay.operands.input.bytes(), overlay.operands.output.bytes());
        Ok(Self {
            wanted: [m, k, n],
            padded: [rows, inner, columns],
            row_blocks: counts[0] as u64,
            column_blocks: counts[2] as u64,
            depth: counts[1] as u64,
            activation_words: words("the left factor", rows, inner, input)?,
            weight_words: words("the right factor", inner, columns, input)?,
            result_words: words("the product", rows, columns, output)?,
        })
    }

    /// Products of two numbers that are summed, with the padding.
    pub fn multiply_adds(&self) -> u64 {
        self.padded.iter().map(|side| *side as u64).product()
    }
}
