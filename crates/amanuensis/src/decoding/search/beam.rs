//! Beam search: several hypotheses at once, the best of their continuations at every step.

use std::ops::Range;

use super::{Found, Hypothesis, Step, Strategy, Terms, best};
use crate::backend::{BackendError, Choices, Next};
use crate::tokens::Token;

/// openai/whisper's beam search.
///
/// At every step each hypothesis offers its `beam_size + 1` best continuations; the best of all offers go on, but for
/// those that end, which are set aside. It is over when `beam_size * patience` have ended.
pub(in super::super) struct Beam<'a> {
    terms: Terms<'a>,
    size: usize,
    /// How many ended hypotheses are enough.
    enough: usize,
    live: Vec<Hypothesis>,
    pub(super) ended: Vec<Found>,
    looped: Vec<Found>,
    steps: usize,
}

/// A hypothesis with one token more.
struct Offer {
    lane: usize,
    token: Token,
    logprob: f32,
    sum_logprob: f64,
}

impl<'a> Beam<'a> {
    /// Follows `size` hypotheses.
    pub(in super::super) fn new(terms: Terms<'a>, size: usize) -> Self {
        let size = size.max(1);
        let enough = ((size as f32 * terms.search.patience).round_ties_even() as usize).max(1);
        let live = vec![Hypothesis::new(&terms)];
        Beam { terms, size, enough, live, ended: Vec::new(), looped: Vec::new(), steps: 0 }
    }

    /// How many continuations a hypothesis offers.
    fn count(&self) -> usize {
        self.size + 1
    }

    /// The continuations that the hypotheses offer, the best first.
    fn offers(&self, choices: &mut Choices, rows: Range<usize>) -> Result<Vec<Offer>, BackendError> {
        let mut offers = Vec::with_capacity(self.live.len() * self.count());
        for (lane, (hypothesis, row)) in self.live.iter().zip(rows).enumerate() {
            let candidates = self.terms.candidates(&hypothesis.tokens, self.count(), choices, row)?;
            let end = [self.terms.end()];
            let candidates = if candidates.is_empty() { &end } else { candidates };
            offers.extend(candidates.iter().map(|candidate| Offer {
                lane,
                token: candidate.token,
                logprob: candidate.logprob,
                sum_logprob: hypothesis.sum_logprob + f64::from(candidate.logprob),
            }));
        }
        // Stable, so that of equal offers the earlier hypothesis's comes first.
        offers.sort_by(|a, b| b.sum_logprob.total_cmp(&a.sum_logprob));
        Ok(offers)
    }
}

impl<'a> Strategy<'a> for Beam<'a> {
    fn next(&self, lane: usize) -> Next<'a> {
        self.live.get(lane).map_or(Next::Nothing, |hypothesis| self.terms.next(&hypothesis.tokens, self.count()))
    }

    fn advance(&mut self, choices: &mut Choices, rows: Range<usize>) -> Result<Vec<Step>, BackendError> {
        self.steps += 1;
        let terms = self.terms;
        let (mut next, mut live) = (Vec::new(), Vec::new());
        let mut best_is_caught = false;
        for (rank, offer) in self.offers(choices, rows)?.into_iter().enumerate() {
            if live.len() == self.size {
                break;
            }
            let mut hypothesis = self.live[offer.lane].clone();
            if offer.token == terms.special.end_of_text {
                hypothesis.end(offer.logprob);
                if self.ended.len() < self.enough {
                    self.ended.push(hypothesis.found(&terms));
                }
                continue;
            }
            hypothesis.say(offer.token, offer.logprob, &terms);
            if hypothesis.is_caught(&terms) {
                // The others only stray from the loop now and then, at a price; going on with them would last as long.
                best_is_caught |= rank == 0;
                self.looped.push(hypothesis.found(&terms));
                continue;
            }
            next.push((offer.lane, offer.token));
            live.push(hypothesis);
        }
        self.live = if best_is_caught { Vec::new() } else { live };
        if self.ended.len() >= self.enough || self.steps == terms.room || best_is_caught {
            next.clear();
        }
        Ok(next)
    }

    fn finish(mut self: Box<Self>) -> Found {
        let terms = self.terms;
        // Too few have ended: the best of those that have not stand in for them.
        self.live.sort_by(|a, b| b.sum_logprob.total_cmp(&a.sum_logprob));
        let missing = self.size.saturating_sub(self.ended.len());
        let live = self.live.into_iter().take(missing).map(|hypothesis| hypothesis.found(&terms));
        let mut found: Vec<Found> = self.ended.into_iter().chain(live).collect();
        if found.is_empty() {
            found = self.looped;
        }
        best(found, terms.search.length_penalty).unwrap_or_else(|| Hypothesis::new(&terms).found(&terms))
    }
}
