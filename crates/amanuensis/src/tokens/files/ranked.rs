//! Vocabularies that list tokens by their ids and nothing else: `.tiktoken` files, and the header of whisper.cpp's.
//!
//! There are no merges: two neighbours are joined where the result is a token, and the lowest id goes first. There are
//! no special tokens either, or only the end of the text. They stand behind the text in Whisper's order, and the times
//! take the last 1,501 rows of the model, so how many languages there are follows from its rows:
//!
//! ```text
//! text | <|endoftext|> <|startoftranscript|> | languages | <|translate|> ... <|notimestamps|> | <|0.00|> ... <|30.00|>
//! ```

use super::NamedBytes;
use crate::tokens::languages::LANGUAGES;
use crate::tokens::special::{TIMESTAMPS_OF_A_WINDOW, TokenizerSettings};
use crate::tokens::vocabulary::{Added, Draft, LARGEST_VOCABULARY, Learnt, Texts, is_special_name};
use crate::tokens::{Token, TokenizerError};

/// Before the languages, and behind them.
const STARTS: [&str; 2] = ["<|endoftext|>", "<|startoftranscript|>"];
const TASKS: [&str; 6] =
    ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"];

/// The longest token of any vocabulary in use has 128 bytes. Every place where a token might be cut is tried.
const LONGEST_TOKEN: usize = 256;

/// Lines of `.tiktoken`: `aGVsbG8= 31373`.
pub(super) fn read(file: &NamedBytes<'_>, settings: &TokenizerSettings) -> Result<Draft, TokenizerError> {
    let mut bytes = Vec::with_capacity(file.bytes.len() / 4 * 3);
    let mut places = Vec::new();
    for (number, line) in file.bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let start = bytes.len();
        let id = read_line(line, &mut bytes).ok_or_else(|| TokenizerError::Unreadable {
            file: file.name.to_owned(),
            reason: format!("line {} is not a token in base 64 and its id", number + 1),
        })?;
        places.push((id, start..bytes.len()));
    }
    places.sort_by_key(|(id, _)| *id);
    let tokens: Vec<(Token, &[u8])> = places.into_iter().map(|(id, place)| (id, &bytes[place])).collect();
    draft(file.name, &tokens, settings)
}

/// Tokens whose ids are their places.
pub(super) fn list(name: &str, tokens: &[&[u8]], settings: &TokenizerSettings) -> Result<Draft, TokenizerError> {
    if tokens.len() > LARGEST_VOCABULARY {
        let reason = format!("{} tokens, more than the limit of {LARGEST_VOCABULARY}", tokens.len());
        return Err(TokenizerError::Inconsistent { file: name.to_owned(), reason });
    }
    let tokens: Vec<(Token, &[u8])> = (0..).zip(tokens.iter().copied()).collect();
    draft(name, &tokens, settings)
}

/// Puts the token of a line behind `bytes`; the result is its id.
fn read_line(line: &[u8], bytes: &mut Vec<u8>) -> Option<Token> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (token, id) = line.split_at(space);
    let id: Token = std::str::from_utf8(id.trim_ascii_start()).ok()?.parse().ok()?;
    push_base64(token, bytes)?;
    ((id as usize) < LARGEST_VOCABULARY).then_some(id)
}

/// Bytes that are written in base 64. An empty token is `=`, as in the multilingual vocabulary.
fn push_base64(written: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let padding = written.iter().rev().take_while(|character| **character == b'=').count();
    let written = &written[..written.len() - padding];
    for group in written.chunks(4) {
        let mut bits = 0_u32;
        for character in group {
            let six = match character {
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(six);
        }
        // Six bits alone are no byte.
        if group.len() == 1 {
            return None;
        }
        let [_, whole @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend_from_slice(&whole[..group.len() - 1]);
    }
    Some(())
}

/// `tokens` in the order of their ids.
pub(super) fn draft(
    file: &str,
    tokens: &[(Token, &[u8])],
    settings: &TokenizerSettings,
) -> Result<Draft, TokenizerError> {
    let inconsistent = |reason: String| TokenizerError::Inconsistent { file: file.to_owned(), reason };
    if let Some((id, token)) = tokens.iter().find(|(_, token)| token.len() > LONGEST_TOKEN) {
        let reason = format!("token {id} has {} bytes, more than the limit of {LONGEST_TOKEN}", token.len());
        return Err(inconsistent(reason));
    }
    let mut texts = Texts::default();
    let mut push = |id: Token, token: &[u8]| {
        texts.push_bytes(token);
        texts.push_id(id);
    };
    // Who names the start of a transcript names the others too.
    let named = tokens.iter().any(|(_, token)| *token == STARTS[1].as_bytes());
    let added = if named {
        tokens.iter().for_each(|(id, token)| push(*id, token));
        Vec::new()
    } else {
        let text = tokens.iter().rev().find(|(_, token)| !is_special_name(token));
        let behind_text = text.map_or(0, |(id, _)| *id as usize + 1);
        let (first, names) = specials(behind_text, settings.vocabulary).map_err(inconsistent)?;
        // What a vocabulary lists where a special token stands cannot be said by the model.
        let texts = tokens.iter().filter(|(id, token)| (*id as usize) < first && !is_special_name(token));
        texts.for_each(|(id, token)| push(*id, token));
        let ids = (first as Token..).zip(names);
        ids.map(|(id, name)| Added { id, text: name, special: true }).collect()
    };
    Ok(Draft { texts, merges: Learnt::ById, added, prefix_space: false, languages_assumed: !named })
}

/// Where the special tokens of a model with so many rows begin, and their names.
///
/// Whisper's own vocabularies end where they end, even if a file lists fewer tokens of text or more.
fn specials(behind_text: usize, rows: Option<usize>) -> Result<(usize, Vec<String>), String> {
    let rows = rows.unwrap_or(if behind_text > ENGLISH_TEXT { 51865 } else { 51864 });
    let first = match rows {
        51864 => ENGLISH_TEXT,
        51865 | 51866 => ENGLISH_TEXT + 1,
        _ => behind_text,
    };
    let others = STARTS.len() + TASKS.len() + TIMESTAMPS_OF_A_WINDOW;
    let languages = rows.checked_sub(first + others).and_then(|count| LANGUAGES.get(..count)).ok_or_else(|| {
        format!(
            "{first} tokens of text and {others} special ones in a model of {rows} rows leave no room for languages, \
             or room for more than {}",
            LANGUAGES.len()
        )
    })?;
    let languages = languages.iter().map(|language| format!("<|{}|>", language.code));
    let names = STARTS.iter().map(ToString::to_string).chain(languages).chain(TASKS.iter().map(ToString::to_string));
    Ok((first, names.collect()))
}

/// Tokens of text of the English-only models: GPT-2's. The multilingual ones have one more.
const ENGLISH_TEXT: usize = 50256;
