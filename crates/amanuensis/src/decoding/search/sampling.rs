//! One token after the other: the most probable one at temperature 0, one by lot above.

use super::{Found, Hypothesis, Step, Strategy, Terms, best};
use crate::backend::BackendError;
use crate::decoding::scores::{self, Lots};
use crate::tokens::Token;

/// At temperature 0 one hypothesis, above it several, each on its own.
pub(in super::super) struct Sampling<'a> {
    terms: Terms<'a>,
    temperature: f32,
    lots: Lots,
    /// How many hypotheses the first step makes of one.
    samples: usize,
    live: Vec<Hypothesis>,
    ended: Vec<Found>,
    steps: usize,
}

impl<'a> Sampling<'a> {
    /// Samples at `temperature`, by lots that `seed` begins.
    pub(in super::super) fn new(terms: Terms<'a>, temperature: f32, seed: u64) -> Self {
        let samples = if temperature > 0.0 { terms.search.best_of.max(1) } else { 1 };
        let live = vec![Hypothesis::new(&terms)];
        Sampling { terms, temperature, lots: Lots::new(seed), samples, live, ended: Vec::new(), steps: 0 }
    }

    /// Draws `count` tokens for a hypothesis with their log probabilities.
    fn draw(&mut self, said: &[Token], logits: &mut [f32], count: usize) -> Result<Vec<(Token, f32)>, BackendError> {
        self.terms.rules.apply(logits, said, self.terms.forced.len());
        let total = scores::log_sum_exp(logits);
        if total == f32::NEG_INFINITY {
            // The rules leave nothing to say.
            return Ok(vec![(self.terms.special.end_of_text, 0.0); count]);
        }
        let mut draw = || {
            let token =
                if self.temperature > 0.0 { self.lots.draw(logits, self.temperature) } else { scores::best(logits).0 };
            let logprob = logits.get(token).map_or(f32::NAN, |logit| logit - total);
            if logprob.is_finite() {
                Ok((token as Token, logprob))
            } else {
                Err(BackendError::NotANumber { place: "logits" })
            }
        };
        (0..count).map(|_| draw()).collect()
    }
}

impl Strategy for Sampling<'_> {
    fn advance(&mut self, rows: &mut [&mut [f32]]) -> Result<Vec<Step>, BackendError> {
        self.steps += 1;
        let terms = self.terms;
        let count = if self.steps == 1 { self.samples } else { 1 };
        let mut next = Vec::new();
        for (lane, (hypothesis, row)) in std::mem::take(&mut self.live).into_iter().zip(rows).enumerate() {
            for (token, logprob) in self.draw(&hypothesis.tokens, row, count)? {
                let mut hypothesis = hypothesis.clone();
                if token == terms.special.end_of_text {
                    hypothesis.end(logprob);
                    self.ended.push(hypothesis.found(&terms));
                    continue;
                }
                hypothesis.say(token, logprob, &terms);
                if self.steps == terms.room || hypothesis.is_caught(&terms) {
                    self.ended.push(hypothesis.found(&terms));
                } else {
                    self.live.push(hypothesis);
                    next.push((lane, token));
                }
            }
        }
        Ok(next)
    }

    fn finish(self: Box<Self>) -> Found {
        let terms = self.terms;
        let live = self.live.into_iter().map(|hypothesis| hypothesis.found(&terms));
        // One that was caught in a loop is the result only if all were.
        let (looped, sound): (Vec<_>, Vec<_>) = self.ended.into_iter().chain(live).partition(|found| found.looped);
        let found = if sound.is_empty() { looped } else { sound };
        best(found, terms.search.length_penalty).unwrap_or_else(|| Hypothesis::new(&terms).found(&terms))
    }
}
