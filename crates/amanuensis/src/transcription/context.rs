//! How much of the model's context a window is heard in.
//!
//! Whisper was taught on windows of 30 s, whatever the sound in them. Where there is less, the encoder can be given
//! less: the sound and a margin of silence behind it. What it then hears is not quite the same, so that a text is taken
//! only where the model was certain of every token; otherwise the window is heard again in the whole context.

use super::options::Options;
use crate::decoding::{Decoded, Languages};
use crate::mel::WINDOW_FRAMES;
use crate::segments::Window;
use crate::tokens::Special;

/// Whether windows with little sound are heard in a shorter context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShortContext {
    /// Every window is heard in the 30 s that the model was taught with.
    #[default]
    Off,
    /// A window with little sound is heard in less, and again in all of it where the text is not certain.
    Auto,
    /// A window with little sound is heard in less, and what is heard is taken: for a text that is judged otherwise, as what is
    /// being said is by being heard again (`live`).
    Always,
}

impl ShortContext {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            ShortContext::Off => "off",
            ShortContext::Auto => "auto",
            ShortContext::Always => "always",
        }
    }
}

/// Frames of silence behind the sound, the second that makes texts end as in the whole context (docs/decoding.md).
const MARGIN: usize = 100;
/// Frames above which the whole context is taken: what is saved would be less than what is heard twice costs.
const MOST: usize = WINDOW_FRAMES * 3 / 4;
/// The log probability that every token of the text must have at least, 0.6 as a probability: it then leads by two
/// fifths of a nat or more, and no text changed in the whole context whose tokens all led by that (docs/decoding.md).
const LEAST_LOGPROB: f32 = -0.5;
/// The probability that a language must have at least.
const LANGUAGE: f32 = 0.9;
/// Frames behind the sound in which a text may still end: the model rounds up.
const SLACK: u64 = 50;
/// Frames of one timestamp.
const FRAMES_PER_STEP: u64 = 2;

/// The frames that a window is given.
pub(super) fn frames(window: Window, asked: ShortContext) -> usize {
    let least = (window.frames as usize + MARGIN).next_multiple_of(2);
    if asked != ShortContext::Off && least <= MOST { least } else { WINDOW_FRAMES }
}

/// Whether what was heard in a short context is to be taken: it is what would be heard in the whole one, as far as its
/// measures say.
pub(super) fn is_certain(window: Window, decoded: &Decoded, options: &Options, special: &Special) -> bool {
    let end = window.frames + SLACK;
    let within = |token: &u32| u64::from(token.saturating_sub(special.timestamp_begin)) * FRAMES_PER_STEP <= end;
    if options.short_context == ShortContext::Always {
        return true;
    }
    // What is not said is not certain: the end of the sound may be lost.
    !decoded.text.trim().is_empty()
        && !options.thresholds.fails(decoded)
        && !options.thresholds.is_silence(decoded)
        && decoded.least_logprob >= LEAST_LOGPROB
        && decoded.tokens.iter().filter(|token| special.is_timestamp(**token)).all(within)
}

/// Whether the language that was heard in a short context is to be taken.
pub(super) fn is_certain_of(languages: &Languages, asked: ShortContext) -> bool {
    asked == ShortContext::Always || languages.first().is_none_or(|(_, probability)| *probability >= LANGUAGE)
}
