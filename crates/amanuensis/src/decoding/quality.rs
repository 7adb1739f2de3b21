//! Measures of a decoded text, and what is good enough.

mod deflate;

use std::collections::BTreeMap;

use deflate::zlib_size;

use super::Decoded;
use crate::tokens::Token;

/// Bytes of `text` over bytes of it compressed by zlib at its default level: high where it repeats itself.
///
/// Above 2.4 Whisper is usually caught in a loop. An empty text gives 0.
///
/// ```
/// use amanuensis::decoding::compression_ratio;
/// assert!(compression_ratio("The quick brown fox jumps over the lazy dog.") < 1.0);
/// assert!(compression_ratio(&"again and ".repeat(40)) > 10.0);
/// ```
pub fn compression_ratio(text: &str) -> f32 {
    text.len() as f32 / zlib_size(text.as_bytes()) as f32
}

/// Tokens that whisper.cpp looks at for its measure of variety.
const ENTROPY_TOKENS: usize = 32;

/// Entropy of the last 32 tokens, in nats: low where few of them come again and again. None for fewer tokens.
pub fn entropy(tokens: &[Token]) -> Option<f32> {
    let last = tokens.len().checked_sub(ENTROPY_TOKENS + 1).map(|start| &tokens[start + 1..])?;
    let mut counts = BTreeMap::new();
    for token in last {
        *counts.entry(token).or_insert(0_u32) += 1;
    }
    let share = |count: &u32| *count as f32 / ENTROPY_TOKENS as f32;
    Some(-counts.values().map(|count| share(count) * share(count).ln()).sum::<f32>())
}

/// What a text must be to be taken at once; below that the next temperature is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// A text that compresses more than this repeats itself.
    pub compression_ratio: Option<f32>,
    /// A text whose tokens are less probable than this on average was guessed.
    pub logprob: Option<f32>,
    /// A window that holds no speech with more than this probability is silent, if its text is below `logprob` too.
    pub no_speech: Option<f32>,
    /// A text whose last tokens have less entropy than this repeats itself: whisper.cpp's measure.
    pub entropy: Option<f32>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { compression_ratio: Some(2.4), logprob: Some(-1.0), no_speech: Some(0.6), entropy: None }
    }
}

/// What is taken when no temperature gives a text that is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resort {
    /// The last one, as openai/whisper does.
    #[default]
    Last,
    /// The most probable one of those that do not repeat themselves, or else of all, as faster-whisper does.
    Best,
}

impl Thresholds {
    /// Whether the text repeats itself.
    pub fn is_repetitive(&self, decoded: &Decoded) -> bool {
        let compressed = self.compression_ratio.is_some_and(|limit| decoded.compression_ratio > limit);
        let monotonous = self.entropy.is_some_and(|limit| entropy(&decoded.tokens).is_some_and(|nats| nats < limit));
        compressed || monotonous || decoded.looped
    }

    /// Whether the tokens are improbable.
    pub fn is_unlikely(&self, decoded: &Decoded) -> bool {
        self.logprob.is_some_and(|limit| decoded.avg_logprob < limit)
    }

    /// Whether the text is to be tried for again, at a higher temperature.
    pub fn fails(&self, decoded: &Decoded) -> bool {
        // Silence is what it is at every temperature.
        let silent = self.no_speech.is_some_and(|limit| decoded.no_speech_prob > limit);
        (self.is_repetitive(decoded) || self.is_unlikely(decoded)) && !(silent && self.is_unlikely(decoded))
    }

    /// Whether the window is to be taken for silence.
    pub fn is_silence(&self, decoded: &Decoded) -> bool {
        let silent = self.no_speech.is_some_and(|limit| decoded.no_speech_prob > limit);
        let certain = self.logprob.is_some_and(|limit| decoded.avg_logprob > limit);
        silent && !certain
    }
}

