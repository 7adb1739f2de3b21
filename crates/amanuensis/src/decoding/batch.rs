//! Many windows at once: their hypotheses are the lanes of one batch, from the prompt to the last token.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::quality::{Resort, Thresholds};
use super::search::{Beam, Found, Sampling, Search, Step, Strategy, Terms};
use super::{Decoded, Prompt, Rules, compression_ratio, lots};
use crate::backend::{BackendError, Choices, Decoding, Feed, Next, Stage, Wanted, Work};
use crate::tokens::{Special, Token, Tokenizer};

/// One window to be decoded, with all that is asked of it.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Its number among the encoded windows.
    pub window: usize,
    /// What the decoder is told first.
    pub prompt: &'a Prompt,
    /// What may follow what.
    pub rules: &'a Rules,
    /// How to search.
    pub search: &'a Search,
    /// What is good enough.
    pub thresholds: &'a Thresholds,
    /// What to take if nothing is.
    pub resort: Resort,
    /// Tells this window's lots from those of others that have the same seed.
    pub place: u64,
    /// Set when nobody wants it any more: its lanes end at the next step, and what was found so far is what it came to.
    pub cancel: &'a AtomicBool,
}

impl Item<'_> {
    fn is_unwanted(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// Decodes all items together; those whose text is not good enough are decoded again, together, at their next
/// temperature. The results are in the order of the items.
///
/// The results do not depend on which items stand beside each other, as far as the backend's arithmetic does not.
pub fn decode(
    decoding: &mut dyn Decoding,
    items: &[Item<'_>],
    tokenizer: &Tokenizer,
    work: &mut Work<'_>,
) -> Result<Vec<Decoded>, BackendError> {
    let mut results: Vec<Option<Decoded>> = vec![None; items.len()];
    let mut failed: Vec<Vec<Decoded>> = vec![Vec::new(); items.len()];
    for attempt in 0.. {
        let pending: Vec<usize> = (0..items.len()).filter(|&index| results[index].is_none()).collect();
        if pending.is_empty() {
            break;
        }
        let temperature = |index: usize| items[index].search.temperatures.get(attempt).copied().unwrap_or(0.0);
        let attempts: Vec<Attempt<'_>> = pending
            .iter()
            .map(|&index| Attempt { item: &items[index], temperature: temperature(index), number: attempt as u64 })
            .collect();
        let found = run(decoding, &attempts, tokenizer.special(), work)?;
        for ((&index, attempt), (found, no_speech_prob)) in pending.iter().zip(&attempts).zip(found) {
            let item = &items[index];
            let mut decoded = describe(found, no_speech_prob, attempt.temperature, tokenizer);
            decoded.tries = attempt.number as u32 + 1;
            let last = attempt.number as usize + 1 >= item.search.temperatures.len();
            let fails = !item.is_unwanted() && item.thresholds.fails(&decoded);
            if !fails {
                results[index] = Some(decoded);
                continue;
            }
            failed[index].push(decoded);
            if last {
                let tries = failed[index].len() as u32;
                let chosen = item.resort.choose(std::mem::take(&mut failed[index]), item.thresholds);
                results[index] = chosen.map(|decoded| Decoded { tries, ..decoded });
            }
        }
    }
    Ok(results.into_iter().flatten().collect())
}

fn describe(found: Found, no_speech_prob: f32, temperature: f32, tokenizer: &Tokenizer) -> Decoded {
    let text = tokenizer.decode(&found.tokens);
    Decoded {
        least_logprob: found.least_logprob,
        avg_logprob: (found.sum_logprob / (found.said + 1) as f64) as f32,
        no_speech_prob,
        compression_ratio: compression_ratio(text.trim()),
        temperature,
        tries: 1,
        looped: found.looped,
        tokens: found.tokens,
        logprobs: found.logprobs,
        text,
    }
}

/// One item at one temperature.
struct Attempt<'a> {
    item: &'a Item<'a>,
    temperature: f32,
    number: u64,
}

impl<'a> Attempt<'a> {
    fn strategy(&self, special: &'a Special) -> Box<dyn Strategy<'a> + 'a> {
        let Item { prompt, rules, search, place, .. } = *self.item;
        let room = search.max_new_tokens.map_or(prompt.room, |most| most.min(prompt.room)).max(1);
        let terms = Terms { special, rules, search, forced: prompt.forced(), room };
        match search.beam_size {
            Some(size) if self.temperature == 0.0 => Box::new(Beam::new(terms, size)),
            _ => Box::new(Sampling::new(terms, self.temperature, lots::seed_of(search.seed, place, self.number))),
        }
    }
}

/// One attempt of each item, in one batch: what was found and the probability of no speech.
fn run<'a>(
    decoding: &mut dyn Decoding,
    attempts: &[Attempt<'a>],
    special: &'a Special,
    work: &mut Work<'_>,
) -> Result<Vec<(Found, f32)>, BackendError> {
    let mut strategies: Vec<_> = attempts.iter().map(|attempt| attempt.strategy(special)).collect();
    let mut choices = Choices::default();
    let mut wanted: Vec<Wanted<'a>> = Vec::new();

    // The prompts; silence is judged at the start of the transcript, the first token behind the last one.
    let windows: Vec<usize> = attempts.iter().map(|attempt| attempt.item.window).collect();
    let reads: Vec<Vec<usize>> = attempts.iter().map(|attempt| read(attempt.item.prompt)).collect();
    for (strategy, read) in strategies.iter().zip(&reads) {
        wanted.extend((0..read.len()).map(|index| Wanted {
            probability_of: special.no_speech.filter(|_| index == 0),
            next: if index + 1 == read.len() { strategy.next(0) } else { Next::Nothing },
        }));
    }
    let prompts = attempts.iter().zip(&reads);
    let feeds: Vec<Feed<'_>> =
        prompts.map(|(attempt, read)| Feed { tokens: &attempt.item.prompt.tokens, read }).collect();
    decoding.start(&windows);
    decoding.choose(&feeds, &wanted, &mut choices, work)?;
    let mut since = Instant::now();
    let mut row = 0;
    let mut no_speech = Vec::with_capacity(attempts.len());
    // For each strategy the rows of its lanes.
    let mut rows: Vec<std::ops::Range<usize>> = Vec::with_capacity(attempts.len());
    for read in &reads {
        no_speech.push(choices.probability(row));
        row += read.len();
        rows.push(row - 1..row);
    }

    loop {
        let (mut parents, mut tokens, mut next_rows) = (Vec::new(), Vec::new(), Vec::with_capacity(rows.len()));
        let mut first_lane = 0;
        wanted.clear();
        for ((strategy, rows), attempt) in strategies.iter_mut().zip(&rows).zip(attempts) {
            let over = rows.is_empty() || attempt.item.is_unwanted();
            let steps: Vec<Step> = if over { Vec::new() } else { strategy.advance(&mut choices, rows.clone())? };
            next_rows.push(parents.len()..parents.len() + steps.len());
            wanted.extend((0..steps.len()).map(|lane| Wanted { probability_of: None, next: strategy.next(lane) }));
            for (lane, token) in steps {
                parents.push(first_lane + lane);
                tokens.push(token);
            }
            first_lane += rows.len();
        }
        work.receipt.lap(Stage::Search, &mut since);
        if tokens.is_empty() {
            break;
        }
        rows = next_rows;
        decoding.keep(&parents);
        let feeds: Vec<Feed<'_>> =
            tokens.iter().map(|token: &Token| Feed { tokens: std::slice::from_ref(token), read: &[0] }).collect();
        decoding.choose(&feeds, &wanted, &mut choices, work)?;
        since = Instant::now();
    }
    Ok(strategies.into_iter().map(Strategy::finish).zip(no_speech).collect())
}

/// Where the logits of a prompt are read.
fn read(prompt: &Prompt) -> Vec<usize> {
    let last = prompt.tokens.len() - 1;
    if prompt.start == last { vec![last] } else { vec![prompt.start, last] }
}

#[cfg(test)]
mod tests;
