//! Cues: a transcript in the pieces that subtitles show one after another.
//!
//! Three ways lead there. Without times of words a cue is a segment. With them `whisper` arranges the words as
//! openai-whisper does. Where one of this program's own settings is on, `layout` does, from `words` in `sentences` or
//! segments, and `pace` sees to it that the cues follow each other.

mod layout;
mod pace;
mod sentences;
mod whisper;
mod width;
mod words;

#[cfg(test)]
mod tests;

use std::io;

use super::captions::{Captions, has_words};
use super::time::Milliseconds;
use super::{plain, time};
use crate::segments::Transcript;

/// What is shown from one time to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cue {
    pub(super) start: Milliseconds,
    pub(super) end: Milliseconds,
    /// The channel it was heard on, where channels were transcribed apart.
    pub(super) channel: Option<usize>,
    /// The text in its words, each with the blank or the line break before it; one for all where words have no times.
    pub(super) words: Vec<CueWord>,
    /// Whether the times of the words were heard, not shared out.
    pub(super) timed: bool,
    /// The word that is underlined.
    pub(super) marked: Option<usize>,
}

/// A word in its cue.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CueWord {
    pub(super) text: String,
    pub(super) start: Milliseconds,
    pub(super) end: Milliseconds,
}

/// A pause after which something new begins: openai-whisper's.
const LONG_PAUSE: f64 = 3.0;

/// The cues of a transcript, those of each channel in order of time.
pub(super) fn of(transcript: &Transcript, captions: &Captions) -> io::Result<Vec<Cue>> {
    captions.check(transcript).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut cues = if captions.is_own_layout() {
        layout::cues(transcript, captions)?
    } else if transcript.segments.iter().any(has_words) {
        whisper::cues(transcript, captions)?
    } else {
        return segments(transcript);
    };
    for cue in &mut cues {
        plain::shorten_arrows(cue.words.iter_mut().map(|word| &mut word.text));
    }
    Ok(cues)
}

/// A cue for each segment, also for one without text: openai-whisper's numbers stay the same numbers.
fn segments(transcript: &Transcript) -> io::Result<Vec<Cue>> {
    let cue = |segment| {
        let (start, end) = time::span(segment)?;
        let word = CueWord { text: plain::cue(&segment.text), start, end };
        Ok(Cue { start, end, channel: segment.channel, words: vec![word], timed: false, marked: None })
    };
    transcript.segments.iter().map(cue).collect()
}

/// A cue for each word with the word marked, and cues without a mark for the pauses between words.
pub(super) fn highlighted(cues: Vec<Cue>) -> Vec<Cue> {
    let mut result = Vec::new();
    for cue in cues {
        let mut last = cue.start;
        for (index, word) in cue.words.iter().enumerate() {
            if last < word.start {
                result.push(Cue { start: last, end: word.start, ..cue.clone() });
            }
            result.push(Cue { start: word.start, end: word.end, marked: Some(index), ..cue.clone() });
            last = word.end;
        }
        if last < cue.end {
            result.push(Cue { start: last, ..cue });
        }
    }
    result
}

/// The text of a cue, each word passed through `escape`, and the marked one underlined but for the blanks before it.
pub(super) fn underlined(cue: &Cue, escape: fn(&str) -> String) -> String {
    let mut text = String::new();
    for (index, word) in cue.words.iter().enumerate() {
        if cue.marked == Some(index) {
            let body = word.text.trim_start_matches(plain::is_blank);
            let blanks = &word.text[..word.text.len() - body.len()];
            text += &format!("{blanks}<u>{}</u>", escape(body));
        } else {
            text += &escape(&word.text);
        }
    }
    text
}
