//! How much of the device's memory a model takes, before any of it is taken.

use amanuensis::model::{CONVOLUTION_WINDOW as TAPS, Dims};

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::weights::Counts;

/// Bytes of a model on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The weights, in f16.
    pub weights: u64,
    /// What the encoder works in, for each window of a batch in the model's whole context.
    pub window: u64,
    /// Keys and values of what was heard, for each window.
    pub heard: u64,
    /// Keys and values of what was said, for each lane.
    pub lane: u64,
}

/// What tables, logits, small buffers and the driver's own pieces take beside the rest.
const REST: u64 = 64 << 20;

impl Budget {
    /// What a model of these sizes takes.
    pub fn of(dims: &Dims) -> Self {
        let mut counts = Counts::default();
        Encoder::count(&mut counts, dims);
        Decoder::count(&mut counts, dims);
        let (rows, width) = (dims.audio_context, dims.audio_width);
        let frames = 2 * rows;
        let unfolded = (frames * TAPS * dims.mel_bins).max(rows * TAPS * width);
        let halves = frames * dims.mel_bins
            + unfolded
            + frames * width
            + rows * width
            + rows * (3 * width).max(dims.audio_feed_forward);
        let floats = 2 * rows * width;
        let keys_values = |rows: usize| (2 * dims.text_layers * rows * 2 * dims.text_width) as u64;
        Budget {
            weights: counts.bytes(),
            window: (2 * halves + 4 * floats) as u64,
            heard: keys_values(dims.audio_context),
            lane: keys_values(dims.text_context),
        }
    }

    /// What must be free to hear one window in one lane.
    pub fn least(&self) -> u64 {
        self.weights + self.window + self.heard + self.lane + REST
    }

    /// How many windows are encoded together where so many bytes are free, up to `most`: half of what is left is the decoder's.
    /// None where one does not fit.
    pub fn together(&self, free: u64, most: usize) -> Option<usize> {
        let left = free.checked_sub(self.least())?;
        let more = usize::try_from(left / 2 / self.window.max(1)).unwrap_or(usize::MAX);
        Some(more.saturating_add(1).clamp(1, most.max(1)))
    }

    /// Why a model is not loaded, and what to do.
    pub fn refusal(&self, free: u64, total: u64) -> String {
        let megabytes = |bytes: u64| bytes.div_ceil(1 << 20);
        format!(
            "the model takes {} MiB ({} of weights, {} for a window, {} for a lane, {} for all else), but {} of {} MiB are free; end \
             other programs on the GPU, take a smaller model, or use another device",
            megabytes(self.least()),
            megabytes(self.weights),
            megabytes(self.window + self.heard),
            megabytes(self.lane),
            megabytes(REST),
            free >> 20,
            total >> 20,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { weights: 3 << 30, window: 55 << 20, heard: 245 << 20, lane: 73 << 20 };

    #[test]
    fn windows_are_as_many_as_fit() {
        assert_eq!(BUDGET.together(BUDGET.least() - 1, 16), None);
        assert_eq!(BUDGET.together(BUDGET.least(), 16), Some(1));
        assert_eq!(BUDGET.together(BUDGET.least() + 4 * BUDGET.window, 16), Some(3));
        assert_eq!(BUDGET.together(80 << 30, 16), Some(16));
        assert_eq!(BUDGET.together(80 << 30, 0), Some(1));
    }

    #[test]
    fn a_refusal_says_what_is_needed_and_what_is_there() {
        let text = BUDGET.refusal(2 << 30, 8 << 30);
        assert!(text.contains("takes 3509 MiB") && text.contains("2048 of 8192 MiB are free"), "{text}");
    }
}
