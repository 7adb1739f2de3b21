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
        Ok(Cue { start, end, channel: segment.channel, words: vec![word], timed: false })
    };
    transcript.segments.iter().map(cue).collect()
}

/// A cue, or a stretch of it in which one word is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) start: Milliseconds,
    pub(super) end: Milliseconds,
    pub(super) cue: &'a Cue,
    /// The word that is underlined.
    marked: Option<usize>,
}

/// The cues as they are shown; with `highlight` each once for each of its words with the word marked, and once more for
/// each pause between them.
pub(super) fn shown(cues: &[Cue], highlight: bool) -> Vec<Shown<'_>> {
    let mut result = Vec::new();
    for cue in cues {
        let whole = Shown { start: cue.start, end: cue.end, cue, marked: None };
        if !highlight {
            result.push(whole);
            continue;
        }
        let mut last = cue.start;
        for (index, word) in cue.words.iter().enumerate() {
            if last < word.start {
                result.push(Shown { start: last, end: word.start, ..whole });
            }
            result.push(Shown { start: word.start, end: word.end, cue, marked: Some(index) });
            last = word.end;
        }
        if last < cue.end {
            result.push(Shown { start: last, ..whole });
        }
    }
    result
}

impl Shown<'_> {
    /// The text, each word passed through `escape`, and the marked one underlined but for the blanks before it.
    pub(super) fn text(&self, escape: fn(&str) -> String) -> String {
        let mut text = String::new();
        for (index, word) in self.cue.words.iter().enumerate() {
            if self.marked == Some(index) {
                let body = word.text.trim_start_matches(plain::is_blank);
                let blanks = &word.text[..word.text.len() - body.len()];
                text += &format!("{blanks}<u>{}</u>", escape(body));
            } else {
                text += &escape(&word.text);
            }
        }
        text
    }
}
