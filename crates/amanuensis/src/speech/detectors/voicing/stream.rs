//! The same detector for sound that comes piece by piece: what was heard last is judged anew with every piece.

use super::features::{Features, Listener};
use super::{CONTEXT, decide, floor};
use crate::speech::FRAME_SAMPLES;

/// Frames that are judged: those that have a say in the last of them, and the background behind those.
const KEPT: usize = CONTEXT + floor::REACH;

/// [`Voicing`](super::Voicing) for sound that has no end yet.
///
/// Nothing behind the last frame is known, so that a verdict may change while more is heard: a voice that begins without a
/// background before it is found once there is one. Memory and the work for each piece are bounded.
pub struct VoicingStream {
    listener: Listener,
    /// Sound that is not in a frame yet, from half a frame before the next one on.
    rest: Vec<f32>,
    /// What was heard of the frames from number `first` on.
    first: u64,
    heard: Vec<Features>,
}

impl VoicingStream {
    /// A detector that has heard nothing.
    pub fn new() -> Self {
        let rest = vec![0.0; FRAME_SAMPLES / 2];
        VoicingStream { listener: Listener::new(), rest, first: 0, heard: Vec::new() }
    }

    /// Hears the samples that come next.
    pub fn hear(&mut self, samples: &[f32]) {
        self.rest.extend_from_slice(samples);
        let mut used = 0;
        while self.rest.len() - used >= 2 * FRAME_SAMPLES {
            let (early, late) = self.rest[used..used + 2 * FRAME_SAMPLES].split_at(FRAME_SAMPLES);
            self.heard.push(self.listener.hear(early, late));
            used += FRAME_SAMPLES;
        }
        self.rest.drain(..used);
        let gone = self.heard.len().saturating_sub(KEPT);
        self.heard.drain(..gone);
        self.first += gone as u64;
    }

    /// The number of the first frame that is still judged, and the probability of speech in it and in each behind it.
    pub fn probabilities(&self) -> (u64, Vec<f32>) {
        (self.first, decide(&self.heard, 2 * floor::REACH))
    }
}

impl Default for VoicingStream {
    fn default() -> Self {
        VoicingStream::new()
    }
}