impl Resort {
    /// The one to be taken of `tried`, which all fail; they are in the order in which they were tried.
    pub(super) fn choose(self, tried: Vec<Decoded>, thresholds: &Thresholds) -> Option<Decoded> {
        let mut tried = tried;
        if self == Resort::Last {
            return tried.pop();
        }
        if tried.iter().any(|decoded| !thresholds.is_repetitive(decoded)) {
            tried.retain(|decoded| !thresholds.is_repetitive(decoded));
        }
        tried.into_iter().reduce(|best, next| if next.avg_logprob > best.avg_logprob { next } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(no_speech_prob: f32, avg_logprob: f32, compression_ratio: f32) -> Decoded {
        Decoded { no_speech_prob, avg_logprob, compression_ratio, ..Decoded::default() }
    }

    #[test]
    fn silence_is_what_is_improbable_twice() {
        let thresholds = Thresholds::default();
        assert!(thresholds.is_silence(&decoded(0.7, -1.2, 1.0)));
        assert!(!thresholds.is_silence(&decoded(0.7, -0.9, 1.0)), "the tokens are certain enough");
        assert!(!thresholds.is_silence(&decoded(0.6, -1.2, 1.0)), "exactly at the threshold is not above it");
        assert!(thresholds.is_silence(&decoded(0.7, -1.0, 1.0)), "nor is this");
    }

    #[test]
    fn a_text_fails_by_repetition_or_improbability_but_not_as_silence() {
        let thresholds = Thresholds::default();
        assert!(!thresholds.fails(&decoded(0.0, -1.0, 2.4)), "exactly at both limits");
        assert!(thresholds.fails(&decoded(0.0, -1.01, 1.0)));
        assert!(thresholds.fails(&decoded(0.0, -0.1, 2.41)));
        assert!(!thresholds.fails(&decoded(0.61, -1.01, 9.0)), "silence is not tried again");
        assert!(thresholds.fails(&decoded(0.61, -0.9, 9.0)), "but this is no silence");
        assert!(thresholds.fails(&Decoded { looped: true, ..decoded(0.0, -0.1, 1.0) }));
    }

    #[test]
    fn thresholds_can_be_left_out() {
        let none = Thresholds { compression_ratio: None, logprob: None, no_speech: None, entropy: None };
        assert!(!none.fails(&decoded(0.0, -99.0, 99.0)));
        assert!(!none.is_silence(&decoded(1.0, -9.0, 1.0)));
        assert!(Thresholds { logprob: None, ..Thresholds::default() }.is_silence(&decoded(0.7, -0.1, 1.0)));
    }

    #[test]
    fn the_last_resort_is_the_last_and_the_best_is_not_repetitive() {
        let thresholds = Thresholds::default();
        let tried =
            || vec![decoded(0.0, -0.2, 5.0), decoded(0.0, -1.5, 1.0), decoded(0.0, -1.2, 1.0), decoded(0.0, -3.0, 1.0)];
        assert_eq!(Resort::Last.choose(tried(), &thresholds), Some(decoded(0.0, -3.0, 1.0)));
        assert_eq!(Resort::Best.choose(tried(), &thresholds), Some(decoded(0.0, -1.2, 1.0)));
        let all_repeat = vec![decoded(0.0, -0.9, 5.0), decoded(0.0, -0.4, 3.0)];
        assert_eq!(Resort::Best.choose(all_repeat, &thresholds), Some(decoded(0.0, -0.4, 3.0)));
    }

    #[test]
    fn entropy_is_that_of_the_last_thirty_two_tokens() {
        assert_eq!(entropy(&[1; 32]), None, "too few to judge");
        assert_eq!(entropy(&[1; 33]), Some(-0.0));
        let varied: Vec<Token> = (0..64).collect();
        assert!((entropy(&varied).expect("enough tokens") - 32_f32.ln()).abs() < 1e-5);
        let thresholds = Thresholds { entropy: Some(2.4), ..Thresholds::default() };
        assert!(thresholds.fails(&Decoded { tokens: [1, 2, 3, 4].repeat(20), ..Decoded::default() }));
    }
}
