//! How much of the device's memory a model and its batches take, before any of it is taken.

use amanuensis::model::{CONVOLUTION_WINDOW as TAPS, Dims};

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::weights::Counts;
use crate::kernels::Choose;

/// Bytes of a model on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The weights, in f16.
    pub weights: u64,
    /// What the encoder works in, for each window of a pass in the model's whole context.
    pub window: u64,
    /// Keys and values of what was heard and what they are made of, for each window.
    pub heard: u64,
    /// Keys and values of what was said, for each lane.
    pub lane: u64,
    /// What a step works in, for each token that it is fed.
    pub row: u64,
    /// What is made of each row of logits that is read.
    pub read: u64,
    /// Positions of the decoder: most tokens of a prompt.
    pub context: u64,
}

/// What tables, small buffers and the driver's own pieces take beside the rest, and the scores and logits that word times are read
/// from, which the engine keeps to some megabytes.
const REST: u64 = 64 << 20;
/// What of it batches must find free; the other half goes when a model is loaded.
const REST_OF_BATCHES: u64 = REST / 2;

/// Bytes that something takes, by what they are kept for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Need {
    /// An encoder pass.
    pub encoder: u64,
    /// What was heard.
    pub heard: u64,
    /// What lanes remember.
    pub lanes: u64,
    /// A step of all lanes.
    pub step: u64,
}

impl Need {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.encoder + self.heard + self.lanes + self.step
    }

    /// What it takes where `kept` is there for the same.
    pub fn beyond(&self, kept: &Need) -> u64 {
        self.encoder.saturating_sub(kept.encoder)
            + self.heard.saturating_sub(kept.heard)
            + self.lanes.saturating_sub(kept.lanes)
            + self.step.saturating_sub(kept.step)
    }
}

/// Windows that are to be heard together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// How many.
    pub windows: usize,
    /// How many lanes each has at most.
    pub lanes: usize,
    /// How many of them are encoded in a pass, at most.
    pub pass: usize,
}

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
        let floats = rows * (width + 1);
        let keys_values = |rows: usize| (2 * dims.text_layers * rows * 2 * dims.text_width) as u64;
        let (text_width, widest) = (dims.text_width, (3 * dims.text_width).max(dims.text_feed_forward));
        Budget {
            weights: counts.bytes(),
            window: (2 * halves + 4 * floats) as u64,
            heard: keys_values(dims.audio_context) + (2 * rows * width) as u64,
            lane: keys_values(dims.text_context),
            row: (4 * text_width + 2 * (2 * text_width + widest)) as u64,
            read: (4 * Choose::pitch(dims.vocabulary) + 2 * text_width) as u64,
            context: dims.text_context as u64,
        }
    }

    /// What a batch takes beside the weights.
    ///
    /// Further windows may be listened to for the language of the first while the batch waits: one more is counted.
    pub fn need(&self, Batch { windows, lanes, pass }: Batch) -> Need {
        let (windows, lanes, pass) = (windows as u64, lanes as u64, windows.min(pass) as u64);
        // What lanes remember is copied when they become more, so both must fit.
        let slots = windows * lanes + if lanes > 1 { windows } else { 0 };
        // First every window is fed a prompt, which is read in two rows, and then every lane a token, which is read in one.
        let (rows, reads) = (windows * self.context.max(lanes), windows * lanes.max(2));
        Need {
            encoder: pass * self.window,
            heard: (windows + 1) * self.heard,
            lanes: (slots + 1) * self.lane,
            step: rows * self.row + reads * self.read,
        }
    }

    /// How many windows of a batch go together where so many bytes are there for all of them. None where not one does.
    pub fn fitting(&self, batch: Batch, there: u64) -> Option<usize> {
        let fits = |windows: &usize| self.need(Batch { windows: *windows, ..batch }).total() + REST_OF_BATCHES <= there;
        (1..=batch.windows.max(1)).rev().find(fits)
    }

    /// What must be free to hear one window in one lane.
    pub fn least(&self) -> u64 {
        self.weights + self.need(Batch { windows: 1, lanes: 1, pass: 1 }).total() + REST
    }

    /// How many windows are encoded in a pass where so many bytes are free, up to `most`: half of what is left is the decoder's.
    /// None where one does not fit.
    pub fn pass(&self, free: u64, most: usize) -> Option<usize> {
        let left = free.checked_sub(self.least())?;
        let more = usize::try_from(left / 2 / self.window.max(1)).unwrap_or(usize::MAX);
        Some(more.saturating_add(1).clamp(1, most.max(1)))
    }

    /// Why a model is not loaded, and what to do.
    pub fn refusal(&self, free: u64, total: u64) -> String {
        let Need { encoder, heard, lanes, step } = self.need(Batch { windows: 1, lanes: 1, pass: 1 });
        format!(
            "the model takes {} MiB ({} of weights, {} for a window, {} for a lane, {} for all else), but {} of {} MiB are free; end \
             other programs on the GPU, take a smaller model, or use another device",
            megabytes(self.least()),
            megabytes(self.weights),
            megabytes(encoder + heard),
            megabytes(lanes + step),
            megabytes(REST),
            free >> 20,
            total >> 20,
        )
    }

    /// Why not one window of a batch is heard, and what to do.
    pub fn refusal_of_one(&self, batch: Batch, there: u64, total: u64) -> String {
        let one = Batch { windows: 1, ..batch };
        let Need { encoder, heard, lanes, step } = self.need(one);
        format!(
            "a window in {} lanes takes {} MiB ({} for the encoder, {} for what is heard, {} for what lanes remember, {} for a step, {} \
             for all else), but of {} MiB there are {} for it; end other programs on the GPU, take fewer beams and samples (--beam-size, \
             --best-of) or a smaller model, or use another device",
            one.lanes,
            megabytes(self.need(one).total() + REST_OF_BATCHES),
            megabytes(encoder),
            megabytes(heard),
            megabytes(lanes),
            megabytes(step),
            megabytes(REST_OF_BATCHES),
            total >> 20,
            there >> 20,
        )
    }
}

