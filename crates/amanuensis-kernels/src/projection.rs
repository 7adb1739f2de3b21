//! Keys, values and queries as products of the same rows: a head at a time, so that what is multiplied is kept before it leaves
//! the second cache.

use std::ops::Range;

use crate::generic::product::Finish;
use crate::keys_values::KeysValues;
use crate::left::{Norm, Rows, Tiles};
use crate::linear::Times;
use crate::matrix::PackedMatrix;
use crate::memory::AlignedBuffer;
use crate::panels::{Columns, Part};
use crate::team::{Region, Shares};

/// Rows packed once, as the left side of products with several matrices.
#[derive(Debug, Default)]
pub struct PackedRows {
    tiles: Option<Tiles>,
    count: usize,
    cells: AlignedBuffer<f32>,
}

impl Region<'_> {
    /// Packs the rows of `input`, each through `norm` if there is one, to be multiplied with `weights` and other matrices of its
    /// inputs and precision.
    ///
    /// # Panics
    /// When `input` is not whole rows of its inputs, or the matrix was packed for other kernels.
    pub fn pack_rows(&mut self, input: &[f32], norm: Option<Norm<'_>>, weights: &PackedMatrix, into: &mut PackedRows) {
        let (tiles, count) = (Tiles::of(self.kernels(), weights), Rows::of(input, weights.inputs(), norm).count);
        let (size, tile) = (tiles.size(), tiles.tile());
        let all = count.div_ceil(tile);
        let cells = Shares(into.cells.ensure(all * size).as_mut_ptr());
        self.split_with_scratch(all, tiles.scratch(norm.is_some()), |scratch, number| {
            let rows = Rows::of(input, weights.inputs(), norm);
            // SAFETY: there are so many cells for each tile, and this tile is this block's alone; `input` is borrowed.
            unsafe {
                let packed = std::slice::from_raw_parts_mut(cells.get().add(number * size), size);
                tiles.pack(&rows, number * tile, tiles.rows(number, count), packed, scratch);
            }
        });
        (into.tiles, into.count) = (Some(tiles), count);
    }
}

impl PackedRows {
    /// Rows packed.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// All of them times some columns of `weights`.
    fn times(&self, columns: Range<usize>, weights: &PackedMatrix, out: *mut f32, stride: usize) {
        let Some(tiles) = self.tiles else { return };
        assert!(tiles == Tiles::of(tiles.kernels, weights), "rows packed for another kind of matrix");
        let times = Times::new(tiles.kernels, self.count, weights, columns, Finish::Store, out, stride);
        times.run_tiles(0, self.count.div_ceil(tiles.tile()), &self.cells);
    }
}

impl KeysValues {
    /// Replaces all positions by the products of `rows` with `weights`, whose outputs are keys and values side by side, or
    /// queries, keys and values; those are then written to `queries`, `[rows, width]`.
    ///
    /// # Panics
    /// When there is no room, the lengths do not fit each other, or something was packed for other kernels.
    pub(crate) fn project(
        &mut self,
        region: &mut Region<'_>,
        rows: &PackedRows,
        weights: &PackedMatrix,
        queries: Option<&mut [f32]>,
    ) {
        let (kernels, width, time) = (region.kernels(), self.width(), rows.len());
        let (size, heads) = (self.layout.head_size, self.layout.heads);
        let first = if queries.is_some() { width } else { 0 };
        assert_eq!(weights.outputs(), first + 2 * width, "keys and values of {width} as products of other columns");
        let panel = kernels.panel;
        // A head may begin within a panel, which is multiplied as a whole.
        let widest = (size + panel - 1).next_multiple_of(panel);
        let keeping = self.keeping(time);
        // Queries are multiplied last, as many columns at once as a head has: any thread may take the rest of them.
        let at_once = size.next_multiple_of(panel);
        let target = queries.map(|queries| {
            assert_eq!(queries.len(), time * width, "room for {} numbers of {time} queries", queries.len());
            Shares(queries.as_mut_ptr())
        });
        let rest = if target.is_some() { width.div_ceil(at_once) } else { 0 };
        let floats = time * widest + keeping.scratch();
        region.split_with_scratch(2 * heads + rest, floats, |scratch, block| {
            if let (Some(number), Some(target)) = (block.checked_sub(2 * heads), &target) {
                let columns = number * at_once..width.min((number + 1) * at_once);
                // SAFETY: there is room for all rows; the columns are this block's alone.
                let out = unsafe { target.get().add(columns.start) };
                return rows.times(columns, weights, out, width);
            }
            let (head, part) = (block / 2, if block % 2 == 0 { Part::Keys } else { Part::Values });
            let start = first + head * size + if part == Part::Keys { 0 } else { width };
            let columns = start / panel * panel..(start + size).next_multiple_of(panel).min(weights.outputs());
            let (before, stride) = (start - columns.start, columns.len());
            let (numbers, scratch) = scratch.split_at_mut(time * widest);
            rows.times(columns, weights, numbers.as_mut_ptr(), stride);
            let columns =
                Columns { numbers: &numbers[before.min(time * stride)..time * stride], stride, positions: time };
            // SAFETY: what is kept lives, and this part of this head is this block's alone.
            unsafe { keeping.put(head, part, columns, scratch) }
        });
    }

    /// Replaces all positions by the products of `rows` with `weights`, whose outputs are keys and values side by side.
    ///
    /// # Panics
    /// When there is no room, the lengths do not fit each other, or something was packed for other kernels.
    pub fn hear(&mut self, region: &mut Region<'_>, rows: &PackedRows, weights: &PackedMatrix) {
        self.project(region, rows, weights, None);
    }
}
