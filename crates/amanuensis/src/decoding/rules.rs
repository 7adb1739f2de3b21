//! The rules that a transcript obeys whatever the model would like to say: openai/whisper's logit filters.
//!
//! What may be said next is described once, as [`Permitted`], and obeyed by whoever has the logits. Only repetitions are held down
//! in the logits themselves: what they lose is no matter of what is permitted.

use crate::backend::{Permitted, TokenSet};
use crate::tokens::{Special, Token};

/// Which tokens may follow which.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Tokens that are never said: symbols that no one speaks, special tokens.
    suppressed: TokenSet,
    /// Those, and tokens that are not said first: a lone space, the end of the text.
    suppressed_first: TokenSet,
    /// The rules of timestamps, if timestamps are wanted.
    timestamps: Option<Timestamps>,
    /// What a token that was said before loses; 1 is nothing.
    repetition_penalty: f32,
    /// So many tokens in a row are not said twice; 0 allows it.
    no_repeat_ngram_size: usize,
}

/// The tokens that the rules of timestamps speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timestamps {
    end_of_text: usize,
    begin: usize,
    /// Behind the last timestamp that a window may begin with.
    behind_initial: usize,
}

impl Rules {
    /// Rules for a transcript without timestamps.
    pub fn new(suppressed: Vec<Token>, suppressed_first: Vec<Token>) -> Self {
        let suppressed_first = TokenSet::new(suppressed_first.into_iter().chain(suppressed.iter().copied()));
        let suppressed = TokenSet::new(suppressed);
        Rules { suppressed, suppressed_first, timestamps: None, repetition_penalty: 1.0, no_repeat_ngram_size: 0 }
    }

    /// The same rules for a transcript with timestamps, whose first one is at most `initial` steps of 20 ms late.
    pub fn with_timestamps(mut self, special: &Special, initial: usize) -> Self {
        let begin = special.timestamp_begin as usize;
        for set in [&mut self.suppressed, &mut self.suppressed_first] {
            *set = TokenSet::new(set.tokens().iter().copied().chain([special.no_timestamps]));
        }
        self.timestamps = Some(Timestamps {
            end_of_text: special.end_of_text as usize,
            begin,
            behind_initial: begin.saturating_add(initial).saturating_add(1),
        });
        self
    }

    /// The same rules, and repetitions are held down: the logit of a token that was said is divided by `penalty` (or
    /// multiplied, below zero), and no `ngram` tokens in a row are said twice, if `ngram` is not 0.
    pub fn with_repetitions(mut self, penalty: f32, ngram: usize) -> Self {
        self.repetition_penalty = penalty;
        self.no_repeat_ngram_size = ngram;
        self
    }

    /// What may follow `said`, of which the first `forced` tokens were not the model's choice.
    pub fn permitted(&self, said: &[Token], forced: usize) -> Permitted<'_> {
        let suppressed = if said.len() == forced { &self.suppressed_first } else { &self.suppressed };
        match &self.timestamps {
            Some(timestamps) => timestamps.permitted(suppressed, said),
            None => {
                let all = usize::MAX;
                Permitted { suppressed, text: 0..all, times: all..all, weighed: false }
            }
        }
    }

    /// Whether repetitions are held down, for which the logits are needed.
    pub fn mind_repetitions(&self) -> bool {
        self.repetition_penalty != 1.0 || self.no_repeat_ngram_size > 0
    }

    /// Lowers the logits of what was said, and makes impossible what would say several tokens again. It comes before anything is
    /// forbidden.
    pub fn hold_repetitions_down(&self, logits: &mut [f32], said: &[Token]) {
        if self.repetition_penalty != 1.0 {
            let mut once = said.to_vec();
            once.sort_unstable();
            once.dedup();
            for token in once {
                if let Some(logit) = logits.get_mut(token as usize) {
                    *logit =
                        if *logit < 0.0 { *logit * self.repetition_penalty } else { *logit / self.repetition_penalty };
                }
            }
        }
        // What followed the last tokens where they were said before would say all of them again.
        let size = self.no_repeat_ngram_size;
        if size > 0 && said.len() >= size {
            let last = &said[said.len() + 1 - size..];
            let earlier = said.windows(size).filter(|earlier| earlier[..size - 1] == *last);
            for again in earlier.map(|earlier| earlier[size - 1]) {
                if let Some(logit) = logits.get_mut(again as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
    }
}

impl Timestamps {
    fn permitted<'a>(&self, suppressed: &'a TokenSet, said: &[Token]) -> Permitted<'a> {
        let begin = self.begin;
        let mut permitted = Permitted { suppressed, text: 0..begin, times: begin..usize::MAX, weighed: true };

        // Timestamps come in pairs, but for the first, and for one right before the end of the text.
        let is_timestamp = |token: &Token| *token as usize >= begin;
        let last = said.last().is_some_and(is_timestamp);
        let one_before = said.len() < 2 || is_timestamp(&said[said.len() - 2]);
        match (last, one_before) {
            (true, true) => permitted.times.end = begin,
            (true, false) => permitted.text.start = self.end_of_text.min(begin),
            (false, _) => {}
        }

        // Time does not run backwards, and no segment is without length.
        if let Some(&latest) = said.iter().rev().find(|token| is_timestamp(token)) {
            let closing = last && !one_before;
            permitted.times.start = latest as usize + usize::from(!closing);
        }

        if said.is_empty() {
            permitted.text.start = begin;
            permitted.times.end = self.behind_initial;
        }
        permitted
    }
}

#[cfg(test)]
mod tests;
