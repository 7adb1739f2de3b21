//! The left side of a product: rows of numbers, packed a tile at a time.

use crate::generic::product::{CHUNK, pack_tile, packed_tile};
use crate::generic::quantize::Quantize;
use crate::kernels::Kernels;
use crate::matrix::{PackedMatrix, cells};
use crate::precision::Precision;

/// A layer norm that rows pass on their way into a product: (x - mean) / sqrt(variance + 1e-5) * gain + bias.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// What each number is multiplied with.
    pub gain: &'a [f32],
    /// What is added to it.
    pub bias: &'a [f32],
}

/// Rows of input, possibly overlapping: row r starts at `r * stride`.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Whoever makes these promises that they may be read for all rows, while nobody writes them.
    pub(crate) numbers: *const f32,
    pub(crate) stride: usize,
    pub(crate) width: usize,
    pub(crate) count: usize,
    pub(crate) norm: Option<Norm<'a>>,
}

impl<'a> Rows<'a> {
    /// The rows of a matrix.
    pub(crate) fn of(numbers: &'a [f32], width: usize, norm: Option<Norm<'a>>) -> Rows<'a> {
        assert!(width > 0 && numbers.len().is_multiple_of(width), "{} numbers are not rows of {width}", numbers.len());
        if let Some(Norm { gain, bias }) = norm {
            let (gains, biases) = (gain.len(), bias.len());
            assert!(gains == width && biases == width, "a norm of {gains} and {biases} for rows of {width}");
        }
        Rows { numbers: numbers.as_ptr(), stride: width, width, count: numbers.len() / width, norm }
    }
}

/// How the tiles of some rows lie in memory once packed: for each tile its cells, then a scale for each row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    pub(crate) kernels: &'static Kernels,
    pub(crate) precision: Precision,
    pub(crate) width: usize,
}

impl PartialEq for Tiles {
    fn eq(&self, other: &Tiles) -> bool {
        std::ptr::eq(self.kernels, other.kernels) && (self.precision, self.width) == (other.precision, other.width)
    }
}

impl Tiles {
    /// Those of rows that are multiplied with `weights`.
    pub(crate) fn of(kernels: &'static Kernels, weights: &PackedMatrix) -> Tiles {
        Tiles { kernels, precision: weights.precision().of_input(), width: weights.inputs() }
    }

    /// Rows of a whole tile.
    pub(crate) fn tile(&self) -> usize {
        self.kernels.tile_of(self.precision)
    }

    fn cells(&self) -> usize {
        packed_tile(self.tile(), cells(self.precision, self.width))
    }

    /// Numbers that a packed tile takes.
    pub(crate) fn size(&self) -> usize {
        self.cells() + self.tile().next_multiple_of(CHUNK)
    }

    /// Numbers of working memory that packing takes.
    pub(crate) fn scratch(&self, norm: bool) -> usize {
        if norm { self.tile() * self.width.next_multiple_of(CHUNK) } else { 0 }
    }

    /// How many rows tile `number` of so many rows has: the last may be short.
    pub(crate) fn rows(&self, number: usize, count: usize) -> usize {
        self.tile().min(count - number * self.tile())
    }

    /// Pack the tile that begins at row `first`.
    ///
    /// # Safety
    /// The numbers of the rows `first .. first + count` may be read, and nobody writes them meanwhile.
    pub(crate) unsafe fn pack(
        &self,
        rows: &Rows<'_>,
        first: usize,
        count: usize,
        packed: &mut [f32],
        scratch: &mut [f32],
    ) {
        let Tiles { kernels, precision, width } = *self;
        assert!(count <= self.tile() && rows.width == width && packed.len() >= self.size());
        let length = if count == 0 { 0 } else { (count - 1) * rows.stride + width };
        // SAFETY: the caller's promise.
        let plain = unsafe { std::slice::from_raw_parts(rows.numbers.add(first * rows.stride), length) };
        let (numbers, stride) = match rows.norm {
            None => (plain, rows.stride),
            Some(Norm { gain, bias }) => {
                let normed = &mut scratch[..count * width];
                assert!(rows.stride == width && gain.len() == width && bias.len() == width);
                // SAFETY: a Kernels exists only where its instructions do.
                unsafe { (kernels.layer_norm)(plain, gain, bias, normed) }
                (&*normed, width)
            }
        };
        let (tile, scales) = packed.split_at_mut(self.cells());
        match precision {
            Precision::F32 | Precision::F16 => pack_tile(numbers, stride, count, width, 1.0, tile),
            Precision::Int8 | Precision::Int4 => {
                let job = Quantize {
                    from: numbers.as_ptr(),
                    stride,
                    rows: count,
                    inner: width,
                    to: tile.as_mut_ptr().cast(),
                    scales: scales.as_mut_ptr(),
                };
                // SAFETY: `numbers` holds the rows; the tile has room for whole chunks of cells and a scale for every
                // row of the largest tile. The kernels run here because they exist.
                unsafe { (kernels.quantize)(&job) }
            }
        }
    }

    /// The cells of a packed tile.
    pub(crate) fn left(&self, packed: &[f32]) -> *const u32 {
        assert!(packed.len() >= self.size());
        packed.as_ptr().cast()
    }

    /// The scales of its rows, or null.
    pub(crate) fn scales(&self, packed: &[f32]) -> *const f32 {
        match self.precision {
            Precision::F32 | Precision::F16 => std::ptr::null(),
            Precision::Int8 | Precision::Int4 => packed[self.cells()..self.size()].as_ptr(),
        }
    }
}
