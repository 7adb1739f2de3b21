//! Decoding: from an encoded window to the tokens that best say what was heard.

mod greedy;
mod language;
mod prompt;
mod quality;
mod rules;
mod scores;

pub use language::detect;
pub use prompt::{Prompt, Request, text_prompt};
pub use quality::compression_ratio;
pub use rules::Rules;

use crate::backend::{BackendError, Decoding, Work};
use crate::tokens::{Token, Tokenizer};

/// What a window was decoded to.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The tokens behind the prompt, without the end of text.
    pub tokens: Vec<Token>,
    /// Their text, without timestamps.
    pub text: String,
    /// Sum of the log probabilities of the tokens and of the end of text, over their number.
    pub avg_logprob: f32,
    /// How probable it was at the start of the transcript that there is no speech; 0 if the model cannot say.
    pub no_speech_prob: f32,
    /// Bytes of the text over bytes of it compressed.
    pub compression_ratio: f32,
    /// The temperature that the tokens were sampled at; 0 is greedy.
    pub temperature: f32,
}

/// Decodes one lane that listens to window `window`, taking the most probable token at every step.
pub fn greedy(
    decoding: &mut dyn Decoding,
    window: usize,
    tokenizer: &Tokenizer,
    prompt: &Prompt,
    rules: &Rules,
    work: &mut Work<'_>,
) -> Result<Decoded, BackendError> {
    let found = greedy::search(decoding, window, tokenizer.special(), prompt, rules, work)?;
    let text = tokenizer.decode(&found.tokens);
    Ok(Decoded {
        avg_logprob: (found.sum_logprob / (found.tokens.len() + 1) as f64) as f32,
        no_speech_prob: found.no_speech_prob,
        compression_ratio: compression_ratio(text.trim()),
        temperature: 0.0,
        tokens: found.tokens,
        text,
    })
}
