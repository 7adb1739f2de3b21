//! A vocabulary, whatever file it came from: the bytes of each token, and which pairs merge into which.

use std::collections::HashMap;

use super::byte_alphabet::push_bytes;
use super::byte_strings::ByteStrings;
use super::merge::Merges;
use super::{Token, TokenizerError};

/// The most tokens a vocabulary may have. Whisper's has 51,866; a file that says otherwise must not exhaust memory.
pub(super) const LARGEST_VOCABULARY: usize = 1 << 20;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No token has this id.
    Absent,
    /// A piece of text.
    Text,
    /// A mark such as `<|en|>`, and every timestamp.
    Special,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: Kind,
    /// Which of the strings holds the token's bytes.
    string: usize,
}

/// The bytes, names and merges of all tokens.
#[derive(Debug, Clone)]
pub(super) struct Vocabulary {
    entries: Vec<Entry>,
    strings: ByteStrings,
    /// The token of each single byte, from which merging starts.
    pub(super) single_bytes: Vec<Option<Token>>,
    pub(super) merges: Merges,
    /// Words that were added to the vocabulary whole, longest first.
    pub(super) added_words: Vec<(String, Token)>,
    /// Whether a space is put before a text that does not begin with one.
    pub(super) prefix_space: bool,
    /// Whether the languages have Whisper's names because the file names none.
    pub(super) languages_assumed: bool,
}

impl Vocabulary {
    /// One more than the largest id.
    pub(super) fn size(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn kind(&self, token: Token) -> Kind {
        self.entries.get(token as usize).map_or(Kind::Absent, |entry| entry.kind)
    }

    /// The bytes of a token of text, or of the name of a special one.
    pub(super) fn bytes(&self, token: Token) -> Option<&[u8]> {
        let entry = self.entries.get(token as usize).filter(|entry| entry.kind != Kind::Absent)?;
        self.strings.get(entry.string)
    }

    /// The special tokens with their names, in order of id.
    pub(super) fn specials(&self) -> impl Iterator<Item = (Token, &str)> {
        self.entries.iter().enumerate().filter(|(_, entry)| entry.kind == Kind::Special).filter_map(|(id, entry)| {
            Some((Token::try_from(id).ok()?, std::str::from_utf8(self.strings.get(entry.string)?).ok()?))
        })
    }
}

/// The parts of a vocabulary as a reader finds them in its file.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) texts: Texts,
    pub(super) merges: Learnt,
    pub(super) added: Vec<Added>,
    pub(super) prefix_space: bool,
    pub(super) languages_assumed: bool,
}

/// Which pairs are joined.
#[derive(Debug)]
pub(super) enum Learnt {
    /// Those of a list.
    Written(WrittenMerges),
    /// All that make a token, the one with the lowest id first.
    ById,
}

/// Tokens of text with their ids.
#[derive(Debug, Default)]
pub(super) struct Texts {
    strings: ByteStrings,
    ids: Vec<Token>,
}

impl Texts {
    /// Adds a token written in the byte alphabet.
    pub(super) fn push(&mut self, written: &str) {
        self.strings.push_with(|bytes| push_bytes(written, bytes));
    }

    /// Adds a token by its bytes.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.strings.push_with(|buffer| buffer.extend_from_slice(bytes));
    }

    /// Gives the token that was pushed last its id.
    pub(super) fn push_id(&mut self, id: Token) {
        self.ids.push(id);
    }
}

/// Pairs in the order of their learning: left and right halves in turn.
#[derive(Debug, Default)]
pub(super) struct WrittenMerges {
    halves: ByteStrings,
}

impl WrittenMerges {
    /// Adds a pair whose halves are written in the byte alphabet.
    pub(super) fn push(&mut self, left: &str, right: &str) {
        self.push_half(left);
        self.push_half(right);
    }

    /// Adds half a pair; the other half follows or has gone before.
    pub(super) fn push_half(&mut self, half: &str) {
        self.halves.push_with(|bytes| push_bytes(half, bytes));
    }
}

/// A token that was added to a vocabulary by name.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) id: Token,
    pub(super) text: String,
    pub(super) special: bool,
}

/// Whether a text has the form of a special token's name. The splitter separates letters from signs,
/// so no token of text is ever written like this.
pub(super) fn is_special_name(text: &[u8]) -> bool {
    let name = text.strip_prefix(b"<|").and_then(|rest| rest.strip_suffix(b"|>"));
    name.is_some_and(|name| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte))
    })
}

