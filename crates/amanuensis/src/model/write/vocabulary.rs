//! The files of a tokenizer: `tokenizer.json`, which holds everything, and `vocab.json`, `merges.txt`,
//! `added_tokens.json` and `tokenizer_config.json`, the older way, which some programs still ask for.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::WriteError;
use super::settings::{write_json, write_text};
use crate::tokens::{Token, Tokenizer, Written};

/// What stands at the beginning of `merges.txt`.
const VERSION: &str = "#version: 0.2";

pub(super) fn write(tokenizer: &Tokenizer, folder: &Path) -> Result<(), WriteError> {
    let files = Files::of(tokenizer);
    write_json(folder, "vocab.json", &Value::Object(files.vocabulary.clone()))?;
    let merges: Vec<String> = files.merges.iter().map(|[left, right]| format!("{left} {right}")).collect();
    write_text(folder, "merges.txt", &format!("{VERSION}\n{}\n", merges.join("\n")))?;
    let added: Map<String, Value> = files.added.iter().map(|added| (added.text.clone(), json!(added.token))).collect();
    write_json(folder, "added_tokens.json", &Value::Object(added))?;
    write_json(folder, "tokenizer_config.json", &files.configuration())?;
    write_json(folder, "special_tokens_map.json", &files.special_tokens())?;
    write_whole(tokenizer, folder)
}

/// `tokenizer.json` alone.
pub(super) fn write_whole(tokenizer: &Tokenizer, folder: &Path) -> Result<(), WriteError> {
    let files = Files::of(tokenizer);
    write_text(folder, "tokenizer.json", &format!("{}\n", files.whole(tokenizer)))
}

struct Added {
    token: Token,
    text: String,
    special: bool,
}

/// What the files say.
struct Files {
    /// Text in the byte alphabet to id.
    vocabulary: Map<String, Value>,
    merges: Vec<[String; 2]>,
    added: Vec<Added>,
    end_of_text: String,
}

impl Files {
    fn of(tokenizer: &Tokenizer) -> Self {
        let mut vocabulary = Map::new();
        let mut added = Vec::new();
        let (mut next, mut gaps) = (0, false);
        for (token, written) in tokenizer.tokens() {
            gaps |= token != next;
            next = token + 1;
            match written {
                Written::Text(text) => {
                    vocabulary.insert(text, json!(token));
                }
                Written::Word(text) => added.push(Added { token, text, special: false }),
                Written::Special(text) => added.push(Added { token, text, special: true }),
            }
        }
        if gaps {
            // The tokenizers package counts added tokens on from the vocabulary, whatever ids are said, unless the
            // vocabulary has them.
            vocabulary.extend(added.iter().map(|added| (added.text.clone(), json!(added.token))));
        }
        let special = tokenizer.special();
        let timestamp = |token| special.is_timestamp(token);
        for added in &mut added {
            // Timestamps are decoded as text where it is asked for, so the package must not drop them as special.
            added.special &= !timestamp(added.token);
        }
        let name = added.iter().find(|added| added.token == special.end_of_text);
        let end_of_text = name.map_or_else(String::new, |added| added.text.clone());
        Self { vocabulary, merges: tokenizer.merges(), added, end_of_text }
    }

    fn configuration(&self) -> Value {
        let decoder: Map<String, Value> =
            self.added.iter().map(|added| (added.token.to_string(), entry(added))).collect();
        json!({
            "tokenizer_class": "WhisperTokenizer",
            "processor_class": "WhisperProcessor",
            "added_tokens_decoder": decoder,
            "additional_special_tokens": self.special_names(),
            "add_bos_token": false,
            "add_prefix_space": false,
            "clean_up_tokenization_spaces": false,
            "errors": "replace",
            "model_max_length": 1024,
            "return_attention_mask": false,
            "bos_token": self.end_of_text,
            "eos_token": self.end_of_text,
            "pad_token": self.end_of_text,
            "unk_token": self.end_of_text,
        })
    }

    fn special_tokens(&self) -> Value {
        json!({
            "bos_token": self.end_of_text,
            "eos_token": self.end_of_text,
            "pad_token": self.end_of_text,
            "unk_token": self.end_of_text,
            "additional_special_tokens": self.special_names(),
        })
    }

    fn special_names(&self) -> Vec<&str> {
        self.added.iter().filter(|added| added.special).map(|added| added.text.as_str()).collect()
    }

    /// `tokenizer.json`.
    fn whole(&self, tokenizer: &Tokenizer) -> Value {
        let special = tokenizer.special();
        let name =
            |token: Token| self.added.iter().find(|added| added.token == token).map_or("", |added| added.text.as_str());
        let frame =
            [special.start_of_transcript, special.no_timestamps, special.end_of_text].map(|token| (name(token), token));
        let [start, no_timestamps, end] = frame.map(|(name, _)| json!({"SpecialToken": {"id": name, "type_id": 0}}));
        let sequence = |id: &str, kind: u8| json!({"Sequence": {"id": id, "type_id": kind}});
        let frame: Map<String, Value> = frame
            .into_iter()
            .map(|(name, token)| (name.to_owned(), json!({"id": name, "ids": [token], "tokens": [name]})))
            .collect();
        let added: Vec<Value> = self
            .added
            .iter()
            .map(|added| {
                let mut entry = entry(added);
                entry["id"] = json!(added.token);
                entry
            })
            .collect();
        let byte_level = |prefix: bool| json!({"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true});
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": byte_level(tokenizer.adds_prefix_space()),
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [start, no_timestamps, sequence("A", 0), end],
                "pair": [start, no_timestamps, sequence("A", 0), sequence("B", 1), end],
                "special_tokens": frame,
            },
            "decoder": byte_level(true),
            "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": null,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": false,
                "vocab": self.vocabulary,
                "merges": self.merges,
            },
        })
    }
}

fn entry(added: &Added) -> Value {
    json!({
        "content": added.text,
        "single_word": false,
        "lstrip": false,
        "rstrip": false,
        "normalized": false,
        "special": added.special,
    })
}
