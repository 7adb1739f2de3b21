//! Greedy search: the most probable token at every step.

use std::time::Instant;

use super::scores::{best, log_sum_exp};
use super::{Prompt, Rules};
use crate::backend::{BackendError, Decoding, Feed, Logits, Stage, Work};
use crate::tokens::{Special, Token};

/// What a search found.
pub(super) struct Found {
    /// The tokens behind the prompt, without the end of text.
    pub(super) tokens: Vec<Token>,
    /// Sum of their log probabilities and that of the end of text, under the rules.
    pub(super) sum_logprob: f64,
    /// Probability of no speech at the start of the transcript.
    pub(super) no_speech_prob: f32,
}

pub(super) fn search(
    decoding: &mut dyn Decoding,
    window: usize,
    special: &Special,
    prompt: &Prompt,
    rules: &Rules,
    work: &mut Work<'_>,
) -> Result<Found, BackendError> {
    let mut logits = Logits::default();
    let mut found = Found { tokens: Vec::new(), sum_logprob: 0.0, no_speech_prob: 0.0 };
    let last = prompt.tokens.len() - 1;
    let read = if prompt.start == last { vec![last] } else { vec![prompt.start, last] };

    decoding.start(&[window]);
    decoding.step(&[Feed { tokens: &prompt.tokens, read: &read }], &mut logits, work)?;
    let mut since = Instant::now();
    if let Some(no_speech) = special.no_speech {
        let row = logits.row(0);
        found.no_speech_prob = (row[no_speech as usize] - log_sum_exp(row)).exp();
    }
    let mut row = read.len() - 1;
    for said in 1..=prompt.room {
        let logits_here = logits.row(row);
        rules.apply(logits_here, &found.tokens);
        let (token, logit) = best(logits_here);
        let logprob = logit - log_sum_exp(logits_here);
        work.receipt.lap(Stage::Search, &mut since);
        if !logprob.is_finite() {
            return Err(BackendError::NotANumber { place: "logits" });
        }
        found.sum_logprob += f64::from(logprob);
        let token = token as Token;
        if token == special.end_of_text {
            break;
        }
        found.tokens.push(token);
        if said < prompt.room {
            decoding.step(&[Feed { tokens: &[token], read: &[0] }], &mut logits, work)?;
            since = Instant::now();
            row = 0;
        }
    }
    Ok(found)
}
