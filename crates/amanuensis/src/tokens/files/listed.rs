//! CTranslate2's vocabularies: all tokens in the order of their ids, written in the byte alphabet, special ones by name.
//! `vocabulary.json` is a list of texts; `vocabulary.txt`, the older way, has one on each line.

use super::{NamedBytes, parse, ranked};
use crate::tokens::TokenizerError;
use crate::tokens::byte_alphabet::push_bytes;
use crate::tokens::byte_strings::ByteStrings;
use crate::tokens::special::TokenizerSettings;
use crate::tokens::vocabulary::Draft;

pub(super) fn read(file: &NamedBytes<'_>, settings: &TokenizerSettings) -> Result<Draft, TokenizerError> {
    let unreadable = |reason: String| TokenizerError::Unreadable { file: file.name.to_owned(), reason };
    let mut tokens = ByteStrings::default();
    let mut push = |text: &str| tokens.push_with(|bytes| push_bytes(text, bytes));
    if file.bytes.trim_ascii_start().starts_with(b"[") {
        let texts: Vec<std::borrow::Cow<str>> = parse(file)?;
        texts.iter().for_each(|text| push(text));
    } else {
        let text = std::str::from_utf8(file.bytes).map_err(|error| unreadable(error.to_string()))?;
        text.lines().for_each(push);
    }
    let tokens: Vec<&[u8]> = tokens.iter().collect();
    ranked::list(file.name, &tokens, settings)
}
