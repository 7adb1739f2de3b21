//! The choice of the next token.

use super::Launch;
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// The best of what may be said, for every row of logits.
#[derive(Debug, Clone, Copy)]
pub struct Choose {
    /// `[rows][pitch]`, of which the first `vocabulary` numbers are a row's logits.
    pub logits: View<f32>,
    /// Numbers of a row.
    pub vocabulary: usize,
    /// What is asked of each row: [`Asked::numbers`].
    pub asked: View<i32>,
    /// Sets of tokens that may not be said, `[sets][words]`: bit `token % 32` of number `token / 32`.
    pub sets: View<i32>,
    /// For each row its first logit, the log probability of the token that is asked for (minus infinity where
    /// none is), log of the sum of the exponentials of what may be said, and `count` times a token and its logit, the best first;
    /// -1 and minus infinity where nothing is left.
    pub out: View<f32>,
    /// How many tokens are found for each row.
    pub count: usize,
}

/// What is asked of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// First token of text that may be said, and the end of text.
    pub text: [usize; 2],
    /// First time that may be said, and the end of those.
    pub times: [usize; 2],
    /// Number of the set of tokens that may not be said.
    pub set: usize,
    /// Whether times are said as soon as all together are more probable than any one token of text.
    pub weighed: bool,
    /// The token whose probability among all is asked for.
    pub named: Option<usize>,
}

/// Numbers of what is asked of a row.
pub const ASKED: usize = 8;
/// Numbers of what is found in a row before its tokens.
pub const FOUND_FIRST: usize = 3;
/// Numbers of a line of the device's cache.
const LINE: usize = 32;
/// Threads of a block.
const THREADS: usize = 512;

impl Asked {
    /// As it lies on the device. Places behind the vocabulary may be anything.
    pub fn numbers(&self) -> [i32; ASKED] {
        let place = |token: usize| i32::try_from(token).unwrap_or(i32::MAX);
        let Asked { text, times, set, weighed, named } = *self;
        let [text, text_end, times, times_end] = [text[0], text[1], times[0], times[1]].map(place);
        [text, text_end, times, times_end, place(set), i32::from(weighed), named.map_or(-1, place), 0]
    }
}

impl Choose {
    /// Numbers of a set in a vocabulary of so many tokens.
    pub fn words(vocabulary: usize) -> usize {
        vocabulary.div_ceil(32)
    }

    /// Numbers from one row of logits to the next: rows begin with a line of the cache, whatever the vocabulary, so that both the
    /// product and the choice move 16 bytes at a time.
    pub fn pitch(vocabulary: usize) -> usize {
        vocabulary.next_multiple_of(LINE)
    }

    /// Numbers that are found in a row.
    pub fn found(count: usize) -> usize {
        FOUND_FIRST + 2 * count
    }

    pub(super) fn launch(&self) -> Launch {
        Launch {
            kernel: "choose",
            grid: [self.asked.len() / ASKED, 1, 1],
            block: THREADS,
            arguments: vec![
                self.logits.into(),
                self.vocabulary.into(),
                Self::pitch(self.vocabulary).into(),
                self.asked.into(),
                self.sets.into(),
                Self::words(self.vocabulary).into(),
                self.out.into(),
                self.count.into(),
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let (logits, sets) = (memory.get(self.logits)?, memory.get(self.sets)?);
        let words = Self::words(self.vocabulary);
        for (row, asked) in memory.get(self.asked)?.chunks_exact(ASKED).enumerate() {
            let logits = &logits[row * Self::pitch(self.vocabulary)..][..self.vocabulary];
            let place = |number: usize| usize::try_from(asked[number]).unwrap_or(usize::MAX);
            let set = &sets[place(4) * words..][..words];
            let among = |range: std::ops::Range<usize>| -> Vec<(usize, f32)> {
                let tokens = (0..self.vocabulary).filter(|token| range.contains(token));
                let said = tokens.filter(|token| set[token / 32] >> (token % 32) & 1 == 0);
                said.map(|token| (token, logits[token])).collect()
            };
            let (mut said, times) = (among(place(0)..place(1)), among(place(2)..place(3)));
            let best = said.iter().map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
            if asked[5] != 0 && log_sum_exp(&times) > f64::from(best) {
                said.clear();
            }
            said.extend(times);
            let all: Vec<(usize, f32)> = logits.iter().copied().enumerate().collect();
            let named = logits.get(place(6)).map(|logit| (f64::from(*logit) - log_sum_exp(&all)) as f32);
            let mut out = vec![logits[0], named.unwrap_or(f32::NEG_INFINITY), log_sum_exp(&said) as f32];
            said.retain(|(_, logit)| *logit > f32::NEG_INFINITY);
            // Stable, so that of equal ones the first comes first.
            said.sort_by(|one, other| other.1.total_cmp(&one.1));
            let none = std::iter::repeat([-1.0, f32::NEG_INFINITY]);
            let best = said.iter().map(|(token, logit)| [*token as f32, *logit]).chain(none);
            out.extend(best.take(self.count).flatten());
            memory.set(self.out, row * Self::found(self.count), &out)?;
        }
        Ok(())
    }
}

/// log of the sum of the exponentials; what is not a number makes it one that is not.
#[cfg(any(test, feature = "fake-driver"))]
fn log_sum_exp(logits: &[(usize, f32)]) -> f64 {
    let most = logits.iter().map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
    if logits.iter().all(|(_, logit)| *logit == f32::NEG_INFINITY) {
        return f64::NEG_INFINITY;
    }
    let sum: f64 = logits.iter().map(|(_, logit)| (f64::from(*logit) - f64::from(most)).exp()).sum();
    f64::from(most) + sum.ln()
}
