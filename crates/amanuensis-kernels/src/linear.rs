//! Rows times weights: the linear layer and the convolution that is one in disguise.

use std::ops::Range;

use crate::generic::nibbles::GROUP_CELLS;
use crate::generic::product::{Finish, Product};
use crate::kernels::Kernels;
use crate::left::{Norm, Rows, Tiles};
use crate::matrix::PackedMatrix;
use crate::precision::Precision;
use crate::team::{Region, Shares};

/// What a linear layer does with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// out = x W' + b
    Store,
    /// out = gelu(x W' + b)
    Gelu,
    /// out += x W' + b, the residual of a transformer layer
    Add,
}

impl Epilogue {
    pub(crate) fn finish(self, precision: Precision) -> Finish {
        match (self, precision) {
            (Epilogue::Store, _) => Finish::Store,
            (Epilogue::Gelu, Precision::F32 | Precision::F16) => Finish::Gelu,
            (Epilogue::Gelu, Precision::Int8 | Precision::Int4) => Finish::RoughGelu,
            (Epilogue::Add, _) => Finish::Add,
        }
    }
}

/// Up to this many rows the weights are what takes the time: all threads share the rows and stream different panels.
/// Above, each thread takes rows of its own and the weights pass through its cache.
pub(crate) const FEW_ROWS: usize = 48;
/// Tiles of a block, of many rows, unless they are fewer rows than [`FEW_ROWS`].
const TILES: usize = 4;

/// About how many rows a block of many has, with tiles of so many.
pub(crate) fn block_rows(tile: usize) -> usize {
    FEW_ROWS.max(TILES * tile)
}

/// Bytes of weights per block of work when the weights take the time: a few microseconds from memory.
const STREAM: usize = 128 << 10;

/// Bytes of weights that stay in the second cache while the tiles of a block pass them.
const PASS: usize = 256 << 10;

