//! The feed-forward half of a transformer layer, in one pass over the rows.

use std::ops::Range;

use crate::generic::product::Finish;
use crate::left::{Norm, Rows, Tiles};
use crate::linear::{Blocks, Epilogue, FEW_ROWS, Task, Times};
use crate::matrix::PackedMatrix;
use crate::precision::Precision;
use crate::stored::StoredMatrix;
use crate::team::{Region, Shares};

/// Hidden numbers that are made, and multiplied back, at a time. Their weights, half a megabyte where the width is 512 and
/// they are bytes, stay in the second cache while the rows of a block pass.
const SLICE: usize = 512;

/// Rows of a block: as many as let weights come from beyond the second cache seldom, and still stay there themselves.
const BLOCK: usize = 256;

/// A weight matrix in slices of inputs, each a matrix of its own: the way back from the hidden numbers. In bytes every slice
/// of a row has a scale of its own, and so has every slice of an output's weights.
#[derive(Clone, Debug)]
pub struct SlicedMatrix {
    /// The first has the bias.
    slices: Vec<PackedMatrix>,
}

impl SlicedMatrix {
    /// Memory taken by the packed weights, their scales and the bias.
    pub fn bytes(&self) -> usize {
        self.slices.iter().map(PackedMatrix::bytes).sum()
    }

    /// Whether a weight was too large for the precision: see [`PackedMatrix::overflowed`].
    pub fn overflowed(&self) -> bool {
        self.slices.iter().any(PackedMatrix::overflowed)
    }

    fn inputs(&self) -> usize {
        self.slices.iter().map(PackedMatrix::inputs).sum()
    }

    fn outputs(&self) -> usize {
        self.slices.first().map_or(0, PackedMatrix::outputs)
    }

    /// The matrices, each with the inputs it is for.
    fn slices(&self) -> impl Iterator<Item = (Range<usize>, &PackedMatrix)> {
        self.slices.iter().enumerate().map(|(number, slice)| {
            let first = number * SLICE;
            (first..first + slice.inputs(), slice)
        })
    }
}

impl Region<'_> {
    /// [`pack`](Region::pack), in slices.
    ///
    /// # Panics
    /// When the lengths of `weights` and `bias` are not those of the shape.
    pub fn pack_slices<'a>(
        &mut self,
        precision: Precision,
        weights: impl Into<StoredMatrix<'a>>,
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> SlicedMatrix {
        let weights = weights.into();
        let slice = |first: usize| {
            let bias = if first == 0 { bias } else { None };
            self.pack(precision, weights.slice_of_rows(first, inputs), outputs, SLICE.min(inputs - first), bias)
        };
        SlicedMatrix { slices: (0..inputs).step_by(SLICE).map(slice).collect() }
    }

    /// `x += down(gelu(up(norm(x))))` for `x` `[rows, width]`.
    ///
    /// With many rows the hidden numbers, four times the width, are made and used by one thread within its cache, a slice at a
    /// time. With few all threads share the weights, which are what takes the time then.
    ///
    /// A row's result is the same to the last bit for any number of rows and threads.
    ///
    /// # Panics
    /// When the shapes or precisions do not fit each other, or a matrix was packed for other kernels.
    pub fn feed_forward(&mut self, x: &mut [f32], norm: Norm<'_>, up: &PackedMatrix, down: &SlicedMatrix) {
        let (width, hidden) = (up.inputs(), up.outputs());
        assert!(
            hidden > 0 && (down.inputs(), down.outputs()) == (hidden, width),
            "up {hidden} x {width}, down otherwise"
        );
        let rows = Rows::of(x, width, Some(norm));
        let count = rows.count;
        let kernels = self.kernels();
        let add = |hidden: *const f32, stride: usize, rows: usize, down, out: *mut f32| -> Task<'_> {
            let rows = Rows { numbers: hidden, stride, width: PackedMatrix::inputs(down), count: rows, norm: None };
            Task::new(kernels, rows, down, Finish::Add, out)
        };
        if count <= FEW_ROWS {
            let mut between = std::mem::take(&mut self.team.scratch.right);
            let inner = between.ensure(count * hidden);
            self.linear(x, Some(norm), up, Epilogue::Gelu, inner);
            let slices = down.slices();
            let tasks =
                slices.map(|(inputs, down)| add(inner[inputs.start..].as_ptr(), hidden, count, down, x.as_mut_ptr()));
            self.stream(&tasks.collect::<Vec<_>>());
            self.team.scratch.right = between;
            return;
        }
        let upper = Tiles::of(kernels, up);
        let lower: Vec<Tiles> = down.slices().map(|(_, down)| Tiles::of(kernels, down)).collect();
        let tile = upper.tile();
        assert!(lower.iter().all(|lower| lower.tile() == tile), "up and down of one precision");
        let blocks = Blocks::of(count, BLOCK, tile, self.threads());
        let (packed_rows, packed_hidden) =
            (blocks.most() * upper.size(), lower.iter().map(Tiles::size).max().unwrap_or(0));
        let room = tile * SLICE.min(hidden);
        let x = Shares(x.as_mut_ptr());
        let floats = room + packed_rows + packed_hidden + upper.scratch(true);
        self.split_with_scratch(blocks.count(), floats, |scratch, block| {
            let (first, tiles) = blocks.tiles_of(block);
            let start = first * tile;
            let here = (tiles * tile).min(count - start);
            let (inner, scratch) = scratch.split_at_mut(room);
            let (packed, scratch) = scratch.split_at_mut(packed_rows);
            let (packed_hidden, scratch) = scratch.split_at_mut(packed_hidden);
            // SAFETY: rows `start .. start + here` of x belong to this block alone: it reads them all, then adds to them.
            let own = unsafe { x.get().add(start * width) };
            let rows = Rows { numbers: own, stride: width, width, count: here, norm: Some(norm) };
            for (number, packed) in packed.chunks_exact_mut(upper.size()).enumerate().take(tiles) {
                // SAFETY: as above.
                unsafe { upper.pack(&rows, number * tile, upper.rows(number, here), packed, scratch) };
            }
            for ((hidden, down), lower) in down.slices().zip(&lower) {
                let gelu = Epilogue::Gelu.finish(up.precision());
                for (number, packed) in packed.chunks_exact(upper.size()).enumerate().take(tiles) {
                    let rows = upper.rows(number, here);
                    let up = Times::new(kernels, rows, up, hidden.clone(), gelu, inner.as_mut_ptr(), hidden.len());
                    up.run_tiles(0, 1, packed);
                    // SAFETY: the rows of this tile are the block's.
                    let own = unsafe { own.add(number * tile * width) };
                    let down = add(inner.as_ptr(), hidden.len(), rows, down, own);
                    down.run_tile(0, &mut packed_hidden[..lower.size()], &mut []);
                }
            }
        });
    }
}