/// Megabytes, rounded up.
pub(super) fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget {
        weights: 3 << 30,
        window: 55 << 20,
        heard: 245 << 20,
        lane: 73 << 20,
        row: 20 << 10,
        read: 200 << 10,
        context: 448,
    };

    #[test]
    fn a_pass_is_as_large_as_what_is_left_allows() {
        assert_eq!(BUDGET.pass(BUDGET.least() - 1, 16), None);
        assert_eq!(BUDGET.pass(BUDGET.least(), 16), Some(1));
        assert_eq!(BUDGET.pass(BUDGET.least() + 4 * BUDGET.window, 16), Some(3));
        assert_eq!(BUDGET.pass(80 << 30, 16), Some(16));
        assert_eq!(BUDGET.pass(80 << 30, 0), Some(1));
    }

    #[test]
    fn a_batch_is_as_large_as_what_is_there_allows() {
        let asked = Batch { windows: 64, lanes: 5, pass: 16 };
        let needs = |windows| BUDGET.need(Batch { windows, ..asked }).total() + REST_OF_BATCHES;
        for windows in [1, 2, 17, 64] {
            assert_eq!(BUDGET.fitting(asked, needs(windows)), Some(windows));
            assert_eq!(BUDGET.fitting(asked, needs(windows + 1) - 1), Some(windows));
        }
        assert_eq!(BUDGET.fitting(asked, needs(1) - 1), None);
        assert_eq!(BUDGET.fitting(asked, 800 << 30), Some(64));
        // After loading there is room for one window in one lane, as was promised.
        let one = Batch { windows: 9, lanes: 1, pass: 1 };
        assert_eq!(BUDGET.fitting(one, BUDGET.least() - BUDGET.weights - REST_OF_BATCHES), Some(1));
    }

    #[test]
    fn a_need_counts_what_is_kept_for_the_same_and_nothing_else() {
        let need = Need { encoder: 10, heard: 20, lanes: 30, step: 40 };
        let kept = Need { encoder: 100, heard: 15, lanes: 0, step: 40 };
        assert_eq!((need.total(), need.beyond(&kept), need.beyond(&Need::default())), (100, 35, 100));
    }

    #[test]
    fn a_refusal_says_what_is_needed_and_what_is_there() {
        let text = BUDGET.refusal(2 << 30, 8 << 30);
        let least = megabytes(BUDGET.least());
        assert!(text.contains(&format!("takes {least} MiB")) && text.contains("2048 of 8192 MiB are free"), "{text}");
        let text = BUDGET.refusal_of_one(Batch { windows: 64, lanes: 5, pass: 16 }, 300 << 20, 8 << 30);
        assert!(
            text.contains("a window in 5 lanes takes 1098 MiB (55 for the encoder, 490 for what is heard"),
            "{text}"
        );
        assert!(text.contains("of 8192 MiB there are 300 for it") && text.contains("--beam-size"), "{text}");
    }
}
