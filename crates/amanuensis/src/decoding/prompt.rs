//! The prompt: what the decoder is told before it says anything.

use crate::tokens::{Special, Token, Tokenizer};

/// The tokens that a lane begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// All of them: text that came before, then the start of the transcript, language and task.
    pub tokens: Vec<Token>,
    /// Where the start of the transcript stands; the model's opinion on silence is read there.
    pub start: usize,
    /// How many tokens may follow.
    pub room: usize,
}

/// What is asked of the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The language spoken, for models that know several.
    pub language: Option<Token>,
    /// The task, for models that know several.
    pub task: Option<Token>,
    /// Whether times are wanted.
    pub timestamps: bool,
}

impl Prompt {
    /// The prompt for a window that follows the tokens `before`, for a decoder of `context` positions.
    ///
    /// Of `before` the last `context / 2 - 1` are used, so that half of the positions stay free.
    pub fn new(special: &Special, request: Request, before: &[Token], context: usize) -> Self {
        let mut tokens = Vec::with_capacity(context / 2 + 4);
        if let (Some(previous), false) = (special.start_of_previous, before.is_empty()) {
            tokens.push(previous);
            tokens.extend(&before[before.len().saturating_sub(context / 2 - 1)..]);
        }
        let start = tokens.len();
        tokens.push(special.start_of_transcript);
        tokens.extend(request.language);
        tokens.extend(request.task);
        if !request.timestamps {
            tokens.push(special.no_timestamps);
        }
        // Half of the positions at most; and the last token that is said takes none.
        let room = (context / 2).min(context + 1 - tokens.len());
        Prompt { tokens, start, room }
    }
}

/// The tokens of a text that is given as if it had been said before.
pub fn text_prompt(tokenizer: &Tokenizer, text: &str) -> Vec<Token> {
    let text = text.trim();
    if text.is_empty() { Vec::new() } else { tokenizer.encode(&format!(" {text}")) }
}
