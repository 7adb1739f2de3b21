//! From the probability of speech in each frame to the stretches that are transcribed.
//!
//! The rules are those of faster-whisper's `get_speech_timestamps`, down to the sample: one threshold begins speech, a
//! lower one ends it after enough silence, and speech that grows too long is cut at the last silence in it.

use super::detectors::FRAME_SAMPLES;
use super::{Span, VadOptions};
use crate::audio::SAMPLE_RATE;

/// Samples in a millisecond.
const MILLISECOND: u64 = SAMPLE_RATE as u64 / 1000;

/// Silence that is long enough to cut speech in that is too long: more than 98 ms, three whole frames and a little.
const CUTTING_SILENCE: u64 = 98 * MILLISECOND;

/// Which stretches of a sound of so many samples are speech: in order, apart, none empty, inside the sound.
///
/// There is one probability for each frame of [`FRAME_SAMPLES`]. If there are too few, the last state holds to the end.
pub fn spans(probabilities: &[f32], samples: u64, options: &VadOptions) -> Vec<Span> {
    let mut found = Vec::new();
    let mut walk = Walk::new(options);
    // A frame may begin where the sound ends: faster-whisper pads whole frames with another one of zeros.
    let frames = usize::try_from(samples / FRAME_SAMPLES as u64 + 1).unwrap_or(usize::MAX);
    for (frame, &probability) in probabilities.iter().take(frames).enumerate() {
        found.extend(walk.step(frame as u64 * FRAME_SAMPLES as u64, probability));
    }
    if let Some(start) = walk.start
        && samples.saturating_sub(start) > walk.min_speech
    {
        found.push(Span { start, end: samples });
    }
    pad(&mut found, samples, u64::from(options.speech_pad_ms) * MILLISECOND);
    found
}

/// The state while the frames go by. Places are samples.
struct Walk {
    threshold: f32,
    neg_threshold: f32,
    min_speech: u64,
    min_silence: u64,
    /// May be negative or infinite.
    max_speech: f64,
    /// Where the speech began that goes on.
    start: Option<u64>,
    /// Where the silence began that goes on, while the speech has not ended.
    silence: Option<u64>,
    /// Where the last silence began in which the speech could be cut.
    cut: Option<u64>,
    /// Where speech began again behind that silence.
    resumed: Option<u64>,
}

impl Walk {
    fn new(options: &VadOptions) -> Self {
        let threshold = options.threshold;
        let pad = f64::from(options.speech_pad_ms) * MILLISECOND as f64;
        Walk {
            threshold,
            // Computed in double precision, like the comparison value of faster-whisper.
            neg_threshold: options.neg_threshold.unwrap_or((f64::from(threshold) - 0.15).max(0.01) as f32),
            min_speech: u64::from(options.min_speech_duration_ms) * MILLISECOND,
            min_silence: u64::from(options.min_silence_duration_ms) * MILLISECOND,
            max_speech: f64::from(SAMPLE_RATE) * options.max_speech_duration_s - FRAME_SAMPLES as f64 - 2.0 * pad,
            start: None,
            silence: None,
            cut: None,
            resumed: None,
        }
    }

    /// The frame that begins at `place`: gives the speech that ended by it.
    fn step(&mut self, place: u64, probability: f32) -> Option<Span> {
        let is_speech = probability >= self.threshold;
        if is_speech && self.silence.take().is_some() && self.resumed < self.cut {
            // The first return of speech behind the cut, where what is left begins.
            self.resumed = Some(place);
        }
        let Some(start) = self.start else {
            if is_speech {
                self.start = Some(place);
            }
            return None;
        };
        let mut ended = None;
        if (place - start) as f64 > self.max_speech {
            let (cut, resumed) = (self.cut, self.resumed);
            self.rest();
            let Some(end) = cut else { return Some(Span { start, end: place }) };
            ended = Some(Span { start, end });
            // Without a return the silence of the cut still lasts.
            self.start = resumed.filter(|&resumed| resumed > end);
        }
        if probability < self.neg_threshold
            && let Some(start) = self.start
        {
            let silence = *self.silence.get_or_insert(place);
            if place - silence > CUTTING_SILENCE {
                self.cut = Some(silence);
            }
            if place - silence >= self.min_silence {
                self.rest();
                // No cut fell on this frame: it would have begun a silence here, which ends speech only where none may
                // last, and there is nothing to cut at.
                if silence - start > self.min_speech {
                    return Some(Span { start, end: silence });
                }
            }
        }
        ended
    }

    /// Waits for speech.
    fn rest(&mut self) {
        (self.start, self.silence, self.cut, self.resumed) = (None, None, None, None);
    }
}

/// Keeps `pad` samples on either side of each stretch, or half of what lies between two.
fn pad(spans: &mut [Span], samples: u64, pad: u64) {
    if let Some(first) = spans.first_mut() {
        first.start = first.start.saturating_sub(pad);
    }
    for next in 1..spans.len() {
        let gap = spans[next].start - spans[next - 1].end;
        let kept = if gap < 2 * pad { gap / 2 } else { pad };
        spans[next - 1].end += kept;
        spans[next].start -= kept;
    }
    if let Some(last) = spans.last_mut() {
        last.end = samples.min(last.end + pad);
    }
}

/// How much of a stretch of the recording is speech, from 0 to 1: the share of it in frames that more likely are than
/// are not. What no frame stands for is no speech, and an empty stretch holds none.
pub fn coverage(probabilities: &[f32], span: Span) -> f32 {
    const FRAME: u64 = FRAME_SAMPLES as u64;
    let frames = probabilities.len() as u64;
    let (first, behind) = ((span.start / FRAME).min(frames), span.end.div_ceil(FRAME).min(frames));
    let mut speech = 0;
    for frame in first..behind.max(first) {
        if probabilities[frame as usize] >= 0.5 {
            speech += ((frame + 1) * FRAME).min(span.end) - (frame * FRAME).max(span.start);
        }
    }
    if span.end > span.start { speech as f32 / (span.end - span.start) as f32 } else { 0.0 }
}

#[cfg(test)]
mod tests;