impl Region<'_> {
    /// `input` `[rows, inputs]`, each row through `norm` if there is one, times the transposed weights plus bias, then the
    /// epilogue, into `out` `[rows, outputs]`.
    ///
    /// A row's result is the same to the last bit for any number of rows and threads.
    ///
    /// # Panics
    /// When a length is not a whole number of rows, the row counts differ, or the matrix was packed for other kernels.
    pub fn linear(
        &mut self,
        input: &[f32],
        norm: Option<Norm<'_>>,
        weights: &PackedMatrix,
        epilogue: Epilogue,
        out: &mut [f32],
    ) {
        let (inputs, outputs) = (weights.inputs(), weights.outputs());
        assert!(inputs > 0 && outputs > 0, "a linear layer of {outputs} x {inputs}");
        let rows = Rows::of(input, inputs, norm);
        let count = rows.count;
        assert_eq!(out.len(), count * outputs, "linear: room for {} of {count} x {outputs} results", out.len());
        self.multiply(rows, weights, epilogue.finish(weights.precision()), out);
    }

    /// A convolution with a kernel of three, then GELU, then `positions` added if given.
    ///
    /// `input` is `[frames + 2, channels]`, time-major, with a zero row first and last. `weights` is
    /// `[outputs, 3 * channels]`, a weight at `tap * channels + channel`. The window of result t is the contiguous
    /// slice that starts at row `t * stride`, so the convolution is a linear layer on overlapping rows and no window is
    /// ever copied together. `out` and `positions` are `[(frames - 1) / stride + 1, outputs]`.
    ///
    /// # Panics
    /// When the lengths do not fit each other or the matrix was packed for other kernels.
    pub fn convolution(
        &mut self,
        input: &[f32],
        weights: &PackedMatrix,
        stride: usize,
        positions: Option<&[f32]>,
        out: &mut [f32],
    ) {
        assert!(weights.inputs().is_multiple_of(3) && weights.inputs() > 0, "a convolution needs three taps");
        assert!(stride > 0, "a convolution needs a stride");
        let channels = weights.inputs() / 3;
        assert!(input.len().is_multiple_of(channels), "{} numbers are not rows of {channels}", input.len());
        let rows = input.len() / channels;
        let count = if rows < 3 { 0 } else { (rows - 3) / stride + 1 };
        let outputs = weights.outputs();
        assert_eq!(out.len(), count * outputs, "convolution: room for {} of {count} x {outputs} results", out.len());
        let finish = match positions {
            None => Epilogue::Gelu.finish(weights.precision()),
            Some(positions) => {
                assert_eq!(positions.len(), out.len(), "convolution: positions for another number of results");
                Finish::GeluPlus(positions.as_ptr())
            }
        };
        let width = weights.inputs();
        let rows = Rows { numbers: input.as_ptr(), stride: stride * channels, width, count, norm: None };
        self.multiply(rows, weights, finish, out);
    }

    /// Every tile of rows times every panel. Shapes are checked by the callers; an addend in `finish` is as long as
    /// `out`.
    fn multiply(&mut self, rows: Rows<'_>, weights: &PackedMatrix, finish: Finish, out: &mut [f32]) {
        let task = Task::new(self.kernels(), rows, weights, finish, out.as_mut_ptr());
        if rows.count == 0 {
            return;
        }
        if rows.count <= FEW_ROWS { self.stream(std::slice::from_ref(&task)) } else { self.pass(&task) }
    }

    /// Few rows: pack them all once, then every block is some panels for all rows. Tasks of the same shape of results are
    /// done one after the other in each block, so that what they add up has one order.
    pub(crate) fn stream(&mut self, tasks: &[Task<'_>]) {
        let Some(Task { rows, times }) = tasks.first() else { return };
        let tiles = rows.count.div_ceil(times.tiles.tile());
        let room = |task: &Task<'_>| tiles * task.times.tiles.size();
        let scratch = |task: &Task<'_>| task.times.tiles.scratch(task.rows.norm.is_some());
        let (packed, scratch): (usize, usize) =
            (tasks.iter().map(room).sum(), tasks.iter().map(scratch).max().unwrap_or(0));
        let mut left = std::mem::take(&mut self.team.scratch.left);
        let (packed, scratch) = left.ensure(packed + scratch).split_at_mut(packed);
        let mut rest = &mut *packed;
        for task in tasks {
            let (own, behind) = rest.split_at_mut(room(task));
            for (number, packed) in own.chunks_exact_mut(task.times.tiles.size()).enumerate() {
                task.pack(number, packed, scratch);
            }
            rest = behind;
        }
        let panels = times.panels();
        let bytes: usize = tasks.iter().map(|task| task.times.panel_bytes()).sum();
        let per_block = (STREAM / bytes).max(1);
        let packed = &*packed;
        self.split(panels.div_ceil(per_block), |block| {
            let first = block * per_block;
            let mut rest = packed;
            for task in tasks {
                let (own, behind) = rest.split_at(room(task));
                for (number, packed) in own.chunks_exact(task.times.tiles.size()).enumerate() {
                    task.times.run(number, packed, first, per_block.min(panels - first));
                }
                rest = behind;
            }
        });
        self.team.scratch.left = left;
    }

    /// Many rows: every block is some tiles of rows, packed by the thread that takes them, for all panels.
    fn pass(&mut self, task: &Task<'_>) {
        let size = task.times.tiles.size();
        let tile = task.times.tiles.tile();
        let blocks = Blocks::of(task.rows.count, block_rows(tile), tile, self.threads());
        let floats = blocks.most() * size + task.times.tiles.scratch(task.rows.norm.is_some());
        self.split_with_scratch(blocks.count(), floats, |scratch, block| {
            let (first, here) = blocks.tiles_of(block);
            let (packed, scratch) = scratch.split_at_mut(blocks.most() * size);
            task.run_tiles(first, here, packed, scratch);
        });
    }
}

