use std::borrow::Cow;

use super::byte_alphabet::written;
use super::non_speech::non_speech_tokens;
use super::special::{Special, TokenizerSettings};
use super::split::pieces;
use super::vocabulary::{Kind, Vocabulary};
use super::{Token, TokenizerError};

/// Turns text into tokens and tokens into text.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    special: Special,
}

impl Tokenizer {
    pub(super) fn new(
        vocabulary: Vocabulary,
        settings: &TokenizerSettings,
        file: &str,
    ) -> Result<Self, TokenizerError> {
        let special = Special::find(&vocabulary, settings, file)?;
        Ok(Self { vocabulary, special })
    }

    /// The tokens of a text. A special token's name in it is text like any other.
    pub fn encode(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (plain, word) = self.next_added_word(rest);
            self.encode_plain(&rest[..plain], &mut tokens);
            rest = &rest[plain..];
            if let Some((word, token)) = word {
                tokens.push(token);
                rest = &rest[word..];
            }
        }
        tokens
    }

    /// Where the first whole word that was added to the vocabulary stands, its length and its token.
    fn next_added_word(&self, text: &str) -> (usize, Option<(usize, Token)>) {
        let words = &self.vocabulary.added_words;
        if words.is_empty() {
            return (text.len(), None);
        }
        // Longest first: of two that begin at one place the longer is taken.
        for (place, _) in text.char_indices() {
            if let Some((word, token)) = words.iter().find(|(word, _)| text[place..].starts_with(word.as_str())) {
                return (place, Some((word.len(), *token)));
            }
        }
        (text.len(), None)
    }

    fn encode_plain(&self, text: &str, tokens: &mut Vec<Token>) {
        let prefixed;
        let text = if self.vocabulary.prefix_space && !text.is_empty() && !text.starts_with(' ') {
            prefixed = format!(" {text}");
            &prefixed
        } else {
            text
        };
        for piece in pieces(text) {
            let bytes = piece.bytes().filter_map(|byte| self.vocabulary.single_bytes[usize::from(byte)]);
            self.vocabulary.merges.apply(bytes, tokens);
        }
    }

    /// The text of tokens, without special tokens and timestamps. A character may spread over several tokens;
    /// what is not UTF-8 in the end becomes U+FFFD.
    pub fn decode(&self, tokens: &[Token]) -> String {
        lossy(self.decode_bytes(tokens))
    }

    /// The bytes of the text of tokens, without special tokens and timestamps.
    pub fn decode_bytes(&self, tokens: &[Token]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &token in tokens {
            if let Some(text) = self.token_bytes(token) {
                bytes.extend_from_slice(text);
            }
        }
        bytes
    }

    /// The text of tokens with special tokens by their names: `<|0.46|> Please check.<|3.24|>`. Ids without a token
    /// are left out.
    pub fn decode_with_timestamps(&self, tokens: &[Token]) -> String {
        let mut bytes = Vec::new();
        for &token in tokens {
            if let Some(name) = self.special.timestamp_name(token) {
                bytes.extend_from_slice(name.as_bytes());
            } else if let Some(text) = self.vocabulary.bytes(token) {
                bytes.extend_from_slice(text);
            }
        }
        lossy(bytes)
    }

    /// The special tokens.
    pub fn special(&self) -> &Special {
        &self.special
    }

    /// One more than the largest id that has a meaning, timestamps included. The model may have more rows than this.
    pub fn vocabulary_size(&self) -> usize {
        let timestamps = self.special.timestamp_begin as usize + self.special.timestamp_count as usize;
        self.vocabulary.size().max(timestamps)
    }

    /// The bytes of a token of text; `None` for special tokens, timestamps and ids without a token.
    pub fn token_bytes(&self, token: Token) -> Option<&[u8]> {
        if self.vocabulary.kind(token) == Kind::Text { self.vocabulary.bytes(token) } else { None }
    }

    /// The bytes of a token, or those of its name where it is special or a timestamp.
    pub fn bytes_or_name(&self, token: Token) -> Option<Cow<'_, [u8]>> {
        match self.special.timestamp_name(token) {
            Some(name) => Some(Cow::Owned(name.into_bytes())),
            None => self.vocabulary.bytes(token).map(Cow::Borrowed),
        }
    }

    /// The token that is exactly this text, or the special token of this name.
    pub fn token_to_id(&self, text: &str) -> Option<Token> {
        let size = Token::try_from(self.vocabulary_size()).ok()?;
        (0..size).find(|&token| match self.special.timestamp_name(token) {
            Some(name) => name == text,
            None => self.vocabulary.bytes(token) == Some(text.as_bytes()),
        })
    }

    /// Every token that has a meaning, in order of id, timestamps included, as files of vocabularies write it.
    pub fn tokens(&self) -> impl Iterator<Item = (Token, Written)> {
        let size = Token::try_from(self.vocabulary_size()).unwrap_or(Token::MAX);
        (0..size).filter_map(|token| {
            if let Some(name) = self.special.timestamp_name(token) {
                return Some((token, Written::Special(name)));
            }
            let bytes = self.vocabulary.bytes(token)?;
            let name = || String::from_utf8_lossy(bytes).into_owned();
            let is_word = || self.vocabulary.added_words.iter().any(|(_, word)| *word == token);
            Some((
                token,
                match self.vocabulary.kind(token) {
                    Kind::Absent => return None,
                    Kind::Special => Written::Special(name()),
                    Kind::Text if is_word() => Written::Word(name()),
                    Kind::Text => Written::Text(written(bytes)),
                },
            ))
        })
    }

    /// The pairs that are joined, in the order of their learning, as files of vocabularies write them.
    pub fn merges(&self) -> Vec<[String; 2]> {
        let text = |token| self.vocabulary.bytes(token).map(written).unwrap_or_default();
        self.vocabulary.merges.in_order().into_iter().map(|(left, right)| [text(left), text(right)]).collect()
    }

    /// Whether a space is put before a text that does not begin with one.
    pub fn adds_prefix_space(&self) -> bool {
        self.vocabulary.prefix_space
    }

    /// Whether the model's files name no languages: they are taken for Whisper's, as many as there is room for, in
    /// Whisper's order.
    pub fn assumes_languages(&self) -> bool {
        self.vocabulary.languages_assumed
    }

    /// Tokens that write what is not speech, such as brackets and notes of music, in order of id.
    pub fn non_speech_tokens(&self) -> Vec<Token> {
        non_speech_tokens(self)
    }
}

/// A token as files of vocabularies write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// A piece of text, in the alphabet of 256 characters that stand for bytes.
    Text(String),
    /// A whole word that was added to the vocabulary, as it is.
    Word(String),
    /// The name of a special token or of a timestamp.
    Special(String),
}

/// UTF-8 with U+FFFD for what is none; without a copy where all of it is.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
