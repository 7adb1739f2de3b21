//! The feed-forward half of a transformer layer, in one pass over the rows.

use crate::left::{Norm, Rows, Tiles};
use crate::linear::{Blocks, Epilogue, FEW_ROWS, Task, block_rows};
use crate::matrix::PackedMatrix;
use crate::team::{Region, Shares};

/// Bytes of hidden numbers of a block: they stay in the second cache, beside the weights that pass.
const HIDDEN: usize = 512 << 10;

impl Region<'_> {
    /// `x += down(gelu(up(norm(x))))` for `x` `[rows, width]`.
    ///
    /// With many rows the hidden numbers, four times the width, are made and used by one thread within its cache. With few
    /// all threads share the weights, which are what takes the time then.
    ///
    /// A row's result is the same to the last bit for any number of rows and threads.
    ///
    /// # Panics
    /// When the shapes do not fit each other, or a matrix was packed for other kernels.
    pub fn feed_forward(&mut self, x: &mut [f32], norm: Norm<'_>, up: &PackedMatrix, down: &PackedMatrix) {
        let (width, hidden) = (up.inputs(), up.outputs());
        assert!(
            hidden > 0 && (down.inputs(), down.outputs()) == (hidden, width),
            "up {hidden} x {width}, down otherwise"
        );
        let rows = Rows::of(x, width, Some(norm));
        let count = rows.count;
        if count <= FEW_ROWS {
            let mut between = std::mem::take(&mut self.team.scratch.right);
            let inner = between.ensure(count * hidden);
            self.linear(x, Some(norm), up, Epilogue::Gelu, inner);
            self.linear(inner, None, down, Epilogue::Add, x);
            self.team.scratch.right = between;
            return;
        }
        let kernels = self.kernels();
        let (upper, lower) = (Tiles::of(kernels, up), Tiles::of(kernels, down));
        // Blocks of whole tiles of either.
        let tile = upper.tile().max(lower.tile());
        let rows_of_block = (HIDDEN / (hidden * size_of::<f32>())).min(block_rows(tile));
        let blocks = Blocks::of(count, rows_of_block, tile, self.threads());
        let most = blocks.tiles * tile;
        let room = most * hidden;
        let packed_rows = most.div_ceil(upper.tile()) * upper.size();
        let packed_hidden = most.div_ceil(lower.tile()) * lower.size();
        let x = Shares(x.as_mut_ptr());
        let floats = room + packed_rows + packed_hidden + upper.scratch(true);
        self.split_with_scratch(blocks.count(), floats, |scratch, block| {
            let (first, tiles) = blocks.tiles_of(block);
            let start = first * tile;
            let here = (tiles * tile).min(count - start);
            let (inner, scratch) = scratch.split_at_mut(room);
            let (packed, scratch) = scratch.split_at_mut(packed_rows);
            let (packed_inner, scratch) = scratch.split_at_mut(packed_hidden);
            // SAFETY: rows `start .. start + here` of x belong to this block alone: it reads them, then adds to them.
            let own = unsafe { x.get().add(start * width) };
            let rows = Rows { numbers: own, stride: width, width, count: here, norm: Some(norm) };
            let upward = Task::new(kernels, rows, up, Epilogue::Gelu.finish(up.precision()), inner.as_mut_ptr());
            upward.run_all(packed, scratch);
            let rows = Rows { numbers: inner.as_ptr(), stride: hidden, width: hidden, count: here, norm: None };
            let downward = Task::new(kernels, rows, down, Epilogue::Add.finish(down.precision()), own);
            downward.run_all(packed_inner, &mut []);
        });
    }
}
