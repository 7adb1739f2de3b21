//! Weights in the order the kernels read them.

use crate::generic::nibbles::{self, GROUP, GROUP_CELLS};
use crate::kernels::Kernels;
use crate::memory::AlignedBuffer;
use crate::precision::Precision;

/// A weight matrix `[outputs, inputs]` with an optional bias, cut into panels.
///
/// ```text
/// panel p        panel p + 1
/// [cells][P]     [cells][P]    ...   P outputs side by side for every cell of inputs; P is two registers
/// ```
///
/// A cell is 32 bits: one input as f32, four as bytes, eight as halves of bytes, or the scale of 32 such. As f16 a cell of
/// `[inputs][P / 2]` holds two outputs. A product with one row reads each panel once from end to end;
/// one with many rows keeps a panel in the nearest cache while all rows pass it. Outputs that fill up the last panel are
/// zero and are never stored.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    kernels: &'static Kernels,
    precision: Precision,
    outputs: usize,
    inputs: usize,
    pub(crate) panels: AlignedBuffer<u32>,
    /// What a byte of each output counts; with halves of bytes, what its sum starts from.
    pub(crate) scales: AlignedBuffer<f32>,
    /// What the sum of each output starts from, where the kernels store the bytes of the left side with an offset.
    pub(crate) starts: AlignedBuffer<i32>,
    bias: Option<AlignedBuffer<f32>>,
    pub(crate) overflowed: bool,
}

impl PackedMatrix {
    /// The weights of a shape, all zero, in memory that `room` makes, and the bias.
    pub(crate) fn empty(
        kernels: &'static Kernels,
        room: impl FnOnce(usize) -> AlignedBuffer<u32>,
        precision: Precision,
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> PackedMatrix {
        let padded = outputs.next_multiple_of(kernels.panel);
        let bias = bias.map(|bias| {
            assert_eq!(bias.len(), outputs, "{} biases for {outputs} outputs", bias.len());
            let mut whole = AlignedBuffer::zeroed(padded);
            whole[..outputs].copy_from_slice(bias);
            whole
        });
        let quantized = if matches!(precision, Precision::F32 | Precision::F16) { 0 } else { padded };
        let started = if kernels.offset == 0 || precision != Precision::Int8 { 0 } else { padded };
        PackedMatrix {
            kernels,
            precision,
            outputs,
            inputs,
            panels: room(padded * cells(precision, inputs)),
            scales: AlignedBuffer::zeroed(quantized),
            starts: AlignedBuffer::zeroed(started),
            bias,
            overflowed: false,
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

    /// Whether a weight was too large for the precision, so that it is infinite now: f16 ends at 65,504.
    pub fn overflowed(&self) -> bool {
        self.overflowed
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
        let (whole, place) = (&self.panels[output / panel * size..][..size], output % panel);
        let packed = whole.get(place..).unwrap_or_default().iter().step_by(panel);
        match self.precision {
            Precision::F16 => {
                for (to, cells) in into.iter_mut().zip(whole.chunks_exact(panel / 2)) {
                    *to = half::f16::from_bits((cells[place / 2] >> (place % 2 * 16)) as u16).to_f32();
                }
            }
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
            Precision::Int4 => {
                let packed: Vec<u32> = packed.copied().collect();
                for (group, into) in packed.chunks_exact(GROUP_CELLS).zip(into.chunks_mut(GROUP)) {
                    nibbles::unpack(group, into);
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
        Precision::F16 => inputs.div_ceil(2),
        Precision::Int8 => inputs.div_ceil(4),
        Precision::Int4 => inputs.div_ceil(GROUP) * GROUP_CELLS,
    }
}
