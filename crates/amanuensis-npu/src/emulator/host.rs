//! The host's buffers, and which of their words were given to a result.

use super::{Mask, Wrong};
use crate::txn::{Pattern, Run};

/// What buffers are filled with before a run: no number in f32 and in either half as bf16, so that a word nobody wrote is seen.
pub const POISON: u32 = 0x7FDE_FFAD;

/// Words that one push may read, as a multiple of the argument's: windows that overlap are read a few times, not more.
const MOST_READING: u64 = 4;

/// Fills a buffer with what no run leaves.
pub fn poison(words: &mut [u32]) {
    words.fill(POISON);
}

pub(super) struct Host<'a, 'b> {
    arguments: &'a mut [&'b mut [u32]],
    /// Words that a push of a result has claimed; made when the first is.
    claimed: Vec<Option<Mask>>,
}

impl<'a, 'b> Host<'a, 'b> {
    pub(super) fn new(arguments: &'a mut [&'b mut [u32]]) -> Self {
        let claimed = arguments.iter().map(|_| None).collect();
        Self { arguments, claimed }
    }

    pub(super) fn count(&self) -> usize {
        self.arguments.len()
    }

    fn words(&self, argument: u32) -> usize {
        self.arguments.get(argument as usize).map_or(0, |words| words.len())
    }

    fn check(&self, argument: u32, pattern: &Pattern) -> Result<(), Wrong> {
        let (first, last) = pattern.extent();
        let words = self.words(argument);
        if last <= words as u64 { Ok(()) } else { Err(Wrong::Bounds { argument, first, last, words }) }
    }

    /// The words of the passes that differ.
    pub(super) fn gather(&self, argument: u32, pattern: &Pattern) -> Result<Vec<u32>, Wrong> {
        self.check(argument, pattern)?;
        let passes = if pattern.same_each_pass() { 1 } else { pattern.passes() };
        let words = u64::from(pattern.length()) * u64::from(passes);
        if words > MOST_READING * self.words(argument) as u64 {
            return Err(Wrong::Volume { argument, words });
        }
        let source: &[u32] = self.arguments.get(argument as usize).map_or(&[], |words| &**words);
        let mut gathered = Vec::with_capacity(words as usize);
        for pass in 0..passes {
            for run in pattern.runs(pass) {
                let (start, count) = (run.start as usize, run.count as usize);
                if run.step == 1 {
                    gathered.extend_from_slice(&source[start..start + count]);
                } else {
                    gathered.extend(source[start..].iter().step_by(run.step as usize).take(count));
                }
            }
        }
        Ok(gathered)
    }

    /// Claims the words of a result: none may be claimed twice.
    pub(super) fn claim(&mut self, argument: u32, pattern: &Pattern) -> Result<(), Wrong> {
        self.check(argument, pattern)?;
        let words = self.words(argument);
        let Some(place) = self.claimed.get_mut(argument as usize) else { return Ok(()) };
        let mask = place.get_or_insert_with(|| Mask::new(words));
        for pass in 0..pattern.passes() {
            for run in pattern.runs(pass) {
                mask.claim(&run).map_err(|word| Wrong::Twice { argument, word })?;
            }
        }
        Ok(())
    }

    /// Writes the words of a run.
    pub(super) fn scatter(&mut self, argument: u32, run: &Run, words: &[u32]) {
        let Some(target) = self.arguments.get_mut(argument as usize) else { return };
        let start = run.start as usize;
        if run.step == 1 {
            target[start..start + words.len()].copy_from_slice(words);
        } else {
            target[start..].iter_mut().step_by(run.step as usize).zip(words).for_each(|(place, word)| *place = *word);
        }
    }

    pub(super) fn into_claimed(self) -> Vec<Option<Mask>> {
        self.claimed
    }
}
