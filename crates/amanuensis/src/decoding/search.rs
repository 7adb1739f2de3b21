//! The search for the tokens of a window: one strategy for each way, and how a strategy goes on.

mod beam;
mod sampling;

use std::ops::Range;

pub(super) use beam::Beam;
pub(super) use sampling::Sampling;

use super::loops::Loops;
use super::rules::Rules;
use crate::backend::{BackendError, Candidate, Choices, Next};
use crate::tokens::{Special, Token};

/// How the tokens of a window are searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The temperatures that are tried, one after the other, until the text is good enough.
    pub temperatures: Vec<f32>,
    /// At temperature 0: how many hypotheses are followed; none takes the most probable token at every step.
    pub beam_size: Option<usize>,
    /// At temperature 0: the search ends when so many times `beam_size` hypotheses are complete.
    pub patience: f32,
    /// Above temperature 0: how many hypotheses are sampled.
    pub best_of: usize,
    /// How the length of a hypothesis counts against the sum of its log probabilities.
    pub length_penalty: LengthPenalty,
    /// Most tokens for one window; half of the decoder's positions if not given, or if that is less.
    pub max_new_tokens: Option<usize>,
    /// What sampling begins with: the same seed samples the same.
    pub seed: u64,
    /// Whether a hypothesis that is caught in a loop is ended.
    pub stop_loops: bool,
    /// Whether the log probability of every token is kept.
    pub keep_logprobs: bool,
}

impl Default for Search {
    fn default() -> Self {
        Search {
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            beam_size: None,
            patience: 1.0,
            best_of: 5,
            length_penalty: LengthPenalty::Mean,
            max_new_tokens: None,
            seed: 0,
            stop_loops: true,
            keep_logprobs: false,
        }
    }
}

impl Search {
    /// How many hypotheses of a window are followed at once, at most: each takes a lane.
    pub fn lanes(&self) -> usize {
        let at = |temperature: &f32| if *temperature > 0.0 { self.best_of } else { self.beam_size.unwrap_or(1) };
        self.temperatures.iter().map(at).max().unwrap_or(1).max(1)
    }

    /// The temperatures from the first in steps to 1; the first alone where the step is not above 0.
    ///
    /// ```
    /// # use amanuensis::decoding::Search;
    /// assert_eq!(Search::ladder(0.5, 0.25), [0.5, 0.75, 1.0]);
    /// assert_eq!(Search::ladder(1.5, 0.25), [1.5]);
    /// ```
    pub fn ladder(first: f32, step: f32) -> Vec<f32> {
        // More steps than this find nothing new.
        const MOST: usize = 100;
        let most = if step > 0.0 { MOST } else { 1 };
        let rest =
            (1..most).map(|number| first + number as f32 * step).take_while(|temperature| *temperature <= 1.0 + 1e-4);
        std::iter::once(first).chain(rest).collect()
    }
}

/// By what the sum of a hypothesis's log probabilities is divided before hypotheses are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LengthPenalty {
    /// The number of tokens.
    Mean,
    /// ((5 + tokens) / 6) to this power, as in Google's translation system and openai/whisper.
    Gnmt(f32),
    /// The number of tokens to this power, as in CTranslate2 and faster-whisper.
    Power(f32),
}

impl LengthPenalty {
    /// The rank of a hypothesis: the greatest is the best.
    fn rank(self, sum_logprob: f64, tokens: usize) -> f64 {
        let length = tokens.max(1) as f64;
        sum_logprob
            / match self {
                LengthPenalty::Mean => length,
                LengthPenalty::Gnmt(power) => ((5.0 + length) / 6.0).powf(f64::from(power)),
                LengthPenalty::Power(power) => length.powf(f64::from(power)),
            }
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The tokens of the transcript, those that were forced among them, without the end of text.
    pub(super) tokens: Vec<Token>,
    /// How many tokens were said, without those that were forced, but with those that were taken off.
    pub(super) said: usize,
    /// The log probability of each of the tokens, 0 for those that were forced; none if they are not kept.
    pub(super) logprobs: Vec<f32>,
    /// Sum of the log probabilities of what was said and of the end of text, under the rules.
    pub(super) sum_logprob: f64,
    /// The least of the log probabilities, without those of timestamps: neighbouring moments share theirs.
    pub(super) least_logprob: f32,
    /// Whether it was caught in a loop; the repetitions were taken off.
    pub(super) looped: bool,
}

/// The best of several findings; the first of equal ones.
fn best(found: impl IntoIterator<Item = Found>, penalty: LengthPenalty) -> Option<Found> {
    let rank = |found: &Found| penalty.rank(found.sum_logprob, found.said);
    found.into_iter().reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })
}

