//! Decoding: from encoded windows to the tokens that best say what was heard.
//!
//! [`decode`] takes any number of windows at once, each with a prompt, rules and a search of its own. Their hypotheses
//! are the lanes of one batch; windows whose text is not good enough are tried again, together, at the next
//! temperature.

mod batch;
mod language;
mod loops;
mod lots;
mod prompt;
mod quality;
mod rules;
#[cfg(test)]
mod scripted;
mod search;

pub use batch::{Item, decode};
pub use language::{Languages, detect, mean, restrict};
pub use prompt::{Prompt, Request, room_for_previous, text_prompt};
pub use quality::{Resort, Thresholds, compression_ratio, entropy};
pub use rules::Rules;
pub use search::{LengthPenalty, Search};

use crate::tokens::Token;

/// What a window was decoded to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    /// The tokens of the transcript, without the end of text.
    pub tokens: Vec<Token>,
    /// The log probability of each of them, where they are kept ([`Search::keep_logprobs`]).
    pub logprobs: Vec<f32>,
    /// Their text, without timestamps.
    pub text: String,
    /// Sum of the log probabilities of the tokens and of the end of text, over their number.
    pub avg_logprob: f32,
    /// Log probability of the least probable token of text, or of the end of text: how near another text was.
    pub least_logprob: f32,
    /// How probable it was at the start of the transcript that there is no speech; 0 if the model cannot say.
    pub no_speech_prob: f32,
    /// Bytes of the text over bytes of it compressed.
    pub compression_ratio: f32,
    /// The temperature that the tokens were sampled at; 0 is not sampled.
    pub temperature: f32,
    /// How many temperatures were tried.
    pub tries: u32,
    /// Whether the decoder was caught in a loop; the repetitions were taken off.
    pub looped: bool,
}
