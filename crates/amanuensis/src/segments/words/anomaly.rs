//! Anomaly: words no one can have said so, and where to go on when they stand between silences.

use super::{HeardWord, WordedPiece};
use crate::mel::{FRAMES_PER_SECOND, WINDOW_FRAMES};
use crate::segments::Window;
use crate::speech::Heard;

/// Marks, which are not judged.
const MARKS: &str = "\"'“¿([{-\"'.。,，!！?？:：”)]}、";

/// How many words of a piece are judged, from its first.
const JUDGED_WORDS: usize = 8;

/// Less probable words are suspicious.
const IMPROBABLE: f32 = 0.15;

/// Shorter words are suspicious, in seconds, and each second that is missing counts fifteen.
const SHORT: f64 = 0.133;
const SHORTNESS: f64 = 15.0;

/// Longer words are suspicious, in seconds.
const LONG: f64 = 2.0;

/// A piece as suspicious as this is anomalous, however many words it has.
const ANOMALOUS: f64 = 3.0;

/// Pieces within this of either end of the window count as beside silence, in seconds.
const NEAR_THE_END: f64 = 2.0;

/// Whether words are so short, so long or so improbable that they were probably never said: openai/whisper's rule.
pub fn is_anomalous(words: &[HeardWord]) -> bool {
    let judged = words.iter().filter(|word| !MARKS.contains(&word.word)).take(JUDGED_WORDS);
    let (score, count) = judged.fold((0.0, 0), |(score, count), word| (score + suspicion(word), count + 1));
    !words.is_empty() && (score >= ANOMALOUS || score + 0.01 >= f64::from(count))
}

fn suspicion(word: &HeardWord) -> f64 {
    let duration = word.end.seconds() - word.start.seconds();
    let mut score = 0.0;
    if word.probability < IMPROBABLE {
        score += 1.0;
    }
    if duration < SHORT {
        score += (SHORT - duration) * SHORTNESS;
    }
    if duration > LONG {
        score += duration - LONG;
    }
    score
}

/// What is known of a window when its words have their times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judging {
    /// The window.
    pub window: Window,
    /// Frames of all that is heard.
    pub content: u64,
    /// The frame at which the next window would begin if only the timestamps counted.
    pub next: u64,
    /// Whether the window's last timestamp stands alone: it was heard to its end.
    pub heard_to_end: bool,
    /// When the last word before this window ended.
    pub last_speech: Heard,
}

/// What became of a window's pieces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// How many of the pieces stay, from the first.
    pub kept: usize,
    /// The frame at which the next window begins.
    pub next: u64,
    /// When the last word so far ended.
    pub last_speech: Heard,
    /// Whether the window counts as not heard at all: it is to be heard again from behind a silence, and what was told
    /// to it is told to the next one unchanged.
    pub again: bool,
}

/// Decides where the next window begins, and which pieces stay: openai/whisper's rules.
///
/// A window that was not heard to its end goes on behind its last word. With a `threshold`, in seconds, silences longer
/// than it are skipped where they stand beside words that seem invented, and so are these words.
pub fn judge(judging: &Judging, pieces: &[WordedPiece], threshold: Option<f64>) -> Judged {
    let Judging { window, last_speech, .. } = *judging;
    let start = Heard::from_frames(window.start).seconds();
    let mut judged = Judged { kept: pieces.len(), next: judging.next, last_speech, again: false };
    let last_word = end(pieces).filter(|end| !judging.heard_to_end && end.seconds() > start);
    if let Some(end) = last_word {
        judged.next = end.frame();
    }
    if let Some(threshold) = threshold {
        let window_end = Heard::from_frames(window.start + WINDOW_FRAMES as u64).seconds();
        if let Some(end) = last_word
            && window_end - end.seconds() <= threshold
        {
            judged.next = window.start + window.frames;
        }
        if let Some(first) = pieces.iter().find(|piece| !piece.words.is_empty())
            && is_anomalous(&first.words)
        {
            let gap = first.start.seconds() - start;
            if gap > threshold {
                let next = window.start + Heard::from_seconds(gap).frame();
                return Judged { kept: 0, next, last_speech, again: true };
            }
        }
        if let Some(piece) = invented(judging, pieces, window_end, threshold) {
            let from = pieces[piece].start.seconds().max(start + 1.0);
            let left = judging.content as f64 / FRAMES_PER_SECOND as f64 - pieces[piece].end.seconds();
            judged.next = if left < threshold { judging.content } else { Heard::from_seconds(from).frame() };
            judged.kept = piece;
        }
    }
    judged.last_speech = end(&pieces[..judged.kept]).unwrap_or(last_speech);
    judged
}

