//! Rows times weights: the linear layer and the convolution that is one in disguise.

use crate::generic::product::{Finish, Product, pack_tile, packed_tile};
use crate::kernels::Kernels;
use crate::matrix::PackedMatrix;
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

/// Up to this many rows the weights are what takes the time: all threads share the rows and stream different panels.
/// Above, each thread takes rows of its own and the weights pass through its cache.
const FEW_ROWS: usize = 48;
/// Bytes of weights per block of work when the weights take the time: a few microseconds from memory.
const STREAM: usize = 128 << 10;

/// Bytes of weights that stay in the second cache while the tiles of a block pass them.
const PASS: usize = 256 << 10;

/// Rows of input, possibly overlapping: row r starts at `r * stride`.
#[derive(Clone, Copy)]
struct Rows<'a> {
    numbers: &'a [f32],
    stride: usize,
    count: usize,
}

impl Region<'_> {
    /// `input` `[rows, inputs]` times the transposed weights plus bias, then the epilogue, into `out`
    /// `[rows, outputs]`.
    ///
    /// A row's result is the same to the last bit for any number of rows and threads.
    ///
    /// # Panics
    /// When a length is not a whole number of rows, the row counts differ, or the matrix was packed for other kernels.
    pub fn linear(&mut self, input: &[f32], weights: &PackedMatrix, epilogue: Epilogue, out: &mut [f32]) {
        let (inputs, outputs) = (weights.inputs(), weights.outputs());
        assert!(inputs > 0 && outputs > 0, "a linear layer of {outputs} x {inputs}");
        assert!(input.len().is_multiple_of(inputs), "{} numbers are not rows of {inputs}", input.len());
        let count = input.len() / inputs;
        assert_eq!(out.len(), count * outputs, "linear: room for {} of {count} x {outputs} results", out.len());
        let finish = match epilogue {
            Epilogue::Store => Finish::Store,
            Epilogue::Gelu => Finish::Gelu,
            Epilogue::Add => Finish::Add,
        };
        self.multiply(Rows { numbers: input, stride: inputs, count }, weights, finish, out);
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
            None => Finish::Gelu,
            Some(positions) => {
                assert_eq!(positions.len(), out.len(), "convolution: positions for another number of results");
                Finish::GeluPlus(positions.as_ptr())
            }
        };
        self.multiply(Rows { numbers: input, stride: stride * channels, count }, weights, finish, out);
    }

    /// Every tile of rows times every panel. Shapes are checked by the callers; an addend in `finish` is as long as
    /// `out`.
    fn multiply(&mut self, rows: Rows<'_>, weights: &PackedMatrix, finish: Finish, out: &mut [f32]) {
        let kernels = self.kernels();
        assert!(
            std::ptr::eq(kernels, weights.kernels()),
            "the matrix was packed for {}, the team runs {}",
            weights.kernels().isa(),
            kernels.isa()
        );
        if rows.count == 0 {
            return;
        }
        let task = Task { kernels, rows, weights, finish, out: Shares(out.as_mut_ptr()) };
        if rows.count <= FEW_ROWS { self.stream(&task) } else { self.pass(&task) }
    }

    /// Few rows: pack them all once, then every block is some panels for all rows.
    fn stream(&mut self, task: &Task<'_>) {
        let inner = task.weights.inputs();
        let tile = task.kernels.tile;
        let size = packed_tile(tile, inner);
        let tiles = task.rows.count.div_ceil(tile);
        let mut left = std::mem::take(&mut self.team.scratch.left);
        for (number, packed) in left.ensure(tiles * size).chunks_exact_mut(size).enumerate() {
            task.pack(number, packed);
        }
        let panels = task.panels();
        let panel_bytes = task.kernels.panel * inner * size_of::<f32>();
        // Whole groups of four panels, so that a single row always has enough sums in flight.
        let per_block = (STREAM / panel_bytes.max(1)).next_multiple_of(4).max(4);
        self.split(panels.div_ceil(per_block), |block| {
            let first = block * per_block;
            for number in 0..tiles {
                task.run(number, &left[number * size..][..size], first, per_block.min(panels - first));
            }
        });
        self.team.scratch.left = left;
    }

    /// Many rows: every block is some tiles of rows, packed by the thread that takes them, for all panels. The last
    /// tiles are blocks of their own, so that the threads end at about the same time.
    fn pass(&mut self, task: &Task<'_>) {
        let inner = task.weights.inputs();
        let tile = task.kernels.tile;
        let size = packed_tile(tile, inner);
        let tiles = task.rows.count.div_ceil(tile);
        let per_block = (FEW_ROWS / tile).max(1);
        let large = tiles.saturating_sub(self.threads() * per_block) / per_block;
        let panels = task.panels();
        let group = (PASS / (task.kernels.panel * inner * size_of::<f32>())).max(1);
        self.split_with_scratch(large + (tiles - large * per_block), per_block * size, |scratch, block| {
            let (first, here) = match block.checked_sub(large) {
                None => (block * per_block, per_block),
                Some(single) => (large * per_block + single, 1),
            };
            for (number, packed) in scratch.chunks_exact_mut(size).enumerate().take(here) {
                task.pack(first + number, packed);
            }
            for panel in (0..panels).step_by(group) {
                for number in 0..here {
                    task.run(first + number, &scratch[number * size..][..size], panel, group.min(panels - panel));
                }
            }
        });
    }
}

