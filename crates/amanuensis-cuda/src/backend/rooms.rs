//! Memory that passes and steps work in. It grows to what is needed and is kept: allocating stops the device.

use std::sync::Arc;

use half::f16;

use crate::driver::{Buffer, Gpu, GpuError, Number, View, upload};

/// Memory that is as large as the largest that was asked for.
pub(super) struct Room<T> {
    buffer: Option<Buffer<T>>,
    what: &'static str,
}

impl<T: Number> Room<T> {
    pub(super) fn new(what: &'static str) -> Self {
        Room { buffer: None, what }
    }

    /// Bytes that it has.
    pub(super) fn bytes(&self) -> u64 {
        self.buffer.as_ref().map_or(0, |buffer| buffer.view().bytes() as u64)
    }

    /// Bytes that room for so many numbers takes beyond that.
    pub(super) fn growth(&self, len: usize) -> u64 {
        ((len * size_of::<T>()) as u64).saturating_sub(self.bytes())
    }

    /// Room for so many numbers, whatever lies there.
    pub(super) fn ensure(&mut self, gpu: &Arc<dyn Gpu>, len: usize) -> Result<View<T>, GpuError> {
        if self.buffer.as_ref().is_none_or(|buffer| buffer.view().len() < len) {
            // The old memory goes first, so that both need not fit.
            self.buffer = None;
            self.buffer = Some(Buffer::new(gpu, len, self.what)?);
        }
        let all = self.buffer.as_ref().map(Buffer::view);
        all.map(|all| all.first(len)).ok_or_else(|| GpuError::Misuse {
            what: self.what,
            wanted: format!("{len} numbers"),
            there: "no memory".to_owned(),
        })
    }
}

impl Room<i32> {
    /// Room for so many numbers that are zero until somebody changes them.
    pub(super) fn ensure_zeros(&mut self, gpu: &Arc<dyn Gpu>, len: usize) -> Result<View<i32>, GpuError> {
        if self.buffer.as_ref().is_none_or(|buffer| buffer.view().len() < len) {
            let view = self.ensure(gpu, len)?;
            upload(&**gpu, view, &vec![0; len]).inspect_err(|_| self.buffer = None)?;
        }
        self.ensure(gpu, len)
    }
}

/// What an encoder pass works in.
pub(super) struct EncoderRoom {
    pub(super) mel: Room<f16>,
    /// Neighbouring rows side by side, before each convolution.
    pub(super) unfolded: Room<f16>,
    /// After the first convolution; then what attention makes of each layer.
    pub(super) once: Room<f16>,
    /// The residual stream.
    pub(super) x: Room<f32>,
    /// What a layer's products begin with.
    pub(super) normed: Room<f16>,
    /// Queries, keys and values side by side, or the middle of the feed-forward part.
    pub(super) wide: Room<f16>,
    /// What tells of each row whether it is of numbers.
    pub(super) firsts: Room<f32>,
}

impl EncoderRoom {
    /// Bytes that it has.
    pub(super) fn bytes(&self) -> u64 {
        let EncoderRoom { mel, unfolded, once, x, normed, wide, firsts } = self;
        [mel, unfolded, once, normed, wide].map(Room::bytes).iter().sum::<u64>() + x.bytes() + firsts.bytes()
    }
}

impl DecoderRoom {
    /// Bytes of what was heard, on its way.
    pub(super) fn heard_bytes(&self) -> u64 {
        self.encoded.bytes()
    }

    /// Bytes that steps have.
    pub(super) fn step_bytes(&self) -> u64 {
        // What blocks share is bounded by the number of multiprocessors, some hundred kilobytes, and counted with the rest.
        let DecoderRoom { encoded: _, x, normed, wide, attended, last, logits, found, scores, partials: _, arrived: _ } =
            self;
        let halves: u64 = [normed, wide, attended, last].map(Room::bytes).iter().sum();
        halves + [x, logits, found, scores].map(Room::bytes).iter().sum::<u64>()
    }
}

impl Default for EncoderRoom {
    fn default() -> Self {
        let half = || Room::new("an encoder pass");
        let float = || Room::new("an encoder pass");
        EncoderRoom {
            mel: half(),
            unfolded: half(),
            once: half(),
            x: float(),
            normed: half(),
            wide: half(),
            firsts: float(),
        }
    }
}

/// What a decoder step works in.
pub(super) struct DecoderRoom {
    /// What was heard, on its way to keys and values.
    pub(super) encoded: Room<f16>,
    /// The residual stream.
    pub(super) x: Room<f32>,
    pub(super) normed: Room<f16>,
    pub(super) wide: Room<f16>,
    pub(super) attended: Room<f16>,
    /// The rows whose logits are wanted.
    pub(super) last: Room<f16>,
    pub(super) logits: Room<f32>,
    /// What is found in logits that are not handed over.
    pub(super) found: Room<f32>,
    /// Scores of the cross-attention that are kept.
    pub(super) scores: Room<f32>,
    /// What blocks make of their parts of the keys of attention.
    pub(super) partials: Room<f32>,
    /// How many of them have come to their end: zeros between operations.
    pub(super) arrived: Room<i32>,
}

impl Default for DecoderRoom {
    fn default() -> Self {
        let half = || Room::new("a decoder step");
        let float = || Room::new("a decoder step");
        DecoderRoom {
            encoded: half(),
            x: float(),
            normed: half(),
            wide: half(),
            attended: half(),
            last: half(),
            logits: float(),
            found: float(),
            scores: float(),
            partials: float(),
            arrived: Room::new("a decoder step"),
        }
    }
}
