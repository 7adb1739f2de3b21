//! Tokens: what the numbers that a model reads and writes mean.
//!
//! A vocabulary gives each token its bytes; merges say which neighbours become one. Both come from the model's own
//! files ([`TokenizerFiles`]), as do the ids of the special tokens, so a model with another vocabulary needs nothing here.

mod byte_alphabet;
mod byte_strings;
mod classes;
mod error;
mod files;
pub mod languages;
mod merge;
mod non_speech;
mod special;
mod split;
mod tokenizer;
mod vocabulary;

pub use error::TokenizerError;
pub use files::{NamedBytes, TokenizerFiles};
pub use special::{Special, TIMESTAMPS_PER_SECOND, TokenizerSettings};
pub use tokenizer::{Tokenizer, Written};

/// A token's number in the model's vocabulary.
pub type Token = u32;