/// One multiplication, shared by the blocks of its job.
struct Task<'a> {
    kernels: &'static Kernels,
    rows: Rows<'a>,
    weights: &'a PackedMatrix,
    finish: Finish,
    out: Shares<f32>,
}

impl Task<'_> {
    fn panels(&self) -> usize {
        self.weights.outputs().div_ceil(self.kernels.panel)
    }

    /// How many rows tile `number` has: the last may be short.
    fn tile_rows(&self, number: usize) -> usize {
        self.kernels.tile.min(self.rows.count - number * self.kernels.tile)
    }

    fn pack(&self, number: usize, packed: &mut [f32]) {
        let first = number * self.kernels.tile;
        let rows = &self.rows.numbers[first * self.rows.stride..];
        pack_tile(rows, self.rows.stride, self.tile_rows(number), self.weights.inputs(), 1.0, packed);
    }

    /// Tile `number`, packed in `left`, times `panels` panels from `panel` on. Within one job every pair of a tile and
    /// a panel is run once.
    fn run(&self, number: usize, left: &[f32], panel: usize, panels: usize) {
        let (inner, outputs) = (self.weights.inputs(), self.weights.outputs());
        let rows = self.tile_rows(number);
        let stride = self.kernels.panel * inner;
        let column = panel * self.kernels.panel;
        let offset = number * self.kernels.tile * outputs + column;
        assert!(left.len() >= packed_tile(rows, inner) && (panel + panels) * stride <= self.weights.panels().len());
        // SAFETY: `left` and the panels were just checked; the bias is padded to whole panels. `out` (and an addend)
        // has rows x outputs numbers, and this writes rows `number * tile ..` below the row count and columns from
        // `column` below `outputs`, which no other block of the job does. The kernels run here because they exist.
        unsafe {
            let finish = match self.finish {
                Finish::GeluPlus(addend) => Finish::GeluPlus(addend.add(offset)),
                other => other,
            };
            (self.kernels.product)(&Product {
                left: left.as_ptr(),
                rows,
                inner,
                right: self.weights.panels()[panel * stride..].as_ptr(),
                panel_stride: stride,
                panels,
                bias: self.weights.bias().map_or(std::ptr::null(), |bias| bias[column..].as_ptr()),
                out: self.out.get().add(offset),
                row_stride: outputs,
                chunk_stride: 16,
                columns: (outputs - column).min(panels * self.kernels.panel),
                finish,
            });
        }
    }
}

// SAFETY: everything in it is shared read-only, but for `out`, of which every block writes its own part, and the addend
// of `finish`, which is only read.
unsafe impl Sync for Task<'_> {}
