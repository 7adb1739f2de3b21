//! `tokenizer.json`, the format of the `tokenizers` package.

use serde::Deserialize;
use serde_json::Value;

use super::{NamedBytes, parse};
use crate::tokens::vocabulary::{Added, Draft, Learnt, Texts, WrittenMerges};
use crate::tokens::{Token, TokenizerError};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<PreTokenizer>,
    model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: Token,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct PreTokenizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    add_prefix_space: bool,
    /// Absent in files from before it could be turned off.
    use_regex: Option<bool>,
}

#[derive(Deserialize)]
struct Model {
    /// Absent in files from before there were several.
    #[serde(rename = "type")]
    kind: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: Texts,
    merges: WrittenMerges,
}

/// What this file asks for and Whisper's tokenizers never do.
fn unsupported(file: &File) -> Option<String> {
    let model = &file.model;
    if let Some(kind) = model.kind.as_deref().filter(|kind| *kind != "BPE") {
        return Some(format!("a model of type {kind}"));
    }
    if let Some(normalizer) = &file.normalizer {
        let kind = normalizer.get("type").and_then(Value::as_str).unwrap_or("unknown");
        return Some(format!("the normalizer {kind}"));
    }
    match &file.pre_tokenizer {
        Some(split) if split.kind == "ByteLevel" && split.use_regex != Some(false) => {}
        Some(split) => return Some(format!("the pre-tokenizer {} as it is set here", split.kind)),
        None => return Some("the absence of a pre-tokenizer".to_owned()),
    }
    let affix = |affix: &Option<String>| affix.as_ref().is_some_and(|affix| !affix.is_empty());
    if affix(&model.continuing_subword_prefix) || affix(&model.end_of_word_suffix) {
        return Some("a prefix or suffix of word pieces".to_owned());
    }
    if model.byte_fallback || model.ignore_merges {
        return Some("byte_fallback or ignore_merges".to_owned());
    }
    None
}

pub(super) fn read(file: &NamedBytes<'_>) -> Result<Draft, TokenizerError> {
    let contents: File = parse(file)?;
    if let Some(feature) = unsupported(&contents) {
        return Err(TokenizerError::Unsupported { file: file.name.to_owned(), feature });
    }
    let added = contents.added_tokens.into_iter();
    Ok(Draft {
        texts: contents.model.vocab,
        merges: Learnt::Written(contents.model.merges),
        added: added.map(|added| Added { id: added.id, text: added.content, special: added.special }).collect(),
        prefix_space: contents.pre_tokenizer.is_some_and(|split| split.add_prefix_space),
        languages_assumed: false,
    })
}
