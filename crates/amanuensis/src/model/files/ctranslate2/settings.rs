//! config.json of CTranslate2: what is said about decoding.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::files::config::GenerationConfig;
use crate::model::files::folder::Folder;
use crate::model::{Dims, ModelError};
use crate::tokens::{Token, Tokenizer};

const FILE: &str = "config.json";
/// One second, which CTranslate2 takes where nobody says otherwise: its files cannot.
const LATEST_FIRST_TIMESTAMP: u64 = 50;

#[derive(Deserialize, Default)]
struct Config {
    suppress_ids: Option<Vec<i64>>,
    suppress_ids_begin: Option<Vec<i64>>,
    lang_ids: Option<Vec<i64>>,
    alignment_heads: Option<Vec<(u64, u64)>>,
}

/// What config.json says, or nothing where there is none, as beside the first converted models.
pub(super) struct Settings {
    /// For errors.
    pub(super) file: String,
    config: Config,
    languages: Vec<Token>,
    pub(super) warnings: Vec<String>,
}

impl Settings {
    pub(super) fn read(folder: &Folder, dims: &Dims) -> Result<Self, ModelError> {
        let file = folder.path_of(FILE);
        let config: Config = folder.settings(FILE)?.map(|found| found.parse()).transpose()?.unwrap_or_default();
        let wrong = |field: &str, found: String, expected: String| ModelError::Setting {
            file: file.clone(),
            field: format!("one of {field}"),
            found,
            expected,
        };
        let token = |id: i64| Token::try_from(id).ok().filter(|token| (*token as usize) < dims.vocabulary);
        let below = || format!("a token below {}, the rows of the embedding", dims.vocabulary);
        for (field, ids) in [("suppress_ids", &config.suppress_ids), ("suppress_ids_begin", &config.suppress_ids_begin)]
        {
            // -1 stands for the tokens of what is not speech.
            if let Some(id) = ids.iter().flatten().find(|id| **id != -1 && token(**id).is_none()) {
                return Err(wrong(field, id.to_string(), below()));
            }
        }
        let mut languages = Vec::new();
        for id in config.lang_ids.iter().flatten() {
            languages.push(token(*id).ok_or_else(|| wrong("lang_ids", id.to_string(), below()))?);
        }
        let (layers, heads) = (dims.text_layers as u64, dims.text_heads as u64);
        let outside = |&&(layer, head): &&(u64, u64)| layer >= layers || head >= heads;
        if let Some((layer, head)) = config.alignment_heads.iter().flatten().find(outside) {
            let expected = format!("a layer below {layers} and a head below {heads}");
            return Err(wrong("alignment_heads", format!("layer {layer}, head {head}"), expected));
        }
        let absent = !folder.has(FILE);
        let warnings =
            absent.then(|| format!("no {FILE} beside the weights; what it would say is taken from the sizes"));
        Ok(Self { file, config, languages, warnings: warnings.into_iter().collect() })
    }

    pub(super) fn generation(&self) -> GenerationConfig {
        GenerationConfig {
            suppress_tokens: self.config.suppress_ids.clone(),
            begin_suppress_tokens: self.config.suppress_ids_begin.clone(),
            alignment_heads: self.config.alignment_heads.clone(),
            max_initial_timestamp_index: Some(LATEST_FIRST_TIMESTAMP),
            ..GenerationConfig::default()
        }
    }

    /// All languages by their names, where the list has some that the tokenizer did not know to be languages. Converters
    /// put other special tokens into the list too.
    pub(super) fn further_languages(&self, tokenizer: &Tokenizer) -> Option<BTreeMap<String, u64>> {
        let special = tokenizer.special();
        let others = special.prompt_only();
        let is_language = |token: &Token| {
            !others.contains(token)
                && *token != special.end_of_text
                && *token != special.no_timestamps
                && !special.is_timestamp(*token)
                && tokenizer.token_bytes(*token).is_none()
        };
        let languages: Vec<Token> = self.languages.iter().copied().filter(is_language).collect();
        if languages.iter().all(|token| special.language_of(*token).is_some()) {
            return None;
        }
        let named = |token: &Token| (tokenizer.decode_with_timestamps(&[*token]), u64::from(*token));
        Some(languages.iter().map(named).filter(|(name, _)| !name.is_empty()).collect())
    }
}
