//! The files a vocabulary is read from.

mod json;
mod tokenizer_json;
mod vocabulary_and_merges;

use super::{Tokenizer, TokenizerError, TokenizerSettings};

/// A file's contents and the name that errors give it.
#[derive(Debug, Clone, Copy)]
pub struct NamedBytes<'a> {
    /// Name or path.
    pub name: &'a str,
    /// The contents.
    pub bytes: &'a [u8],
}

/// The files that a tokenizer is made of, in one of the two ways in which models carry them.
#[derive(Debug, Clone, Copy)]
pub enum TokenizerFiles<'a> {
    /// `tokenizer.json`, which holds everything.
    Whole(NamedBytes<'a>),
    /// `vocab.json` and `merges.txt`, the older way.
    Parts {
        /// `vocab.json`: text to id.
        vocabulary: NamedBytes<'a>,
        /// `merges.txt`: one pair a line.
        merges: NamedBytes<'a>,
        /// `added_tokens.json` (name to id), or `tokenizer_config.json`, which lists them too.
        added: Option<NamedBytes<'a>>,
    },
}

impl TokenizerFiles<'_> {
    /// Reads the vocabulary, and finds the special tokens in it.
    pub fn read(&self, settings: &TokenizerSettings) -> Result<Tokenizer, TokenizerError> {
        let (draft, file) = match self {
            Self::Whole(file) => (tokenizer_json::read(file)?, file.name),
            Self::Parts { vocabulary, merges, added } => {
                (vocabulary_and_merges::read(vocabulary, merges, added.as_ref())?, vocabulary.name)
            }
        };
        Tokenizer::new(draft.finish(file)?, settings, file)
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(file: &NamedBytes<'a>) -> Result<T, TokenizerError> {
    serde_json::from_slice(file.bytes)
        .map_err(|error| TokenizerError::Unreadable { file: file.name.to_owned(), reason: error.to_string() })
}
