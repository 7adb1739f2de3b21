//! From stored weights to the panels of a [`PackedMatrix`]: read, made bytes where they are to be bytes, and laid side by
//! side. Some rows at a time, within the caches; no matrix is ever in memory as f32.

use std::sync::atomic::{AtomicBool, Ordering};

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::generic::nibbles::{self, GROUP, GROUP_CELLS};
use crate::generic::product::CHUNK;
use crate::kernels::Kernels;
use crate::matrix::{PackedMatrix, cells};
use crate::memory::AlignedBuffer;
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
        let mut matrix = PackedMatrix::empty(kernels, AlignedBuffer::zeroed, Precision::F32, outputs, inputs, bias);
        let never = AtomicBool::new(false);
        let packing =
            Packing { kernels, precision: Precision::F32, weights: &weights, outputs, inputs, overflowed: &never };
        packing.panels(0, &mut matrix.panels, |_, _, _| ());
        matrix
    }
}

impl Region<'_> {
    /// Whether f16 holds every one of these weights as it is. What is stored in f16 is not looked at.
    pub fn fits_f16(&mut self, weights: &StoredMatrix<'_>) -> bool {
        let rounded = AtomicBool::new(false);
        for part in weights.parts().iter().filter(|part| !part.is_f16()) {
            self.split(part.count().div_ceil(BLOCK), |block| {
                let (mut numbers, mut halves) = ([0.0; TOGETHER * CHUNK], [f16::ZERO; TOGETHER * CHUNK]);
                let end = part.count().min((block + 1) * BLOCK);
                for start in (block * BLOCK..end).step_by(numbers.len()) {
                    if rounded.load(Ordering::Relaxed) {
                        return;
                    }
                    let count = numbers.len().min(end - start);
                    let (numbers, halves) = (&mut numbers[..count], &mut halves[..count]);
                    part.read(start, numbers);
                    halves.convert_from_f32_slice(numbers);
                    if halves.iter().zip(&*numbers).any(|(half, number)| half.to_f32() != *number) {
                        rounded.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
        !rounded.into_inner()
    }

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
        let shelf = &mut self.team.shelf;
        let mut matrix = PackedMatrix::empty(kernels, |length| shelf.zeroed(length), precision, outputs, inputs, bias);
        let overflowed = AtomicBool::new(false);
        let packing = Packing { kernels, precision, weights: &weights, outputs, inputs, overflowed: &overflowed };
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
                    if kernels.offset != 0 && precision == Precision::Int8 {
                        *starts.get().add(output) = -kernels.offset * sum;
                    }
                }
            });
        });
        matrix.overflowed = overflowed.into_inner();
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
    /// Set when a weight is larger than the precision has numbers for.
    overflowed: &'a AtomicBool,
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
                    if self.precision != Precision::F16 {
                        side_by_side[place..place + TOGETHER].copy_from_slice(&numbers);
                        continue;
                    }
                    // Two inputs of every output: the first of all outputs, then the second.
                    let (first, second) = side_by_side.split_at_mut(panel / 2);
                    let pairs = numbers.as_chunks::<2>().0.iter().enumerate();
                    for (pair, &[one, other]) in pairs {
                        first[place / 2 + pair] = one & 0xffff | other << 16;
                        second[place / 2 + pair] = one >> 16 | other & 0xffff_0000;
                    }
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
            Precision::F16 => {
                for (cells, numbers) in cells.chunks_mut(CHUNK).zip(row.chunks(2 * CHUNK)) {
                    let mut halves = [f16::ZERO; 2 * CHUNK];
                    halves[..numbers.len()].convert_from_f32_slice(numbers);
                    if !halves.iter().all(|half| half.is_finite()) {
                        self.overflowed.store(true, Ordering::Relaxed);
                    }
                    for (cell, [one, other]) in cells.iter_mut().zip(halves.as_chunks().0) {
                        *cell = u32::from(one.to_bits()) | u32::from(other.to_bits()) << 16;
                    }
                }
            }
            Precision::Int8 => {
                // SAFETY: there is room for whole chunks of cells. The kernels run here because they exist.
                let (scale, sum) = unsafe { (self.kernels.weights)(row, cells) };
                told(output, scale, sum);
            }
            Precision::Int4 => {
                let groups = cells.chunks_exact_mut(GROUP_CELLS).zip(row.chunks(GROUP));
                let sum: f32 = groups.map(|(cells, numbers)| nibbles::pack(numbers, cells)).sum();
                told(output, -(self.kernels.offset as f32) * sum, 0);
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
