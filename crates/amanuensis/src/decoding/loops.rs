//! Loops: the same words again and again, noticed while they are being said.

use crate::tokens::Token;

/// The longest round that is noticed, in tokens.
const LONGEST: usize = 64;
/// So many tokens in a row must be what they were a round before...
const REPEATED: usize = 24;
/// ...and they must be so many rounds. People say a thing three times; the third round of a long one ends it.
const ROUNDS: usize = 2;

/// Watches a text for a tail that repeats itself.
///
/// A window whose tail was repeated for 24 tokens compresses by more than any speech does, so it would be thrown away
/// in the end; noticing it here spares up to 200 steps of the decoder. Timestamps are not told to it: the times of
/// a loop move on while its words do not.
#[derive(Clone)]
pub(super) struct Loops {
    /// The last tokens of text, in a ring.
    heard: [Token; LONGEST],
    /// Number of tokens heard.
    count: usize,
    /// For each length of a round from 1: how many tokens in a row are what they were a round before.
    runs: [u16; LONGEST],
    /// Length of the transcript behind each token that was heard.
    ends: Vec<usize>,
}

impl Default for Loops {
    fn default() -> Self {
        Loops { heard: [0; LONGEST], count: 0, runs: [0; LONGEST], ends: Vec::new() }
    }
}

impl Loops {
    /// Hears a token of text, which is the last of a transcript of `length` tokens.
    pub(super) fn hear(&mut self, token: Token, length: usize) {
        for (index, run) in self.runs.iter_mut().enumerate() {
            let round = index + 1;
            let repeats = round <= self.count && self.heard[(self.count - round) % LONGEST] == token;
            *run = if repeats { run.saturating_add(1) } else { 0 };
        }
        self.heard[self.count % LONGEST] = token;
        self.ends.push(length);
        self.count += 1;
    }

    /// If the tail is a loop: the length that the transcript had when the first round was over.
    pub(super) fn caught(&self) -> Option<usize> {
        let looping = |(index, run): (usize, &u16)| {
            let (round, run) = (index + 1, usize::from(*run));
            (run >= REPEATED.max(ROUNDS * round)).then(|| self.ends[self.count - run - 1])
        };
        self.runs.iter().enumerate().find_map(looping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many tokens are heard until a loop is noticed, and the length at which it is cut.
    fn noticed(tokens: impl IntoIterator<Item = Token>) -> Option<(usize, usize)> {
        let mut loops = Loops::default();
        for (index, token) in tokens.into_iter().enumerate() {
            loops.hear(token, index + 1);
            if let Some(length) = loops.caught() {
                return Some((index + 1, length));
            }
        }
        None
    }

    #[test]
    fn a_token_repeated_is_noticed_and_stays_once() {
        assert_eq!(noticed((0..5).chain(std::iter::repeat_n(9, 100))), Some((30, 6)));
    }

    #[test]
    fn any_round_up_to_sixteen_tokens_is_noticed_within_thirty_two() {
        for round in 1..=16 {
            let (heard, kept) = noticed((100..110).chain((0..200).map(|n| n % round))).expect("a loop");
            assert_eq!(kept, 10 + round as usize, "round of {round}");
            assert!(heard - kept <= 32, "round of {round}: noticed {} tokens behind its first time", heard - kept);
        }
    }

    #[test]
    fn a_long_round_is_noticed_at_the_end_of_its_third_time() {
        for round in [20, 33, 64] {
            assert_eq!(noticed((0..300).map(|n| n % round)), Some((3 * round as usize, round as usize)));
        }
    }

    #[test]
    fn speech_that_repeats_a_little_is_left_alone() {
        // "no, no, no, no" and a refrain that comes back once.
        assert_eq!(noticed(std::iter::repeat_n([3, 4], 12).flatten()), None);
        assert_eq!(noticed((0..60).chain(0..60)), None);
        assert_eq!(noticed(0..448), None);
    }
}
