//! From stored weights to the panels of a [`PackedMatrix`]: read, made bytes where they are to be bytes, and laid side by
//! side. Some rows at a time, within the caches; no matrix is ever in memory as f32.

use crate::generic::product::CHUNK;
use crate::kernels::Kernels;
use crate::matrix::{PackedMatrix, cells};
use crate::precision::Precision;
use crate::stored::StoredMatrix;
use crate::team::{Region, Shares};

/// Rows read at a time and laid side by side; every panel is a multiple of it.
const TOGETHER: usize = 8;
/// Cells a block: about a quarter of a megabyte. The time is that of memory, and a claim costs nothing beside it.
const BLOCK: usize = 64 << 10;

impl PackedMatrix {
    /// Pack `weights`, rows of `inputs` numbers for each output, as f32 on the calling thread.
    ///
    /// # Panics
    /// When the lengths of `weights` and `bias` are not those of the shape.
    pub fn pack<'a>(
        kernels: &'static Kernels,
        weights: impl Into<StoredMatrix<'a>>,
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> PackedMatrix {
        let weights = weights.into();
        weights.check(outputs, inputs);
        let mut matrix = PackedMatrix::empty(kernels, Precision::F32, outputs, inputs, bias);
        Packing { kernels, precision: Precision::F32, weights: &weights, outputs, inputs }.panels(
            0,
            &mut matrix.panels,
            |_, _, _| (),
        );
        matrix
    }
}

impl Region<'_> {
    /// [`PackedMatrix::pack`] on all threads, and at any precision.
    ///
    /// # Panics
    /// When the lengths of `weights` and `bias` are not those of the shape.
    pub fn pack<'a>(
        &mut self,
        precision: Precision,
        weights: impl Into<StoredMatrix<'a>>,
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> PackedMatrix {
        let (kernels, weights) = (self.kernels(), weights.into());
        weights.check(outputs, inputs);
        let mut matrix = PackedMatrix::empty(kernels, precision, outputs, inputs, bias);
        let packing = Packing { kernels, precision, weights: &weights, outputs, inputs };
        let size = packing.panel_size();
        if size == 0 {
            return matrix;
        }
        let (scales, starts) = (Shares(matrix.scales.as_mut_ptr()), Shares(matrix.starts.as_mut_ptr()));
        self.rows(&mut matrix.panels, size, (BLOCK / size).max(1), |first, panels| {
            packing.panels(first, panels, |output, scale, sum| {
                // SAFETY: weights in bytes have a scale, and a start where the kernels have an offset, for every output
                // of whole panels; those of a panel are written by the block that packs it, alone.
                unsafe {
                    *scales.get().add(output) = scale;
                    if kernels.offset != 0 {
                        *starts.get().add(output) = -kernels.offset * sum;
                    }
                }
            });
        });
        matrix
    }
}

/// What is packed, and how.
struct Packing<'a> {
    kernels: &'static Kernels,
    precision: Precision,
    weights: &'a StoredMatrix<'a>,
    outputs: usize,
    inputs: usize,
}

impl Packing<'_> {
    fn panel_size(&self) -> usize {
        self.kernels.panel * cells(self.precision, self.inputs)
    }

    /// Pack whole panels, the first of them panel `first`. `told` hears the number of every output that became bytes,
    /// what a byte of it counts, and the sum of its bytes.
    fn panels(&self, first: usize, panels: &mut [u32], mut told: impl FnMut(usize, f32, i32)) {
        let panel = self.kernels.panel;
        let mut room = Room::new(self.precision, self.inputs);
        for (number, packed) in panels.chunks_exact_mut(self.panel_size().max(1)).enumerate() {
            let output = (first + number) * panel;
            let used = panel.min(self.outputs.saturating_sub(output));
            for place in (0..panel).step_by(TOGETHER) {
                let rows = place.min(used)..(place + TOGETHER).min(used);
                if rows.is_empty() {
                    // The panel is zero where it has no outputs.
                    break;
                }
                let numbers = &mut room.rows[..rows.len() * self.inputs];
                self.weights.read(output + rows.start, numbers, &mut room.before);
                room.cells[rows.len() * room.stride..].fill(0);
                let numbers = numbers.chunks_exact(self.inputs);
                for ((row, numbers), cells) in rows.zip(numbers).zip(room.cells.chunks_exact_mut(room.stride)) {
                    self.to_cells(output + row, numbers, cells, &mut told);
                }
                let cells = &room.cells;
                for (cell, side_by_side) in packed.chunks_exact_mut(panel).enumerate() {
                    let numbers: [u32; TOGETHER] = std::array::from_fn(|row| cells[row * room.stride + cell]);
                    side_by_side[place..place + TOGETHER].copy_from_slice(&numbers);
                }
            }
        }
    }

    fn to_cells(&self, output: usize, row: &[f32], cells: &mut [u32], told: &mut impl FnMut(usize, f32, i32)) {
        match self.precision {
            Precision::F32 => {
                for (cell, number) in cells.iter_mut().zip(row) {
                    *cell = number.to_bits();
                }
            }
            Precision::Int8 => {
                // SAFETY: there is room for whole chunks of cells. The kernels run here because they exist.
                let (scale, sum) = unsafe { (self.kernels.weights)(row, cells) };
                told(output, scale, sum);
            }
        }
    }
}

/// Working memory of a block.
struct Room {
    /// Rows as numbers.
    rows: Vec<f32>,
    /// One row in another order.
    before: Vec<f32>,
    /// Rows of cells, `stride` apart.
    cells: Vec<u32>,
    stride: usize,
}

impl Room {
    fn new(precision: Precision, inputs: usize) -> Room {
        let stride = cells(precision, inputs).next_multiple_of(CHUNK);
        Room {
            rows: vec![0.0; TOGETHER * inputs],
            before: vec![0.0; inputs],
            cells: vec![0; TOGETHER * stride],
            stride,
        }
    }
}
