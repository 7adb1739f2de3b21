//! Cues in time: each has a length, none lies over the next, and a fast one lasts as long as there is room.

use super::super::time::{self, Milliseconds};
use super::{Cue, width};

/// Makes the cues follow each other: a start is before its end, an end not behind the next start.
pub(super) fn follow(cues: &mut [Cue]) {
    for index in 0..cues.len() {
        let (before, rest) = cues.split_at_mut(index + 1);
        let cue = &mut before[index];
        cue.end = cue.end.max(cue.start.plus(1));
        if let Some(next) = rest.first_mut() {
            if next.start > cue.start {
                cue.end = cue.end.min(next.start);
            } else {
                next.start = cue.end;
            }
        }
        let (start, end) = (cue.start, cue.end);
        let mut from = start;
        for word in &mut cue.words {
            word.start = word.start.clamp(from, end);
            word.end = word.end.clamp(word.start, end);
            from = word.start;
        }
    }
}

/// Lengthens each cue that is faster than `speed` columns a second into the pause behind it, the last one to the end of
/// the recording.
pub(super) fn slow_down(cues: &mut [Cue], speed: f64, duration: f64) {
    let end_of_all = time::length(duration).filter(|length| length.0 > 0).unwrap_or(Milliseconds(u64::MAX));
    for index in 0..cues.len() {
        let limit = cues.get(index + 1).map_or(end_of_all, |next| next.start);
        let cue = &mut cues[index];
        let columns: usize = cue.words.iter().map(|word| width::columns(word.text.trim_start_matches('\n'))).sum();
        let needed = cue.start.plus((columns as f64 * 1000.0 / speed).ceil() as u64);
        cue.end = needed.min(limit).max(cue.end);
    }
}
