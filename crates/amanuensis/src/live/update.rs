//! What a live session tells.

use crate::segments::Word;

/// Something that a live session tells. Times are seconds of the whole session, and never go back.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// Somebody begins to speak.
    Started {
        /// Number of the utterance, from 0.
        utterance: u64,
        /// Where its sound begins.
        at: f64,
    },
    /// The utterance is over: nobody speaks any more, or it was ended by hand. Its last words are still to be heard.
    Stopped {
        /// Number of the utterance.
        utterance: u64,
        /// Where the speech ended, or was ended.
        at: f64,
    },
    /// Words that stay: each is told once, and none is taken back.
    Agreed {
        /// Number of the utterance.
        utterance: u64,
        /// The words behind those that were told before.
        words: Vec<Word>,
    },
    /// What is being said at the moment, in place of the last of its kind.
    Partial {
        /// Number of the utterance.
        utterance: u64,
        /// Words that stay and are in no line yet.
        agreed: Vec<Word>,
        /// Words that may still change.
        tentative: Vec<Word>,
    },
    /// A sentence, or what was said until the utterance ended: of words that were told as agreed, each in one line.
    Line(Line),
    /// An utterance was cleared: no more is told of it.
    Dropped {
        /// Number of the utterance.
        utterance: u64,
    },
    /// All words of an utterance are told.
    Ended {
        /// Number of the utterance.
        utterance: u64,
        /// Where its sound ends.
        at: f64,
        /// Seconds of sound in it.
        seconds: f64,
        /// Whether all of it was heard; false where hearing failed.
        complete: bool,
    },
}

/// A line of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Number within the session, from 0.
    pub id: u64,
    /// Number of the utterance it is of.
    pub utterance: u64,
    /// Its words; at least one.
    pub words: Vec<Word>,
}

impl Line {
    /// The text, without a space before or behind it.
    pub fn text(&self) -> String {
        text_of(&self.words).trim().to_owned()
    }

    /// Where its first word begins.
    pub fn start(&self) -> f64 {
        self.words.first().map_or(0.0, |word| word.start)
    }

    /// Where its last word ends.
    pub fn end(&self) -> f64 {
        self.words.last().map_or(0.0, |word| word.end)
    }
}

/// The words as one text, with the spaces that they have.
pub fn text_of(words: &[Word]) -> String {
    words.iter().map(|word| word.word.as_str()).collect()
}
