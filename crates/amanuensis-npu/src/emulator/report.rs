//! What a stream did.

use std::ops::Range;

use crate::txn::{Channel, Run};

/// What a stream did that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Operations of the stream.
    pub operations: usize,
    /// Descriptors that were pushed.
    pub pushes: usize,
    /// Tokens that were waited for.
    pub tokens: usize,
    /// Words that each channel moved.
    pub moved: Vec<(Channel, u64)>,
    /// Products of two numbers that were summed, padding too.
    pub multiply_adds: u64,
    /// For each argument the words that were written, if any were. No word was written twice.
    pub written: Vec<Option<Mask>>,
}

impl Report {
    /// The first word of a range of an argument that was not written.
    pub fn first_unwritten(&self, argument: usize, words: Range<usize>) -> Option<usize> {
        match self.written.get(argument) {
            Some(Some(mask)) => words.into_iter().find(|word| !mask.has(*word)),
            _ => (!words.is_empty()).then_some(words.start),
        }
    }
}

/// A bit for each word of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    bits: Vec<u64>,
    words: usize,
}

impl Mask {
    pub(super) fn new(words: usize) -> Self {
        Self { bits: vec![0; words.div_ceil(64)], words }
    }

    /// Whether a word was written.
    pub fn has(&self, word: usize) -> bool {
        self.bits.get(word / 64).is_some_and(|bits| bits >> (word % 64) & 1 == 1)
    }

    /// How many words were written.
    pub fn count(&self) -> usize {
        self.bits.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// Whether every word of the buffer was written.
    pub fn complete(&self) -> bool {
        self.count() == self.words
    }

    /// Sets the bits of a run; an error is the first word that has one.
    pub(super) fn claim(&mut self, run: &Run) -> Result<(), u64> {
        if run.step != 1 {
            let words = (0..u64::from(run.count)).map(|index| run.start + index * u64::from(run.step));
            return words.into_iter().try_for_each(|word| self.claim_bits(word, 1));
        }
        let (mut word, end) = (run.start, run.start + u64::from(run.count));
        while word < end {
            let bits = (end - word).min(64 - word % 64);
            self.claim_bits(word, bits)?;
            word += bits;
        }
        Ok(())
    }

    /// Sets some bits of one word of the mask.
    fn claim_bits(&mut self, word: u64, count: u64) -> Result<(), u64> {
        let Some(bits) = self.bits.get_mut((word / 64) as usize) else { return Err(word) };
        let wanted = (u64::MAX >> (64 - count)) << (word % 64);
        let taken = *bits & wanted;
        *bits |= wanted;
        if taken == 0 { Ok(()) } else { Err(word - word % 64 + u64::from(taken.trailing_zeros())) }
    }
}
