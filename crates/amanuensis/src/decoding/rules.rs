//! The rules that a transcript obeys whatever the model would like to say: openai/whisper's logit filters.

use super::scores::{best, log_sum_exp};
use crate::tokens::{Special, Token};

/// Which tokens may follow which.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Tokens that are never said: symbols that no one speaks, special tokens.
    suppressed: Vec<Token>,
    /// Tokens that are not said first: a lone space, the end of the text.
    suppressed_first: Vec<Token>,
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
    no_timestamps: usize,
    begin: usize,
    /// Behind the last timestamp that a window may begin with.
    behind_initial: usize,
}

impl Rules {
    /// Rules for a transcript without timestamps.
    pub fn new(suppressed: Vec<Token>, suppressed_first: Vec<Token>) -> Self {
        Rules { suppressed, suppressed_first, timestamps: None, repetition_penalty: 1.0, no_repeat_ngram_size: 0 }
    }

    /// The same rules for a transcript with timestamps, whose first one is at most `initial` steps of 20 ms late.
    pub fn with_timestamps(mut self, special: &Special, initial: usize) -> Self {
        let begin = special.timestamp_begin as usize;
        self.timestamps = Some(Timestamps {
            end_of_text: special.end_of_text as usize,
            no_timestamps: special.no_timestamps as usize,
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

    /// Makes every token impossible that may not follow `said`, of which the first `forced` were not the model's choice.
    pub fn apply(&self, logits: &mut [f32], said: &[Token], forced: usize) {
        self.hold_repetitions_down(logits, said);
        if said.len() == forced {
            forbid(logits, &self.suppressed_first);
        }
        forbid(logits, &self.suppressed);
        if let Some(timestamps) = &self.timestamps {
            timestamps.apply(logits, said);
        }
    }
}

impl Rules {
    fn hold_repetitions_down(&self, logits: &mut [f32], said: &[Token]) {
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
            let again: Vec<Token> = said
                .windows(size)
                .filter(|earlier| earlier[..size - 1] == *last)
                .map(|earlier| earlier[size - 1])
                .collect();
            forbid(logits, &again);
        }
    }
}

impl Timestamps {
    fn apply(&self, logits: &mut [f32], said: &[Token]) {
        let begin = self.begin;
        forbid_range(logits, self.no_timestamps, self.no_timestamps + 1);

        // Timestamps come in pairs, but for the first, and for one right before the end of the text.
        let is_timestamp = |token: &Token| *token as usize >= begin;
        let last = said.last().is_some_and(is_timestamp);
        let one_before = said.len() < 2 || is_timestamp(&said[said.len() - 2]);
        match (last, one_before) {
            (true, true) => forbid_range(logits, begin, logits.len()),
            (true, false) => forbid_range(logits, 0, self.end_of_text),
            (false, _) => {}
        }

        // Time does not run backwards, and no segment is without length.
        if let Some(&latest) = said.iter().rev().find(|token| is_timestamp(token)) {
            let closing = last && !one_before;
            let earliest = latest as usize + usize::from(!closing);
            forbid_range(logits, begin, earliest);
        }

        if said.is_empty() {
            forbid_range(logits, 0, begin);
            forbid_range(logits, self.behind_initial, logits.len());
        }

        // Where all timestamps together are more probable than any one text token, it is time for one.
        let (text, stamps) = logits.split_at(begin.min(logits.len()));
        if log_sum_exp(stamps) > best(text).1 {
            forbid_range(logits, 0, begin);
        }
    }
}

fn forbid(logits: &mut [f32], tokens: &[Token]) {
    for &token in tokens {
        if let Some(logit) = logits.get_mut(token as usize) {
            *logit = f32::NEG_INFINITY;
        }
    }
}

fn forbid_range(logits: &mut [f32], from: usize, to: usize) {
    let to = to.min(logits.len());
    if from < to {
        logits[from..to].fill(f32::NEG_INFINITY);
    }
}

#[cfg(test)]
mod tests;