impl Draft {
    /// Checks the parts against each other. `file` is named in errors.
    pub(super) fn finish(self, file: &str) -> Result<Vocabulary, TokenizerError> {
        let inconsistent = |reason: String| TokenizerError::Inconsistent { file: file.to_owned(), reason };
        let Self { texts: Texts { mut strings, ids }, merges, mut added, prefix_space, languages_assumed } = self;
        let largest = ids.iter().copied().chain(added.iter().map(|added| added.id)).max();
        let size = largest.map_or(0, |id| id as usize + 1);
        if size > LARGEST_VOCABULARY {
            return Err(inconsistent(format!("token id {} is above the limit of {LARGEST_VOCABULARY}", size - 1)));
        }
        let mut entries = vec![Entry { kind: Kind::Absent, string: 0 }; size];
        for (string, (&id, text)) in ids.iter().zip(strings.iter()).enumerate() {
            let entry = &mut entries[id as usize];
            if entry.kind != Kind::Absent {
                return Err(inconsistent(format!("two tokens have the id {id}")));
            }
            let kind = if is_special_name(text) { Kind::Special } else { Kind::Text };
            *entry = Entry { kind, string };
        }
        let merges = match &merges {
            Learnt::Written(written) => joined_merges(&ids, &strings, written).map_err(&inconsistent)?,
            Learnt::ById => merges_by_id(&ids, &strings),
        };
        let mut single_bytes = vec![None; 256];
        for (&id, text) in ids.iter().zip(strings.iter()) {
            if let [byte] = text {
                single_bytes[usize::from(*byte)] = Some(id);
            }
        }
        added.sort_by_key(|added| std::cmp::Reverse(added.text.len()));
        let mut added_words = Vec::new();
        for Added { id, text, special } in added {
            let entry = &mut entries[id as usize];
            let known = (entry.kind != Kind::Absent).then(|| strings.get(entry.string)).flatten();
            if let Some(known) = known.filter(|known| *known != text.as_bytes()) {
                let known = String::from_utf8_lossy(known).into_owned();
                return Err(inconsistent(format!("the id {id} is both {known:?} and {text:?}")));
            }
            let kind = if special || is_special_name(text.as_bytes()) { Kind::Special } else { Kind::Text };
            *entry = Entry { kind, string: strings.len() };
            strings.push_with(|bytes| bytes.extend_from_slice(text.as_bytes()));
            if kind == Kind::Text && !text.is_empty() {
                added_words.push((text, id));
            }
        }
        Ok(Vocabulary { entries, strings, single_bytes, merges, added_words, prefix_space, languages_assumed })
    }
}

/// Turns pairs of texts into pairs of ids.
fn joined_merges(ids: &[Token], strings: &ByteStrings, written: &WrittenMerges) -> Result<Merges, String> {
    let mut by_text: HashMap<&[u8], Token> = HashMap::with_capacity(ids.len());
    for (&id, text) in ids.iter().zip(strings.iter()) {
        if let Some(other) = by_text.insert(text, id) {
            return Err(format!("{:?} has the ids {other} and {id}", String::from_utf8_lossy(text)));
        }
    }
    let mut merges = Merges::with_capacity(written.halves.len() / 2);
    let mut both = Vec::new();
    for pair in 0..written.halves.len() / 2 {
        let (Some(left), Some(right)) = (written.halves.get(2 * pair), written.halves.get(2 * pair + 1)) else { break };
        both.clear();
        both.extend_from_slice(left);
        both.extend_from_slice(right);
        let id_of = |text: &[u8]| {
            by_text.get(text).copied().ok_or_else(|| {
                let (left, right) = (String::from_utf8_lossy(left), String::from_utf8_lossy(right));
                format!("merge {pair} of {left:?} and {right:?}: {:?} is no token", String::from_utf8_lossy(text))
            })
        };
        merges.push(id_of(left)?, id_of(right)?, id_of(&both)?);
    }
    Ok(merges)
}

/// Every pair of tokens that is a token when put together. Texts that stand twice are made from their first id.
fn merges_by_id(ids: &[Token], strings: &ByteStrings) -> Merges {
    let mut by_text: HashMap<&[u8], Token> = HashMap::with_capacity(ids.len());
    for (&id, text) in ids.iter().zip(strings.iter()) {
        if !text.is_empty() && !is_special_name(text) {
            by_text.entry(text).or_insert(id);
        }
    }
    let mut merges = Merges::with_capacity(2 * by_text.len());
    for (text, &id) in &by_text {
        for cut in 1..text.len() {
            let (left, right) = text.split_at(cut);
            if let Some(&left) = by_text.get(left)
                && let Some(&right) = by_text.get(right)
            {
                merges.push_ranked(left, right, id, id);
            }
        }
    }
    merges
}
