//! The choice of the next token: what is wanted of it, and what was found.
//!
//! A search says of every row of logits what may be said next and how many candidates it wants. [`Choices`] finds them in the
//! logits; a device that has these in a memory of its own may find them there, and hand over a few bytes in place of a number
//! for every token. Both obey the same description, [`Permitted`], and there is no other.

pub(crate) mod scores;

use std::ops::Range;
use std::sync::Arc;

use super::{BackendError, Logits};
use crate::tokens::Token;

/// Tokens that a rule names again and again. A copy is the same set and costs nothing, so a device can know those it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenSet(Arc<[Token]>);

impl TokenSet {
    /// A set of tokens.
    pub fn new(tokens: impl IntoIterator<Item = Token>) -> Self {
        TokenSet(tokens.into_iter().collect())
    }

    /// The tokens, in no order; some may stand there more than once, or be no tokens of a model.
    pub fn tokens(&self) -> &[Token] {
        &self.0
    }
}

/// What may be said next: the tokens of two ranges, those of text and behind them those of times, but for a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted<'a> {
    /// Tokens that are not said.
    pub suppressed: &'a TokenSet,
    /// The tokens of text that may be said. Where it ends, whether or not there are any, times begin.
    pub text: Range<usize>,
    /// The tokens of times that may be said: none before the end of `text`.
    pub times: Range<usize>,
    /// Whether a time is said as soon as all permitted ones together are more probable than any one permitted token of text.
    pub weighed: bool,
}

impl Permitted<'_> {
    /// Makes everything else impossible.
    pub fn obey(&self, logits: &mut [f32]) {
        let Permitted { suppressed, text, times, weighed } = self;
        for &token in suppressed.tokens() {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        forbid(logits, 0..text.start);
        forbid(logits, text.end..times.start);
        forbid(logits, times.end.max(text.end)..usize::MAX);
        if *weighed {
            let (text, times) = logits.split_at(text.end.min(logits.len()));
            if scores::log_sum_exp(times) > scores::best(text).1 {
                let end = text.len();
                forbid(logits, 0..end);
            }
        }
    }
}

fn forbid(logits: &mut [f32], tokens: Range<usize>) {
    let end = tokens.end.min(logits.len());
    if tokens.start < end {
        logits[tokens.start..end].fill(f32::NEG_INFINITY);
    }
}

/// What is wanted of a row of logits.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The token whose probability among all tokens is asked for.
    pub probability_of: Option<Token>,
    /// How the next token is chosen.
    pub next: Next<'a>,
}

/// How the next token is chosen.
#[derive(Debug, Clone)]
pub enum Next<'a> {
    /// Not here.
    Nothing,
    /// Among the most probable of what may be said.
    Best {
        /// What may be said.
        permitted: Permitted<'a>,
        /// How many candidates are wanted.
        count: usize,
    },
    /// By whoever asks, who needs the logits for it.
    Logits,
}

/// A token that may be next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The token.
    pub token: Token,
    /// Its log probability among what may be said.
    pub logprob: f32,
}

/// What was found in the rows of a step. It is kept from step to step for its memory.
#[derive(Debug, Default)]
pub struct Choices {
    logits: Logits,
    rows: Vec<Row>,
    candidates: Vec<Candidate>,
    /// Where the best of a row are looked for.
    best: Vec<(usize, f32)>,
}

/// What was found in a row.
#[derive(Debug, Clone, Default)]
struct Row {
    probability: f32,
    candidates: Range<usize>,
    /// Where its logits are, if they were handed over.
    logits: Option<usize>,
}

/// For backends.
impl Choices {
    /// Forgets what was found before. Gives the place for logits that are handed over.
    pub fn begin(&mut self) -> &mut Logits {
        self.rows.clear();
        self.candidates.clear();
        &mut self.logits
    }

    /// Finds what is wanted of the next row in the logits that were handed over, of which it is row `logits`.
    pub fn find(&mut self, wanted: &Wanted<'_>, logits: usize) -> Result<(), BackendError> {
        let probability =
            wanted.probability_of.map_or(0.0, |token| scores::probability(token, self.logits.row(logits)));
        self.rows.push(Row { probability, candidates: 0..0, logits: Some(logits) });
        match &wanted.next {
            Next::Best { permitted, count } => self.choose(self.rows.len() - 1, permitted, *count),
            Next::Nothing | Next::Logits => Ok(()),
        }
    }