/// When the last word ended, or the last piece where none has words.
fn end(pieces: &[WordedPiece]) -> Option<Heard> {
    let word = pieces.iter().rev().find_map(|piece| piece.words.last());
    word.map(|word| word.end).or_else(|| pieces.last().map(|piece| piece.end))
}

/// The first anomalous piece that has silence, or more of its kind, on both sides.
fn invented(judging: &Judging, pieces: &[WordedPiece], window_end: f64, threshold: f64) -> Option<usize> {
    let start = Heard::from_frames(judging.window.start).seconds();
    let sound_end = start + judging.window.frames as f64 / FRAMES_PER_SECOND as f64;
    let mut spoken = judging.last_speech.seconds();
    let mut worded = pieces.iter().enumerate().filter(|(_, piece)| !piece.words.is_empty()).peekable();
    while let Some((index, piece)) = worded.next() {
        let (begins, ends) = (piece.start.seconds(), piece.end.seconds());
        if is_anomalous(&piece.words) {
            let following = worded.peek().map(|(_, piece)| &piece.words);
            let next_start = following.map_or(sound_end, |words| words[0].start.seconds());
            let before = begins - spoken > threshold || begins < threshold || begins - start < NEAR_THE_END;
            let after = next_start - ends > threshold
                || following.is_some_and(|words| is_anomalous(words))
                || window_end - ends < NEAR_THE_END;
            if before && after {
                return Some(index);
            }
        }
        spoken = ends;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word, its duration and its probability.
    type Said = (&'static str, f64, f32);

    /// Words one behind the other.
    fn words(words: &[Said]) -> Vec<HeardWord> {
        let mut now = 5.0;
        let word = |&(word, duration, probability): &Said| {
            let start = Heard::from_seconds(now);
            now += duration;
            HeardWord { word: word.to_owned(), start, end: Heard::from_seconds(now), probability, ..Default::default() }
        };
        words.iter().map(word).collect()
    }

    #[test]
    fn anomalous_is_what_is_too_short_too_long_or_too_improbable() {
        let ordinary = (" a", 0.3, 0.9);
        let cases: [(&str, Vec<Said>, bool); 10] = [
            ("no words", vec![], false),
            ("ordinary words", vec![ordinary; 3], false),
            ("one improbable word", vec![(" a", 0.3, 0.14)], true),
            ("one that is just probable enough", vec![(" a", 0.3, 0.15)], false),
            ("one improbable word of two", vec![(" a", 0.3, 0.1), ordinary], false),
            ("three improbable words among eight", [vec![(" a", 0.3, 0.1); 3], vec![ordinary; 5]].concat(), true),
            ("the same behind eight ordinary ones", [vec![ordinary; 8], vec![(" a", 0.3, 0.1); 3]].concat(), false),
            ("words without length", vec![(" a", 0.0, 0.9); 2], true),
            ("a word of five seconds", [vec![ordinary; 7], vec![(" a", 5.1, 0.9)]].concat(), true),
            ("nothing but marks", vec![(".", 0.3, 0.9)], true),
        ];
        for (what, case, expected) in cases {
            assert_eq!(is_anomalous(&words(&case)), expected, "{what}");
        }
    }

    #[test]
    fn a_word_behind_a_long_silence_sends_the_window_there() {
        let judging = Judging {
            window: Window { start: 100, frames: 3000 },
            content: 9000,
            next: 3100,
            heard_to_end: true,
            last_speech: Heard::from_seconds(0.5),
        };
        let piece = |words| WordedPiece { start: Heard::from_seconds(5.0), end: Heard::from_seconds(5.2), words };
        let pieces = [piece(words(&[(" a", 0.05, 0.1)]))];
        let judged = judge(&judging, &pieces, Some(2.0));
        assert_eq!(judged, Judged { kept: 0, next: 500, last_speech: judging.last_speech, again: true });
        assert_eq!(judge(&judging, &pieces, None).kept, 1, "without a threshold all stays");
        let silent = judge(&judging, &[piece(Vec::new())], Some(2.0));
        assert_eq!((silent.kept, silent.next, silent.last_speech.seconds()), (1, 3100, 5.2));
        assert_eq!(judge(&judging, &[], Some(2.0)).last_speech, judging.last_speech, "nothing was said");
    }
}