/// How the tiles of many rows are dealt to the threads: large blocks first, which use weights often before they leave a
/// cache, then smaller ones, so that the threads end at about the same time.
pub(crate) struct Blocks {
    /// The first tile of each, and how many it has.
    blocks: Vec<(usize, usize)>,
}

impl Blocks {
    /// Blocks of at most about `rows` rows, and at most a thread's share of what is left.
    pub(crate) fn of(count: usize, rows: usize, tile: usize, threads: usize) -> Blocks {
        let (all, most) = (count.div_ceil(tile), (rows / tile).max(1));
        let mut first = 0;
        let blocks = std::iter::from_fn(|| {
            let tiles = (all - first).div_ceil(threads).min(most);
            first += tiles;
            (tiles > 0).then_some((first - tiles, tiles))
        });
        Blocks { blocks: blocks.collect() }
    }

    pub(crate) fn count(&self) -> usize {
        self.blocks.len()
    }

    /// The most tiles of a block.
    pub(crate) fn most(&self) -> usize {
        self.blocks.first().map_or(0, |block| block.1)
    }

    /// The first tile of a block, and how many it has.
    pub(crate) fn tiles_of(&self, block: usize) -> (usize, usize) {
        self.blocks[block]
    }
}

/// One multiplication, shared by the blocks of its job, each of which packs the rows that it multiplies.
pub(crate) struct Task<'a> {
    rows: Rows<'a>,
    times: Times<'a>,
}

impl<'a> Task<'a> {
    /// `out`, and an addend in `finish`, must be as long as the rows times the outputs.
    ///
    /// # Panics
    /// When the matrix was packed for other kernels.
    pub(crate) fn new(
        kernels: &'static Kernels,
        rows: Rows<'a>,
        weights: &'a PackedMatrix,
        finish: Finish,
        out: *mut f32,
    ) -> Task<'a> {
        let times = Times::new(kernels, rows.count, weights, 0..weights.outputs(), finish, out, weights.outputs());
        Task { rows, times }
    }

    fn pack(&self, number: usize, packed: &mut [f32], scratch: &mut [f32]) {
        let Times { tiles, count, .. } = self.times;
        // SAFETY: the rows of a tile of this task; whoever made it promised that they may be read, and in-place tasks
        // pack a tile before its rows are written, on the same thread.
        unsafe { tiles.pack(&self.rows, number * tiles.tile(), tiles.rows(number, count), packed, scratch) }
    }

    /// Tile `number`, packed into `packed`, times all panels.
    pub(crate) fn run_tile(&self, number: usize, packed: &mut [f32], scratch: &mut [f32]) {
        self.pack(number, packed, scratch);
        self.times.run_tiles(number, 1, packed);
    }

    /// The tiles from `first` on, packed one behind the other into `packed`, times all panels.
    fn run_tiles(&self, first: usize, tiles: usize, packed: &mut [f32], scratch: &mut [f32]) {
        let size = self.times.tiles.size();
        for (number, packed) in packed.chunks_exact_mut(size).enumerate().take(tiles) {
            self.pack(first + number, packed, scratch);
        }
        self.times.run_tiles(first, tiles, packed);
    }
}

/// Packed tiles times some columns of a matrix.
pub(crate) struct Times<'a> {
    pub(crate) tiles: Tiles,
    /// Rows of all tiles.
    count: usize,
    weights: &'a PackedMatrix,
    /// The first begins a panel.
    columns: Range<usize>,
    finish: Finish,
    out: Shares<f32>,
    /// Numbers from a row of `out` to the next.
    stride: usize,
}

