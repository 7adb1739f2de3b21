/// Why a tokenizer cannot be made from its files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    /// A file is not the JSON that a tokenizer is written in.
    #[error("{file}: not readable as a tokenizer: {reason}; the file is damaged or of another kind, fetch it again")]
    Unreadable {
        /// Name of the file.
        file: String,
        /// What is wrong, with line and column where they are known.
        reason: String,
    },
    /// A file asks for something that Whisper's tokenizers do not use.
    #[error("{file}: {feature} is not supported; Whisper needs a byte-level BPE as GPT-2's, without normalisation")]
    Unsupported {
        /// Name of the file.
        file: String,
        /// What it asks for.
        feature: String,
    },
    /// The parts of the vocabulary contradict each other.
    #[error("{file}: {reason}; the tokenizer's files do not belong together, fetch them again from one place")]
    Inconsistent {
        /// Name of the file.
        file: String,
        /// The contradiction.
        reason: String,
    },
    /// A token without which no transcript can be decoded is not in the vocabulary.
    #[error("{file}: no token {token}; this is not a Whisper tokenizer, or added_tokens.json is missing beside it")]
    MissingToken {
        /// Name of the file.
        file: String,
        /// The token's name, `<|startoftranscript|>` for example.
        token: String,
    },
}
