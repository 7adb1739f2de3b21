//! The prompt: what the decoder is told before it says anything.

use crate::tokens::{Special, Token, Tokenizer};

/// The tokens that a lane begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// All of them: text that came before, then the start of the transcript, language and task, then what is forced.
    pub tokens: Vec<Token>,
    /// Where the start of the transcript stands; the model's opinion on silence is read there.
    pub start: usize,
    /// How many of the tokens, the last ones, are the beginning of the transcript itself.
    pub forced: usize,
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

impl Request {
    /// The tokens that state it, from the start of the transcript on.
    pub fn tokens(&self, special: &Special) -> Vec<Token> {
        let mut tokens = vec![special.start_of_transcript];
        tokens.extend(self.language);
        tokens.extend(self.task);
        if !self.timestamps {
            tokens.push(special.no_timestamps);
        }
        tokens
    }
}

/// How many tokens of text that came before a decoder of `context` positions is told at most: with the token that
/// opens them they are half of its positions.
pub fn room_for_previous(context: usize) -> usize {
    (context / 2).saturating_sub(1)
}

impl Prompt {
    /// The prompt for a window that follows the tokens `before`, for a decoder of `context` positions.
    ///
    /// Of `before` the last [`room_for_previous`] are used, and fewer where what is forced needs their positions. The
    /// transcript begins with `forced`.
    pub fn new(special: &Special, request: Request, before: &[Token], forced: &[Token], context: usize) -> Self {
        let request = request.tokens(special);
        // The transcript has half of the positions at most, with what is forced, which leaves one of them free.
        let forced = &forced[..forced.len().min(room_for_previous(context))];
        let mut tokens = Vec::with_capacity(context);
        if let (Some(previous), false) = (special.start_of_previous, before.is_empty()) {
            let left = context.saturating_sub(1 + request.len() + forced.len());
            tokens.push(previous);
            tokens.extend(&before[before.len().saturating_sub(left.min(room_for_previous(context)))..]);
        }
        let start = tokens.len();
        tokens.extend(request);
        tokens.extend(forced);
        // The last token that is said takes no position.
        let room = (context / 2 - forced.len()).min((context + 1).saturating_sub(tokens.len()));
        Prompt { tokens, start, forced: forced.len(), room }
    }

    /// The tokens that the transcript begins with.
    pub fn forced(&self) -> &[Token] {
        &self.tokens[self.tokens.len() - self.forced..]
    }
}

/// The tokens of a text that is given as if it had been said before.
pub fn text_prompt(tokenizer: &Tokenizer, text: &str) -> Vec<Token> {
    let text = text.trim();
    if text.is_empty() { Vec::new() } else { tokenizer.encode(&format!(" {text}")) }
}
