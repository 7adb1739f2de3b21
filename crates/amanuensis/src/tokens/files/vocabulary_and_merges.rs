//! `vocab.json` with `merges.txt`, and `added_tokens.json` beside them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{NamedBytes, parse};
use crate::tokens::vocabulary::{Added, Draft, Learnt, WrittenMerges};
use crate::tokens::{Token, TokenizerError};

/// `added_tokens.json` maps names to ids; `tokenizer_config.json` has a table from ids to names among other things.
#[derive(Deserialize)]
#[serde(untagged)]
enum AddedFile {
    Configuration { added_tokens_decoder: BTreeMap<String, Decoded> },
    Names(BTreeMap<String, Token>),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Decoded {
    content: String,
    #[serde(default)]
    special: bool,
}

pub(super) fn read(
    vocabulary: &NamedBytes<'_>,
    merges: &NamedBytes<'_>,
    added: Option<&NamedBytes<'_>>,
) -> Result<Draft, TokenizerError> {
    Ok(Draft {
        texts: parse(vocabulary)?,
        merges: Learnt::Written(read_merges(merges)?),
        added: added.map(read_added).transpose()?.unwrap_or_default(),
        prefix_space: false,
        languages_assumed: false,
    })
}

fn read_added(file: &NamedBytes<'_>) -> Result<Vec<Added>, TokenizerError> {
    let unreadable = |reason: String| TokenizerError::Unreadable { file: file.name.to_owned(), reason };
    match parse(file)? {
        AddedFile::Names(names) => Ok(names.into_iter().map(|(text, id)| Added { id, text, special: false }).collect()),
        AddedFile::Configuration { added_tokens_decoder } => added_tokens_decoder
            .into_iter()
            .map(|(id, Decoded { content, special })| {
                let id = id.parse().map_err(|_| unreadable(format!("{id:?} is not a token id")))?;
                Ok(Added { id, text: content, special })
            })
            .collect(),
        AddedFile::Other(_) => Ok(Vec::new()),
    }
}

/// One pair a line, after a first line that may give a version.
fn read_merges(file: &NamedBytes<'_>) -> Result<WrittenMerges, TokenizerError> {
    let unreadable = |reason: String| TokenizerError::Unreadable { file: file.name.to_owned(), reason };
    let text = std::str::from_utf8(file.bytes).map_err(|error| unreadable(error.to_string()))?;
    let mut merges = WrittenMerges::default();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || number == 0 && line.starts_with("#version") {
            continue;
        }
        match line.split_once(' ') {
            Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
                merges.push(left, right);
            }
            _ => return Err(unreadable(format!("line {} is not two texts with a space between them", number + 1))),
        }
    }
    Ok(merges)
}
