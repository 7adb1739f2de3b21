//! Words that were told, made into lines.

use super::update::Line;
use super::words::{Heard, ends_sentence};
use crate::segments::Word;

/// A line without an end of a sentence is ended after so many seconds.
const LONGEST: f64 = 30.0;

/// The line that is being written.
#[derive(Default)]
pub(super) struct Lines {
    open: Vec<Word>,
    next: u64,
    /// Up to where words were told, in seconds.
    until: f64,
}

impl Lines {
    /// Writes words down, none of them before what was told already. Gives them with the lines that they complete.
    pub(super) fn write(&mut self, utterance: u64, heard: Vec<Heard>) -> (Vec<Word>, Vec<Line>) {
        let (mut words, mut lines) = (Vec::with_capacity(heard.len()), Vec::new());
        for Heard { mut word, .. } in heard {
            word.start = word.start.max(self.until);
            word.end = word.end.max(word.start);
            self.until = word.end;
            words.push(word.clone());
            let ends = ends_sentence(&word.word);
            self.open.push(word);
            if ends
                || self.open.last().zip(self.open.first()).is_some_and(|(last, first)| last.end - first.start > LONGEST)
            {
                lines.extend(self.close(utterance));
            }
        }
        (words, lines)
    }

    /// Ends the line.
    pub(super) fn close(&mut self, utterance: u64) -> Option<Line> {
        if self.open.is_empty() {
            return None;
        }
        self.next += 1;
        Some(Line { id: self.next - 1, utterance, words: std::mem::take(&mut self.open) })
    }

    /// The words of the line that is not complete.
    pub(super) fn open(&self) -> &[Word] {
        &self.open
    }

    /// Words that may change, with times that are not before what was told.
    pub(super) fn behind(&self, tentative: &[Heard]) -> Vec<Word> {
        let mut until = self.until;
        let shift = |heard: &Heard| {
            let mut word = heard.word.clone();
            word.start = word.start.max(until);
            word.end = word.end.max(word.start);
            until = word.end;
            word
        };
        tentative.iter().map(shift).collect()
    }
}
