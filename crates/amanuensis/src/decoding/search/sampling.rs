//! One token after the other: the most probable one at temperature 0, one by lot above.

use std::ops::Range;

use super::{Found, Hypothesis, Step, Strategy, Terms, best};
use crate::backend::{BackendError, Candidate, Choices, Next, scores};
use crate::decoding::lots::Lots;
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

    /// `count` tokens for a hypothesis: the most probable one, or some that are drawn, for which the logits are needed.
    fn choose(
        &mut self,
        said: &[Token],
        choices: &mut Choices,
        row: usize,
        count: usize,
    ) -> Result<Vec<Candidate>, BackendError> {
        let terms = self.terms;
        if self.temperature > 0.0 {
            return self.draw(said, choices.logits(row), count);
        }
        let best = terms.candidates(said, 1, choices, row)?.first().copied();
        Ok(vec![best.unwrap_or(terms.end()); count])
    }

    /// Draws `count` tokens.
    fn draw(&mut self, said: &[Token], logits: &mut [f32], count: usize) -> Result<Vec<Candidate>, BackendError> {
        let Terms { rules, forced, .. } = self.terms;
        rules.hold_repetitions_down(logits, said);
        rules.permitted(said, forced.len()).obey(logits);
        let total = scores::log_sum_exp(logits);
        if total == f32::NEG_INFINITY {
            return Ok(vec![self.terms.end(); count]);
        }
        let mut draw = || {
            let token = self.lots.draw(logits, self.temperature);
            let logprob = logits.get(token).map_or(f32::NAN, |logit| logit - total);
            if logprob.is_finite() {
                Ok(Candidate { token: token as Token, logprob })
            } else {
                Err(BackendError::NotANumber { place: "logits" })
            }
        };
        (0..count).map(|_| draw()).collect()
    }
}

impl<'a> Strategy<'a> for Sampling<'a> {
    fn next(&self, lane: usize) -> Next<'a> {
        match self.live.get(lane) {
            Some(_) if self.temperature > 0.0 => Next::Logits,
            Some(hypothesis) => self.terms.next(&hypothesis.tokens, 1),
            None => Next::Nothing,
        }
    }

    fn advance(&mut self, choices: &mut Choices, rows: Range<usize>) -> Result<Vec<Step>, BackendError> {
        self.steps += 1;
        let terms = self.terms;
        let count = if self.steps == 1 { self.samples } else { 1 };
        let mut next = Vec::new();
        for (lane, (hypothesis, row)) in std::mem::take(&mut self.live).into_iter().zip(rows).enumerate() {
            for Candidate { token, logprob } in self.choose(&hypothesis.tokens, choices, row, count)? {
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
