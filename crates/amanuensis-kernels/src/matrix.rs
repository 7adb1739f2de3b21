//! Weights in the order the kernels read them.

use crate::kernels::Kernels;
use crate::memory::AlignedBuffer;
use crate::team::Region;

/// A weight matrix `[outputs, inputs]` with an optional bias, cut into panels.
///
/// ```text
/// panel p        panel p + 1
/// [inputs][P]    [inputs][P]   ...   P outputs side by side for every input; P is two registers
/// ```
///
/// A product with one row reads each panel once from end to end; one with many rows keeps a panel in the nearest cache
/// while all rows pass it. Outputs that fill up the last panel are zero and are never stored.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    kernels: &'static Kernels,
    outputs: usize,
    inputs: usize,
    panels: AlignedBuffer<f32>,
    bias: Option<AlignedBuffer<f32>>,
}

impl PackedMatrix {
    /// Pack `weights`, rows of `inputs` numbers for each output, on the calling thread.
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
        let mut matrix = PackedMatrix::empty(kernels, weights, outputs, inputs, bias);
        let panel = kernels.panel;
        for (number, packed) in matrix.panels.chunks_exact_mut((panel * inputs).max(1)).enumerate() {
            pack_panel(weights, outputs, inputs, panel, number, packed);
        }
        matrix
    }

    fn empty(
        kernels: &'static Kernels,
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
        PackedMatrix { kernels, outputs, inputs, panels: AlignedBuffer::zeroed(padded * inputs), bias }
    }

    /// How many numbers a product with this matrix gives per row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many numbers a row must have to be multiplied with this matrix.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Memory taken by the packed weights and the bias.
    pub fn bytes(&self) -> usize {
        (self.panels.len() + self.bias.as_ref().map_or(0, |bias| bias.len())) * size_of::<f32>()
    }

    /// Unpack the weights of one output.
    ///
    /// # Panics
    /// When there is no such output or `into` has not `inputs` numbers.
    pub fn row(&self, output: usize, into: &mut [f32]) {
        assert!(output < self.outputs, "row {output} of a matrix with {} rows", self.outputs);
        assert_eq!(into.len(), self.inputs, "room for {} of {} inputs", into.len(), self.inputs);
        let panel = self.kernels.panel;
        let packed = &self.panels[output / panel * panel * self.inputs..][..panel * self.inputs];
        for (to, from) in into.iter_mut().zip(packed[output % panel..].iter().step_by(panel)) {
            *to = *from;
        }
    }

    /// The kernels whose panels these are.
    pub(crate) fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    pub(crate) fn panels(&self) -> &[f32] {
        &self.panels
    }

    pub(crate) fn bias(&self) -> Option<&[f32]> {
        self.bias.as_deref()
    }
}

impl Region<'_> {
    /// [`PackedMatrix::pack`] on all threads.
    pub fn pack(&mut self, weights: &[f32], outputs: usize, inputs: usize, bias: Option<&[f32]>) -> PackedMatrix {
        let kernels = self.kernels();
        let mut matrix = PackedMatrix::empty(kernels, weights, outputs, inputs, bias);
        let size = (kernels.panel * inputs).max(1);
        // About a quarter of a megabyte a block: the time is that of memory, and a claim costs nothing beside it.
        let per_block = ((64 << 10) / size).max(1);
        self.rows(&mut matrix.panels, size, per_block, |first, panels| {
            for (number, packed) in panels.chunks_exact_mut(size).enumerate() {
                pack_panel(weights, outputs, inputs, kernels.panel, first + number, packed);
            }
        });
        matrix
    }
}

/// Inputs packed at a time. Long reads keep the memory busy, and the piece of the panel being written (64 KB) is small
/// enough for the second cache.
const SPAN: usize = 512;
/// Outputs packed at a time: so many rows are read side by side, and so many numbers written at once.
const TOGETHER: usize = 8;

fn pack_panel(weights: &[f32], outputs: usize, inputs: usize, panel: usize, number: usize, packed: &mut [f32]) {
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
                    let numbers: [f32; TOGETHER] = std::array::from_fn(|row| rows[row][k]);
                    side_by_side[place..place + TOGETHER].copy_from_slice(&numbers);
                }
            } else {
                for (row, numbers) in rows.chunks_exact(inputs).enumerate() {
                    for (side_by_side, from) in target.chunks_exact_mut(panel).zip(&numbers[start..start + span]) {
                        side_by_side[place + row] = *from;
                    }
                }
            }
        }
    }
}