    /// Takes what a device found in the next row: the probability that was asked for, the logarithm of the sum of the exponentials
    /// of what may be said (minus infinity for nothing), and the best of it with their logits, the best first and of equal ones
    /// the first first.
    pub fn found(
        &mut self,
        probability: f32,
        total: f32,
        best: impl IntoIterator<Item = (Token, f32)>,
    ) -> Result<(), BackendError> {
        let candidates = offer(&mut self.candidates, total, best)?;
        self.rows.push(Row { probability, candidates, logits: None });
        Ok(())
    }
}

/// For backends made of several.
impl Choices {
    /// Takes what others found, each in some rows: `whose` says of every row which of them has it, and each has its own in order.
    ///
    /// # Panics
    ///
    /// If one has not so many.
    pub fn gather(&mut self, found: &mut [&mut Choices], whose: &[usize]) {
        self.begin();
        self.logits.vocabulary = found.iter().map(|other| other.logits.vocabulary).max().unwrap_or(0);
        self.logits.values.clear();
        let (mut next, mut places) = (vec![0; found.len()], 0..);
        for &other in whose {
            let Choices { logits, rows, candidates, .. } = &mut *found[other];
            let row = &rows[next[other]];
            next[other] += 1;
            let first = self.candidates.len();
            self.candidates.extend_from_slice(&candidates[row.candidates.clone()]);
            let logits = row.logits.and_then(|place| {
                self.logits.values.extend_from_slice(logits.row(place));
                places.next()
            });
            self.rows.push(Row { probability: row.probability, candidates: first..self.candidates.len(), logits });
        }
    }
}

/// For searches.
impl Choices {
    /// The probability that was asked for of a row; 0 if none was.
    pub fn probability(&self, row: usize) -> f32 {
        self.rows.get(row).map_or(0.0, |row| row.probability)
    }

    /// The candidates of a row, the most probable first. There are none where nothing may be said.
    pub fn candidates(&self, row: usize) -> &[Candidate] {
        self.rows.get(row).map_or(&[], |row| &self.candidates[row.candidates.clone()])
    }

    /// The logits of a row that were asked for.
    ///
    /// # Panics
    ///
    /// If they were not.
    pub fn logits(&mut self, row: usize) -> &mut [f32] {
        self.logits.row(self.place(row))
    }

    /// Finds the candidates of a row whose logits were asked for; what is not permitted becomes impossible in them.
    ///
    /// # Panics
    ///
    /// If they were not asked for.
    pub fn choose(&mut self, row: usize, permitted: &Permitted<'_>, count: usize) -> Result<(), BackendError> {
        let place = self.place(row);
        let logits = self.logits.row(place);
        permitted.obey(logits);
        let total = scores::log_sum_exp(logits);
        match count {
            1 => {
                self.best.clear();
                self.best.push(scores::best(logits));
            }
            _ => scores::best_of(logits, count, &mut self.best),
        }
        let best = self.best.iter().map(|&(token, logit)| (token as Token, logit));
        self.rows[row].candidates = offer(&mut self.candidates, total, best)?;
        Ok(())
    }

    fn place(&self, row: usize) -> usize {
        let place = self.rows.get(row).and_then(|row| row.logits);
        place.unwrap_or_else(|| panic!("the logits of row {row} were not asked for"))
    }
}

/// Makes candidates of logits.
fn offer(
    candidates: &mut Vec<Candidate>,
    total: f32,
    best: impl IntoIterator<Item = (Token, f32)>,
) -> Result<Range<usize>, BackendError> {
    let first = candidates.len();
    if total == f32::NEG_INFINITY {
        return Ok(first..first);
    }
    for (token, logit) in best {
        candidates.push(Candidate { token, logprob: logit - total });
    }
    let numbers = candidates[first..].iter().all(|candidate| candidate.logprob.is_finite());
    if !(total.is_finite() && numbers) {
        return Err(BackendError::NotANumber { place: "logits" });
    }
    Ok(first..candidates.len())
}

#[cfg(test)]
mod tests;
