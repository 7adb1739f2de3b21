//! A model's weights on their way to the device: read from their files, rounded, uploaded once.

use std::sync::Arc;

use amanuensis::model::{CONVOLUTION_WINDOW as TAPS, ModelError, Weights};
use half::f16;
use half::slice::HalfFloatSliceExt as _;

use crate::driver::{Buffer, Gpu, GpuError, Number, View, upload};

/// Why weights did not arrive.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// The files are at fault.
    Model(ModelError),
    /// The device is.
    Device(GpuError),
}

impl From<ModelError> for Undelivered {
    fn from(error: ModelError) -> Self {
        Undelivered::Model(error)
    }
}

impl From<GpuError> for Undelivered {
    fn from(error: GpuError) -> Self {
        Undelivered::Device(error)
    }
}

/// Numbers of a kind in one piece of the device's memory, given out from its beginning.
struct Arena<T> {
    buffer: Buffer<T>,
    used: usize,
}

/// Bytes that what is multiplied is aligned to: cuBLASLt plans for as much.
const ALIGNMENT: usize = 256;

/// How many numbers an arena spends on so many.
fn aligned<T>(count: usize) -> usize {
    count.next_multiple_of(ALIGNMENT / size_of::<T>())
}

impl<T: Number> Arena<T> {
    fn put(&mut self, gpu: &dyn Gpu, numbers: &[T]) -> Result<View<T>, GpuError> {
        let all = self.buffer.view();
        let end = self.used + aligned::<T>(numbers.len());
        if end > all.len() {
            let (wanted, there) = (format!("{end} {}", T::NAME), format!("room for {}", all.len()));
            return Err(GpuError::Misuse { what: "the weights' memory", wanted, there });
        }
        let view = all.part(self.used..self.used + numbers.len());
        upload(gpu, view, numbers)?;
        self.used = end;
        Ok(view)
    }
}

/// How many numbers of each kind a model's weights are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    halves: usize,
    floats: usize,
}

impl Counts {
    pub(super) fn half(&mut self, count: usize) {
        self.halves += aligned::<f16>(count);
    }

    pub(super) fn float(&mut self, count: usize) {
        self.floats += aligned::<f32>(count);
    }

    /// Bytes on the device.
    pub(super) fn bytes(self) -> u64 {
        (2 * self.halves + 4 * self.floats) as u64
    }
}

/// Brings tensors to the device.
pub(super) struct Delivery<'a> {
    gpu: Arc<dyn Gpu>,
    weights: &'a Weights,
    halves: Arena<f16>,
    floats: Arena<f32>,
}

/// What must be kept as long as the weights are used.
pub(super) struct Delivered {
    _halves: Buffer<f16>,
    _floats: Buffer<f32>,
}

/// A linear layer's weights, `[outputs][inputs]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linear {
    pub(super) weights: View<f16>,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(gpu: &Arc<dyn Gpu>, weights: &'a Weights, counts: Counts) -> Result<Self, GpuError> {
        Ok(Delivery {
            gpu: gpu.clone(),
            weights,
            halves: Arena { buffer: Buffer::new(gpu, counts.halves, "the weights")?, used: 0 },
            floats: Arena { buffer: Buffer::new(gpu, counts.floats, "the weights")?, used: 0 },
        })
    }

    pub(super) fn end(self) -> Delivered {
        Delivered { _halves: self.halves.buffer, _floats: self.floats.buffer }
    }

    pub(super) fn halves(&mut self, numbers: &[f32]) -> Result<View<f16>, Undelivered> {
        let mut rounded = vec![f16::ZERO; numbers.len()];
        rounded.convert_from_f32_slice(numbers);
        Ok(self.halves.put(&*self.gpu, &rounded)?)
    }

    pub(super) fn floats(&mut self, numbers: &[f32]) -> Result<View<f32>, Undelivered> {
        Ok(self.floats.put(&*self.gpu, numbers)?)
    }

    /// A tensor's numbers.
    pub(super) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        Ok(self.weights.tensor(name, shape)?.to_f32())
    }

    /// Projections of the same input, their outputs side by side.
    pub(super) fn linear(&mut self, names: &[&str], outputs: usize, inputs: usize) -> Result<Linear, Undelivered> {
        let mut all = Vec::with_capacity(names.len() * outputs * inputs);
        for name in names {
            all.extend(self.read(&format!("{name}.weight"), &[outputs, inputs])?);
        }
        Ok(Linear { weights: self.halves(&all)?, outputs: names.len() * outputs, inputs })
    }

    /// Their biases; zeros where the file has none, as for Whisper's keys.
    pub(super) fn biases(&self, names: &[&str], outputs: usize) -> Result<Vec<f32>, ModelError> {
        let mut all = Vec::with_capacity(names.len() * outputs);
        for name in names {
            let name = format!("{name}.bias");
            if self.weights.get(&name).is_some() {
                all.extend(self.read(&name, &[outputs])?);
            } else {
                all.resize(all.len() + outputs, 0.0);
            }
        }
        Ok(all)
    }

    /// A convolution over time as a matrix of `[outputs][tap][channel]`, to be laid over neighbouring frames.
    pub(super) fn convolution(&mut self, name: &str, outputs: usize, channels: usize) -> Result<Linear, Undelivered> {
        let stored = self.read(&format!("{name}.weight"), &[outputs, channels, TAPS])?;
        let mut turned = vec![0.0; stored.len()];
        for (from, into) in stored.chunks_exact(channels * TAPS).zip(turned.chunks_exact_mut(channels * TAPS)) {
            for (index, value) in from.iter().enumerate() {
                into[index % TAPS * channels + index / TAPS] = *value;
            }
        }
        Ok(Linear { weights: self.halves(&turned)?, outputs, inputs: TAPS * channels })
    }
}
