//! Weights in the order the kernels read them.

use crate::generic::product::CHUNK;
use crate::generic::quantize::{CHUNK_BYTES, Quantize};
use crate::kernels::Kernels;
use crate::memory::AlignedBuffer;
use crate::precision::Precision;
use crate::team::{Region, Shares};

/// A weight matrix `[outputs, inputs]` with an optional bias, cut into panels.
///
/// ```text
/// panel p        panel p + 1
/// [cells][P]     [cells][P]    ...   P outputs side by side for every cell of inputs; P is two registers
/// ```
///
/// A cell is 32 bits: one input as f32, or four as bytes. A product with one row reads each panel once from end to end;
/// one with many rows keeps a panel in the nearest cache while all rows pass it. Outputs that fill up the last panel are
/// zero and are never stored.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    kernels: &'static Kernels,
    precision: Precision,
    outputs: usize,
    inputs: usize,
    panels: AlignedBuffer<u32>,
    /// What a byte of each output counts.
    scales: AlignedBuffer<f32>,
    /// What the sum of each output starts from, where the kernels store the bytes of the left side with an offset.
    starts: AlignedBuffer<i32>,
    bias: Option<AlignedBuffer<f32>>,
}

impl PackedMatrix {
    /// Pack `weights`, rows of `inputs` numbers for each output, as f32 on the calling thread.
    ///
    /// # Panics
    /// When the lengths of `weights` and `bias` are not those of the shape.
    pub fn pack(
        kernels: &'static Kernels,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> PackedMatrix {
        let mut matrix = PackedMatrix::empty(kernels, Precision::F32, weights, outputs, inputs, bias);
        let panel = kernels.panel;
        for (number, packed) in matrix.panels.chunks_exact_mut((panel * inputs).max(1)).enumerate() {
            pack_panel(weights, outputs, inputs, panel, number, packed);
        }
        matrix
    }