/// What every strategy goes by.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) special: &'a Special,
    pub(super) rules: &'a Rules,
    pub(super) search: &'a Search,
    /// The transcript begins with these.
    pub(super) forced: &'a [Token],
    /// Most tokens that may be said.
    pub(super) room: usize,
}

impl<'a> Terms<'a> {
    /// How the token behind `said` is chosen where its `count` most probable ones are wanted.
    fn next(&self, said: &[Token], count: usize) -> Next<'a> {
        if self.rules.mind_repetitions() {
            return Next::Logits;
        }
        Next::Best { permitted: self.rules.permitted(said, self.forced.len()), count }
    }

    /// The candidates that were found in the row that [`Terms::next`] asked for.
    fn candidates<'c>(
        &self,
        said: &[Token],
        count: usize,
        choices: &'c mut Choices,
        row: usize,
    ) -> Result<&'c [Candidate], BackendError> {
        if self.rules.mind_repetitions() {
            self.rules.hold_repetitions_down(choices.logits(row), said);
            choices.choose(row, &self.rules.permitted(said, self.forced.len()), count)?;
        }
        Ok(choices.candidates(row))
    }

    /// What is said where the rules leave nothing to say.
    fn end(&self) -> Candidate {
        Candidate { token: self.special.end_of_text, logprob: 0.0 }
    }
}

/// How a lane goes on: as a continuation of which lane, with which token.
pub(super) type Step = (usize, Token);

/// One window's search: told what was found for its lanes, it says which lanes there are next.
pub(super) trait Strategy<'a> {
    /// How the next token of one of its lanes is chosen.
    fn next(&self, lane: usize) -> Next<'a>;

    /// Takes what was found in a row for each of its lanes, in their order (one at first, behind the prompt), and gives the
    /// lanes of the next step. Without any the search is over.
    fn advance(&mut self, choices: &mut Choices, rows: Range<usize>) -> Result<Vec<Step>, BackendError>;

    /// What was found.
    fn finish(self: Box<Self>) -> Found;
}

/// A transcript that is being continued.
#[derive(Clone)]
struct Hypothesis {
    tokens: Vec<Token>,
    /// As many as tokens if they are kept, or none.
    logprobs: Vec<f32>,
    sum_logprob: f64,
    least_logprob: f32,
    loops: Loops,
}

impl Hypothesis {
    fn new(terms: &Terms<'_>) -> Self {
        let mut hypothesis = Hypothesis {
            tokens: Vec::new(),
            logprobs: Vec::new(),
            sum_logprob: 0.0,
            least_logprob: 0.0,
            loops: Loops::default(),
        };
        for &token in terms.forced {
            hypothesis.say(token, 0.0, terms);
        }
        hypothesis
    }

    fn say(&mut self, token: Token, logprob: f32, terms: &Terms<'_>) {
        self.tokens.push(token);
        if terms.search.keep_logprobs {
            self.logprobs.push(logprob);
        }
        self.sum_logprob += f64::from(logprob);
        if !terms.special.is_timestamp(token) {
            self.least_logprob = self.least_logprob.min(logprob);
            self.loops.hear(token, self.tokens.len());
        }
    }

    /// Says no more.
    fn end(&mut self, logprob: f32) {
        self.sum_logprob += f64::from(logprob);
        self.least_logprob = self.least_logprob.min(logprob);
    }

    /// Whether it says the same again and again, and is to be ended for that.
    fn is_caught(&self, terms: &Terms<'_>) -> bool {
        terms.search.stop_loops && self.loops.caught().is_some()
    }

    /// What it comes to: if it was caught in a loop, up to the end of the first round.
    fn found(mut self, terms: &Terms<'_>) -> Found {
        let said = self.tokens.len().saturating_sub(terms.forced.len());
        let looped = self.is_caught(terms);
        if let (true, Some(length)) = (looped, self.loops.caught()) {
            // The time at which the first round ended stays with it.
            let closed = self.tokens.get(length).is_some_and(|token| terms.special.is_timestamp(*token));
            self.tokens.truncate(length + usize::from(closed));
            self.logprobs.truncate(self.tokens.len());
        }
        let Hypothesis { tokens, logprobs, sum_logprob, least_logprob, .. } = self;
        Found { said, tokens, logprobs, sum_logprob, least_logprob, looped }
    }
}

#[cfg(test)]
mod tests;