impl<'a> Times<'a> {
    /// `out`, and an addend in `finish`, must have room for as many rows of the columns, `stride` apart.
    ///
    /// # Panics
    /// When the matrix was packed for other kernels, or the columns are not its own or begin within a panel.
    pub(crate) fn new(
        kernels: &'static Kernels,
        count: usize,
        weights: &'a PackedMatrix,
        columns: Range<usize>,
        finish: Finish,
        out: *mut f32,
        stride: usize,
    ) -> Times<'a> {
        assert!(
            std::ptr::eq(kernels, weights.kernels()),
            "the matrix was packed for {}, the team runs {}",
            weights.kernels().isa(),
            kernels.isa()
        );
        let begins = columns.start.is_multiple_of(kernels.panel);
        assert!(begins && columns.end <= weights.outputs(), "columns {columns:?} of {}", weights.outputs());
        let tiles = Tiles::of(kernels, weights);
        Times { tiles, count, weights, columns, finish, out: Shares(out), stride }
    }

    fn panels(&self) -> usize {
        self.columns.len().div_ceil(self.tiles.kernels.panel)
    }

    fn panel_bytes(&self) -> usize {
        (self.tiles.kernels.panel * self.weights.cells() * size_of::<u32>()).max(1)
    }

    /// The tiles from `first` on, which lie one behind the other in `packed`, times all panels: some panels at a time, which
    /// stay in the second cache.
    pub(crate) fn run_tiles(&self, first: usize, tiles: usize, packed: &[f32]) {
        let (size, panels) = (self.tiles.size(), self.panels());
        let group = (PASS / self.panel_bytes()).max(1);
        for panel in (0..panels).step_by(group) {
            for number in 0..tiles {
                self.run(first + number, &packed[number * size..][..size], panel, group.min(panels - panel));
            }
        }
    }

    /// Tile `number`, packed in `packed`, times `panels` panels of the columns from `panel` on. Within one job every pair of a
    /// tile and a panel is run once.
    fn run(&self, number: usize, packed: &[f32], panel: usize, panels: usize) {
        let kernels = self.tiles.kernels;
        let stride = kernels.panel * self.weights.cells();
        let (place, panel) = (panel * kernels.panel, self.columns.start / kernels.panel + panel);
        let column = panel * kernels.panel;
        let offset = number * self.tiles.tile() * self.stride + place;
        assert!((panel + panels) * stride <= self.weights.panels().len());
        let (kernel, inner) = match self.weights.precision() {
            Precision::F32 => (kernels.product, self.weights.cells()),
            Precision::F16 => (kernels.product_of_halves, self.weights.inputs()),
            Precision::Int8 => (kernels.product_of_bytes, self.weights.cells()),
            Precision::Int4 => (kernels.product_of_nibbles, self.weights.cells() / GROUP_CELLS),
        };
        let from = |numbers: Option<&[f32]>| numbers.map_or(std::ptr::null(), |numbers| numbers[column..].as_ptr());
        // SAFETY: `packed` holds a tile and its scales, the panels were just checked; bias, scales and starts are padded
        // to whole panels. `out` (and an addend) has room for all rows of the columns, and this writes rows `number * tile ..`
        // below the row count and columns from `column` below the last, which no other block of the job does. The kernels
        // run here because they exist.
        unsafe {
            let finish = match self.finish {
                Finish::GeluPlus(addend) => Finish::GeluPlus(addend.add(offset)),
                other => other,
            };
            kernel(&Product {
                left: self.tiles.left(packed),
                rows: self.tiles.rows(number, self.count),
                inner,
                right: self.weights.panels()[panel * stride..].as_ptr(),
                panel_stride: stride,
                panels,
                in_order: self.count <= kernels.tile,
                starts: self.weights.starts().map_or(std::ptr::null(), |starts| starts[column..].as_ptr()),
                row_scales: self.tiles.scales(packed),
                column_scales: from(self.weights.scales()),
                bias: from(self.weights.bias()),
                out: self.out.get().add(offset),
                row_stride: self.stride,
                columns: (self.columns.end - column).min(panels * kernels.panel),
                finish,
                ..Product::EMPTY
            });
        }
    }
}

// SAFETY: everything in it is shared read-only, but for `out`, of which every block writes its own part, and the addend
// of `finish`, which is only read. The rows may be part of `out`: then a block reads only the rows that it writes.
unsafe impl Sync for Task<'_> {}
