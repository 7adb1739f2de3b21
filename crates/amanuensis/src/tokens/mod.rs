//! Tokens: what the numbers that a model reads and writes mean.

/// A token's number in the model's vocabulary.
pub type Token = u32;