    fn empty(
        kernels: &'static Kernels,
        precision: Precision,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> PackedMatrix {
        let all = weights.len();
        assert_eq!(all, outputs * inputs, "{all} weights are not a matrix of {outputs} x {inputs}");
        let padded = outputs.next_multiple_of(kernels.panel);
        let bias = bias.map(|bias| {
            assert_eq!(bias.len(), outputs, "{} biases for {outputs} outputs", bias.len());
            let mut whole = AlignedBuffer::zeroed(padded);
            whole[..outputs].copy_from_slice(bias);
            whole
        });
        let quantized = if precision == Precision::Int8 { padded } else { 0 };
        PackedMatrix {
            kernels,
            precision,
            outputs,
            inputs,
            panels: AlignedBuffer::zeroed(padded * cells(precision, inputs)),
            scales: AlignedBuffer::zeroed(quantized),
            starts: AlignedBuffer::zeroed(if kernels.offset == 0 { 0 } else { quantized }),
            bias,
        }
    }

    /// How many numbers a product with this matrix gives per row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many numbers a row must have to be multiplied with this matrix.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// What the weights are kept as.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Memory taken by the packed weights, their scales and the bias.
    pub fn bytes(&self) -> usize {
        let others = self.scales.len() + self.starts.len() + self.bias.as_ref().map_or(0, |bias| bias.len());
        (self.panels.len() + others) * size_of::<u32>()
    }

    /// Unpack the weights of one output.
    ///
    /// # Panics
    /// When there is no such output or `into` has not `inputs` numbers.
    pub fn row(&self, output: usize, into: &mut [f32]) {
        assert!(output < self.outputs, "row {output} of a matrix with {} rows", self.outputs);
        assert_eq!(into.len(), self.inputs, "room for {} of {} inputs", into.len(), self.inputs);
        let panel = self.kernels.panel;
        let size = panel * self.cells();
        let packed = self.panels[output / panel * size..][..size][output % panel..].iter().step_by(panel);
        match self.precision {
            Precision::F32 => {
                for (to, from) in into.iter_mut().zip(packed) {
                    *to = f32::from_bits(*from);
                }
            }
            Precision::Int8 => {
                let scale = self.scales[output];
                for (to, from) in into.iter_mut().zip(packed.flat_map(|cell| cell.to_ne_bytes())) {
                    *to = f32::from(from as i8) * scale;
                }
            }
        }
    }

    /// The kernels whose panels these are.
    pub(crate) fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    /// Cells of one output.
    pub(crate) fn cells(&self) -> usize {
        cells(self.precision, self.inputs)
    }

    pub(crate) fn panels(&self) -> &[u32] {
        &self.panels
    }

    /// One for every output of whole panels, if there are any.
    pub(crate) fn scales(&self) -> Option<&[f32]> {
        (!self.scales.is_empty()).then_some(&self.scales[..])
    }

    /// One for every output of whole panels, if there are any.
    pub(crate) fn starts(&self) -> Option<&[i32]> {
        (!self.starts.is_empty()).then_some(&self.starts[..])
    }

    pub(crate) fn bias(&self) -> Option<&[f32]> {
        self.bias.as_deref()
    }
}

/// How many cells so many inputs take.
pub(crate) fn cells(precision: Precision, inputs: usize) -> usize {
    match precision {
        Precision::F32 => inputs,
        Precision::Int8 => inputs.div_ceil(4),
    }
}

impl Region<'_> {
    /// [`PackedMatrix::pack`] on all threads, and at any precision.
    ///
    /// # Panics
    /// When the lengths of `weights` and `bias` are not those of the shape.
    pub fn pack(
        &mut self,
        precision: Precision,
        weights: &[f32],
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> PackedMatrix {
        let kernels = self.kernels();
        let mut matrix = PackedMatrix::empty(kernels, precision, weights, outputs, inputs, bias);
        let panel = kernels.panel;
        let size = (panel * matrix.cells()).max(1);
        // About a quarter of a megabyte a block: the time is that of memory, and a claim costs nothing beside it.
        let per_block = ((64 << 10) / size).max(1);
        match precision {
            Precision::F32 => self.rows(&mut matrix.panels, size, per_block, |first, panels| {
                for (number, packed) in panels.chunks_exact_mut(size).enumerate() {
                    pack_panel(weights, outputs, inputs, panel, first + number, packed);
                }
            }),
            Precision::Int8 => {
                let (scales, starts) = (Shares(matrix.scales.as_mut_ptr()), Shares(matrix.starts.as_mut_ptr()));
                self.rows(&mut matrix.panels, size, per_block, |first, panels| {
                    for (number, packed) in panels.chunks_exact_mut(size).enumerate() {
                        let output = (first + number) * panel;
                        let rows = &weights[output * inputs..(output + panel).min(outputs) * inputs];
                        let sums = quantize_panel(kernels, rows, inputs, packed);
                        for (place, (scale, sum)) in sums.into_iter().enumerate() {
                            // SAFETY: there is a scale, and a start where the kernels have an offset, for every output of
                            // whole panels; those of this panel are written by this block alone.
                            unsafe {
                                *scales.get().add(output + place) = scale;
                                if kernels.offset != 0 {
                                    *starts.get().add(output + place) = -kernels.offset * sum;
                                }
                            }
                        }
                    }
                });
            }
        }
        matrix
    }
}

/// Inputs packed at a time. Long reads keep the memory busy, and the piece of the panel being written (64 KB) is small
/// enough for the second cache.
const SPAN: usize = 512;
/// Outputs packed at a time: so many rows are read side by side, and so many numbers written at once.
const TOGETHER: usize = 8;

fn pack_panel(weights: &[f32], outputs: usize, inputs: usize, panel: usize, number: usize, packed: &mut [u32]) {
    let first = number * panel;
    let used = panel.min(outputs - first);
    let rows = &weights[first * inputs..(first + used) * inputs];
    for start in (0..inputs).step_by(SPAN) {
        let span = SPAN.min(inputs - start);
        let target = &mut packed[start * panel..(start + span) * panel];
        for (group, rows) in rows.chunks(TOGETHER * inputs).enumerate() {
            let place = group * TOGETHER;
            if rows.len() == TOGETHER * inputs {
                let rows: [&[f32]; TOGETHER] = std::array::from_fn(|row| &rows[row * inputs + start..][..span]);
                for (k, side_by_side) in target.chunks_exact_mut(panel).enumerate() {
                    let numbers: [u32; TOGETHER] = std::array::from_fn(|row| rows[row][k].to_bits());
                    side_by_side[place..place + TOGETHER].copy_from_slice(&numbers);
                }
            } else {
                for (row, numbers) in rows.chunks_exact(inputs).enumerate() {
                    for (side_by_side, from) in target.chunks_exact_mut(panel).zip(&numbers[start..start + span]) {
                        side_by_side[place + row] = from.to_bits();
                    }
                }
            }
        }
    }
}

/// The weights of one panel's outputs as bytes. Returns the scale and the sum of the bytes of each.
fn quantize_panel(kernels: &Kernels, rows: &[f32], inputs: usize, packed: &mut [u32]) -> Vec<(f32, i32)> {
    let panel = kernels.panel;
    let mut chunks = vec![0u32; inputs.next_multiple_of(CHUNK_BYTES) / 4];
    let quantize = |(output, row): (usize, &[f32])| {
        let mut scale = 0.0;
        let job = Quantize {
            from: row.as_ptr(),
            stride: inputs,
            rows: 1,
            inner: inputs,
            to: chunks.as_mut_ptr().cast(),
            scales: &mut scale,
        };
        // SAFETY: one row of `inputs` numbers, room for its whole chunks, one scale. The kernels run here because they
        // exist.
        unsafe { (kernels.quantize)(&job) };
        // A weight that is not a number would pass for a zero; so it shows in every result.
        if !row.iter().sum::<f32>().is_finite() {
            scale = f32::NAN;
        }
        let mut sum = 0;
        for (cell, side_by_side) in chunks.iter().zip(packed.chunks_exact_mut(panel)) {
            // The left side's offset is not the weights'.
            let bytes = cell.to_ne_bytes().map(|byte| byte.wrapping_sub(kernels.offset as u8));
            sum += bytes.iter().map(|byte| i32::from(*byte as i8)).sum::<i32>();
            side_by_side[output] = u32::from_ne_bytes(bytes);
        }
        (scale, sum)
    };
    rows.chunks_exact(inputs).enumerate().map(quantize).collect()
}

const _: () = assert!(CHUNK_BYTES == 4 * CHUNK);
