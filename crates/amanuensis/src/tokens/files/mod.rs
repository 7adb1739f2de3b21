//! The files a vocabulary is read from.

mod json;
mod listed;
mod lists;
mod ranked;
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

/// What a tokenizer is made of, in one of the ways in which models carry it.
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
    /// `multilingual.tiktoken` and its like: on every line a token in base 64 and its id. Pairs that make a token are
    /// joined, the lowest id first; special tokens stand where Whisper's do in a model with so many rows.
    Ranked(NamedBytes<'a>),
    /// `vocabulary.json` or `vocabulary.txt` of CTranslate2: all tokens in the order of their ids, in the alphabet of 256
    /// characters that stand for bytes.
    Vocabulary(NamedBytes<'a>),
    /// Tokens without a file of their own: whisper.cpp's files list them.
    Listed {
        /// What errors name.
        name: &'a str,
        /// The bytes of each token, in the order of the ids.
        tokens: &'a [&'a [u8]],
    },
    /// Lists of tokens and of merges, as GGUF files have them.
    Lists(TokenLists<'a>),
}

/// A vocabulary in lists.
#[derive(Debug, Clone, Copy)]
pub struct TokenLists<'a> {
    /// What errors name.
    pub name: &'a str,
    /// Tokens in the order of the ids: texts in the byte alphabet, special ones by name.
    pub tokens: &'a [&'a str],
    /// Pairs with a space between them, in the order of learning; where there are none, pairs that make a token are
    /// joined, the lowest id first.
    pub merges: Option<&'a [&'a str]>,
    /// Which tokens are whole words that were added to the vocabulary, as they are.
    pub added: &'a [bool],
    /// Which tokens mean nothing.
    pub unused: &'a [bool],
    /// Whether a space is put before a text that does not begin with one.
    pub prefix_space: bool,
}

impl TokenizerFiles<'_> {
    /// Reads the vocabulary, and finds the special tokens in it.
    pub fn read(&self, settings: &TokenizerSettings) -> Result<Tokenizer, TokenizerError> {
        let (draft, file) = match self {
            Self::Whole(file) => (tokenizer_json::read(file)?, file.name),
            Self::Parts { vocabulary, merges, added } => {
                (vocabulary_and_merges::read(vocabulary, merges, added.as_ref())?, vocabulary.name)
            }
            Self::Ranked(file) => (ranked::read(file, settings)?, file.name),
            Self::Lists(lists) => (lists::read(lists, settings)?, lists.name),
            Self::Vocabulary(file) => (listed::read(file, settings)?, file.name),
            Self::Listed { name, tokens } => (ranked::list(name, tokens, settings)?, *name),
        };
        Tokenizer::new(draft.finish(file)?, settings, file)
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(file: &NamedBytes<'a>) -> Result<T, TokenizerError> {
    serde_json::from_slice(file.bytes)
        .map_err(|error| TokenizerError::Unreadable { file: file.name.to_owned(), reason: error.to_string() })
}
