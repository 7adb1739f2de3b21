//! Where somebody speaks, in a sound that is still coming.

use crate::audio::SAMPLE_RATE;
use crate::speech::{FRAME_SAMPLES, VoicingStream};

/// Below its threshold by this much, a frame is no speech although it follows some.
const HYSTERESIS: f32 = 0.15;
/// Samples of nothing that are put behind the end of all sound: what stands before them has a background then.
const TAIL: usize = SAMPLE_RATE as usize;

/// Where somebody speaks. Places are samples of the session.
pub(super) struct Activity {
    stream: VoicingStream,
    threshold: f32,
    first: u64,
    probabilities: Vec<f32>,
    /// Samples since the probabilities were asked for.
    since: usize,
}

impl Activity {
    pub(super) fn new(threshold: f32) -> Self {
        let (stream, probabilities) = (VoicingStream::new(), Vec::new());
        Activity { stream, threshold, first: 0, probabilities, since: 0 }
    }

    /// Hears the samples that come next.
    pub(super) fn hear(&mut self, samples: &[f32]) {
        self.stream.hear(samples);
        self.since += samples.len();
        if self.since >= 2 * FRAME_SAMPLES {
            self.judge();
        }
    }

    /// Takes another probability for that of speech.
    pub(super) fn set_threshold(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// There is no more sound.
    pub(super) fn end(&mut self) {
        self.stream.hear(&[0.0; TAIL]);
        self.judge();
    }

    fn judge(&mut self) {
        (self.first, self.probabilities) = self.stream.probabilities();
        self.since = 0;
    }

    /// Where the first speech begins that does so at `place` or behind it.
    pub(super) fn begins(&self, place: u64) -> Option<u64> {
        let speech =
            |(start, probability): (u64, f32)| (start >= place && probability >= self.threshold).then_some(start);
        self.frames().find_map(speech)
    }

    /// Where the last speech ends, if it does so behind `place`.
    pub(super) fn ends(&self, place: u64) -> Option<u64> {
        let least = (self.threshold - HYSTERESIS).max(0.01);
        let speech = |(start, probability): (u64, f32)| (probability >= least).then_some(start + FRAME_SAMPLES as u64);
        self.frames().filter_map(speech).last().filter(|end| *end > place)
    }

    /// Where each frame begins, with the probability of speech in it.
    fn frames(&self) -> impl Iterator<Item = (u64, f32)> {
        let begin = self.first * FRAME_SAMPLES as u64;
        self.probabilities.iter().enumerate().map(move |(frame, p)| (begin + (frame * FRAME_SAMPLES) as u64, *p))
    }
}
