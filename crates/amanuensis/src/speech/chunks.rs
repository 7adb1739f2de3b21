//! Where sound that is transcribed in one batch is cut into windows.
//!
//! A chunk is transcribed alone, so a cut through a word loses it on both sides. It costs the same whatever its length
//! (the model fills it up to 30 s), so chunks are also to be long.

use super::detectors::FRAME_SAMPLES;
use super::{Span, TimeMap};
use crate::audio::SAMPLE_RATE;

/// Samples in a frame of 10 ms.
const HOP: u64 = SAMPLE_RATE as u64 / 100;
/// Frames of a window.
const WINDOW: u64 = 3000;
/// A frame is quiet whose probability of speech is below this: where faster-whisper lets speech end.
const QUIET: f32 = 0.35;
/// A pause of this length, in samples, is one between phrases; in words, before a plosive, silences last up to 150 ms.
const PAUSE: u64 = 300 * (SAMPLE_RATE as u64) / 1000;
/// A pause that is longer than this, in samples, is not a better place to cut.
const LONG_PAUSE: u64 = SAMPLE_RATE as u64;

/// Cuts the first `samples` samples of what is heard through `map` into chunks of at most `max_seconds`, which is
/// taken to lie between 1 and 30: in frames of 10 ms of what is heard, one behind the other, all of it.
///
/// `probabilities` are those of speech in the frames of the recording. A chunk is cut at a pause of 300 ms or more if
/// there is one behind the first 40 % of its room: at a place where silence was left out or in the middle of a silence,
/// the longer and the later the better. Else it is cut at the longest shorter silence, else where speech is least
/// probable; where nothing is known, as late as can be.
pub fn chunks(map: &TimeMap, samples: u64, probabilities: &[f32], max_seconds: f64) -> Vec<(u64, u64)> {
    let (frames, room) = (samples / HOP, ((max_seconds * 100.0) as u64).clamp(100, WINDOW));
    let places = Places { map, samples, probabilities, silences: silences(probabilities) };
    let mut chunks = Vec::with_capacity((frames / room) as usize + 1);
    let mut start = 0;
    while frames - start > room {
        let end = places.cut(start, room, frames);
        chunks.push((start, end));
        start = end;
    }
    if start < frames {
        chunks.push((start, frames));
    }
    chunks
}

/// The quiet stretches of the recording, in order.
fn silences(probabilities: &[f32]) -> Vec<Span> {
    let mut silences: Vec<Span> = Vec::new();
    for (frame, _) in probabilities.iter().enumerate().filter(|&(_, &probability)| probability < QUIET) {
        let start = (frame * FRAME_SAMPLES) as u64;
        let end = start + FRAME_SAMPLES as u64;
        match silences.last_mut().filter(|last| last.end == start) {
            Some(last) => last.end = end,
            None => silences.push(Span { start, end }),
        }
    }
    silences
}

/// Where sound can be cut.
struct Places<'a> {
    map: &'a TimeMap,
    samples: u64,
    probabilities: &'a [f32],
    silences: Vec<Span>,
}

/// A place to cut at, and how good it is.
#[derive(Clone, Copy)]
struct Place {
    frame: u64,
    merit: f64,
}

impl Places<'_> {
    /// The frame at which a chunk that begins at `start` ends.
    fn cut(&self, start: u64, room: u64, frames: u64) -> u64 {
        let (first, last) = (start + (room * 2).div_ceil(5), start + room);
        // A later cut saves a window only up to where one more holds all the rest.
        let enough = (frames - room).clamp(first, last);
        let late = |frame: u64| (frame.min(enough) - start) as f64 / room as f64;
        let mut best: Option<Place> = None;
        let mut offer = |heard: u64, silence: u64| {
            let frame = (heard + HOP / 2) / HOP;
            if (first..=last).contains(&frame) {
                let pause = if silence >= PAUSE { 1.0 } else { 0.0 };
                // Half a second more of silence is worth an eighth of a window.
                let length = silence.min(LONG_PAUSE) as f64 / LONG_PAUSE as f64 / 4.0;
                let merit = 2.0 * pause + length + pause * late(frame);
                if best.is_none_or(|best| (merit, frame) > (best.merit, best.frame)) {
                    best = Some(Place { frame, merit });
                }
            }
        };
        let spans = self.map.spans();
        let from = spans.partition_point(|&(heard, _)| heard <= first * HOP).saturating_sub(1);
        for (index, &(heard, span)) in spans.iter().enumerate().skip(from) {
            if heard > (last + 1) * HOP {
                break;
            }
            if let Some((_, before)) = index.checked_sub(1).and_then(|before| spans.get(before))
                && before.end < span.start
            {
                offer(heard, self.silence_around(Span { start: before.end, end: span.start }));
            }
            let span = Span { end: span.end.min(span.start + (self.samples - heard.min(self.samples))), ..span };
            // What of the stretch lies in the room.
            let open = span.start + (first * HOP).saturating_sub(heard);
            let close = span.end.min(span.start + (last * HOP).saturating_sub(heard));
            let behind = self.silences.partition_point(|silence| silence.end <= open);
            for silence in self.silences[behind..].iter().take_while(|silence| silence.start < close) {
                let (from, to) = (silence.start.max(span.start), silence.end.min(span.end));
                // In the middle of it; of a long one, half a second before its end.
                let wanted = (from + (to - from) / 2).max(to.saturating_sub(LONG_PAUSE / 2));
                let place = wanted.clamp(open, close.max(open));
                if place > from && place < to {
                    // As long as if it reached equally far on both sides.
                    offer(heard + (place - span.start), 2 * (place - from).min(to - place));
                }
            }
        }
        best.map_or_else(|| self.least_probable(first, last), |best| best.frame)
    }

    /// How long the silence in which a stretch was left out is, in the recording.
    fn silence_around(&self, left_out: Span) -> u64 {
        let reach = |place: u64, from_end: bool| {
            let index = self.silences.partition_point(|silence| silence.end < place);
            match self.silences.get(index) {
                Some(silence) if silence.start <= place && from_end => silence.end - place,
                Some(silence) if silence.start <= place => place - silence.start,
                _ => 0,
            }
        };
        left_out.samples() + reach(left_out.start, false) + reach(left_out.end, true)
    }

    /// The frame from `first` to `last` around which speech is least probable, the last of several.
    fn least_probable(&self, first: u64, last: u64) -> u64 {
        let probability = |frame: u64| {
            let heard = frame * HOP;
            let spans = self.map.spans();
            let index = spans.partition_point(|&(begun, _)| begun <= heard).saturating_sub(1);
            let recorded = spans.get(index).map_or(heard, |&(begun, span)| span.start + (heard - begun));
            let place = usize::try_from(recorded / FRAME_SAMPLES as u64).unwrap_or(usize::MAX);
            self.probabilities.get(place).copied().unwrap_or(1.0)
        };
        let better = |best: u64, frame: u64| if probability(frame) <= probability(best) { frame } else { best };
        (first..=last).reduce(better).unwrap_or(last)
    }
}

#[cfg(test)]
mod tests;
