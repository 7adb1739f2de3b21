//! What a model's files say about decoding with it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::files::config::{Config, GenerationConfig};
use super::{Dims, ModelError, alignment};
use crate::tokens::{Special, Token, Tokenizer};

/// Settings of decoding that come with the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Generation {
    /// Tokens that are never written: marks of what is not speech, and special tokens that have no place in a text.
    pub suppress_tokens: Vec<Token>,
    /// Tokens that are not written first: the bare space and the end.
    pub begin_suppress_tokens: Vec<Token>,
    /// Decoder layers and heads whose attention follows the sound.
    pub alignment_heads: Vec<(usize, usize)>,
    /// Where the alignment heads come from.
    pub alignment_heads_from: AlignmentSource,
    /// The first timestamp may be at most this many steps of 20 ms into the window, if there is a limit.
    pub max_initial_timestamp_index: Option<usize>,
    /// Width of the median filter over the attention, from which word times are read.
    pub median_filter_width: usize,
}

/// Where a list of alignment heads comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlignmentSource {
    /// The model's own files.
    Model,
    /// What is known of models of these sizes; where nothing is, all heads of the later half of the decoder.
    Sizes,
}

/// The median filter of models that do not say another.
const MEDIAN_FILTER_WIDTH: usize = 7;

/// A wider filter spans more than two seconds of sound, and nobody would wait for it.
const WIDEST_MEDIAN_FILTER: u64 = 101;

/// The two files of settings with the names that errors give them.
pub(super) struct Sources<'a> {
    /// Not every format has it.
    pub(super) config: Option<(&'a str, &'a Config)>,
    pub(super) generation: (&'a str, &'a GenerationConfig),
}

impl Generation {
    pub(super) fn read(sources: &Sources<'_>, dims: &Dims, tokenizer: &Tokenizer) -> Result<Self, ModelError> {
        let (generation_file, generation) = sources.generation;
        let in_config = |field: fn(&Config) -> &Option<Vec<i64>>| {
            let (file, config) = sources.config?;
            Some((file, field(config).as_ref()?))
        };
        let ids = |field: &str, in_generation: &Option<Vec<i64>>, in_config: Option<(&str, &Vec<i64>)>| {
            let found = in_generation.as_ref().map(|ids| (generation_file, ids)).or(in_config);
            found.map(|(file, ids)| read_ids(field, ids, file, dims, tokenizer)).transpose()
        };
        let suppress =
            ids("suppress_tokens", &generation.suppress_tokens, in_config(|config| &config.suppress_tokens))?;
        let begin = ids(
            "begin_suppress_tokens",
            &generation.begin_suppress_tokens,
            in_config(|config| &config.begin_suppress_tokens),
        )?;
        let (alignment_heads, alignment_heads_from) = match &generation.alignment_heads {
            Some(heads) if !heads.is_empty() => (read_heads(heads, generation_file, dims)?, AlignmentSource::Model),
            _ => (alignment::heads(dims), AlignmentSource::Sizes),
        };
        Ok(Self {
            suppress_tokens: suppress.unwrap_or_else(|| default_suppressed(tokenizer)),
            begin_suppress_tokens: begin.unwrap_or_else(|| {
                tokenizer.encode(" ").into_iter().chain([tokenizer.special().end_of_text]).collect()
            }),
            alignment_heads,
            alignment_heads_from,
            max_initial_timestamp_index: generation
                .max_initial_timestamp_index
                .map(|index| usize::try_from(index).unwrap_or(usize::MAX)),
            median_filter_width: sources
                .config
                .map_or(Ok(MEDIAN_FILTER_WIDTH), |(file, config)| read_filter_width(file, config))?,
        })
    }
}

/// The list of a model that has none: what is not speech, and the special tokens that start things.
fn default_suppressed(tokenizer: &Tokenizer) -> Vec<Token> {
    let mut tokens = tokenizer.non_speech_tokens();
    tokens.extend(tokenizer.special().prompt_only());
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

/// Token ids of a list; -1 stands for the tokens of what is not speech.
fn read_ids(
    field: &str,
    ids: &[i64],
    file: &str,
    dims: &Dims,
    tokenizer: &Tokenizer,
) -> Result<Vec<Token>, ModelError> {
    let mut tokens = Vec::with_capacity(ids.len());
    for &id in ids {
        match Token::try_from(id) {
            Ok(token) if (token as usize) < dims.vocabulary => tokens.push(token),
            Err(_) if id == -1 => tokens.extend(tokenizer.non_speech_tokens()),
            _ => {
                return Err(ModelError::Setting {
                    file: file.to_owned(),
                    field: format!("an id of {field}"),
                    found: id.to_string(),
                    expected: format!("a token below vocab_size, {}", dims.vocabulary),
                });
            }
        }
    }
    Ok(tokens)
}

fn read_filter_width(file: &str, config: &Config) -> Result<usize, ModelError> {
    match config.median_filter_width {
        None => Ok(MEDIAN_FILTER_WIDTH),
        Some(width) if width % 2 == 1 && width <= WIDEST_MEDIAN_FILTER => Ok(width as usize),
        Some(width) => Err(ModelError::Setting {
            file: file.to_owned(),
            field: "median_filter_width".to_owned(),
            found: width.to_string(),
            expected: format!("an odd number up to {WIDEST_MEDIAN_FILTER}"),
        }),
    }
}

fn read_heads(heads: &[(u64, u64)], file: &str, dims: &Dims) -> Result<Vec<(usize, usize)>, ModelError> {
    let read = |&(layer, head): &(u64, u64)| {
        let place = usize::try_from(layer).ok().zip(usize::try_from(head).ok());
        place.filter(|&(layer, head)| layer < dims.text_layers && head < dims.text_heads).ok_or_else(|| {
            ModelError::Setting {
                file: file.to_owned(),
                field: "one of alignment_heads".to_owned(),
                found: format!("layer {layer}, head {head}"),
                expected: format!("a layer below {} and a head below {}", dims.text_layers, dims.text_heads),
            }
        })
    };
    heads.iter().map(read).collect()
}

/// What generation_config.json says about ids otherwise than the tokenizer. The tokenizer is followed: it gives every
/// id its meaning, while this file is often copied from another model.
pub(super) fn contradictions(file: &str, config: &GenerationConfig, special: &Special) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, said: Option<u64>, known: Option<Token>| {
        if let Some(said) = said
            && known.map(u64::from) != Some(said)
        {
            let known = known.map_or("no such token".to_owned(), |token| token.to_string());
            found.push(format!("{file}: {what} is {said}, but the tokenizer says {known}; the tokenizer is followed"));
        }
    };
    let tokens = |map: &Option<BTreeMap<String, u64>>| map.clone().unwrap_or_default();
    for (name, said) in tokens(&config.lang_to_id) {
        compare(&name, Some(said), special.language_token(name.trim_matches(['<', '|', '>'])));
    }
    for (name, said) in tokens(&config.task_to_id) {
        let known = if name == "translate" { special.translate } else { special.transcribe };
        compare(&name, Some(said), known);
    }
    compare("no_timestamps_token_id", config.no_timestamps_token_id, Some(special.no_timestamps));
    compare("decoder_start_token_id", config.decoder_start_token_id, Some(special.start_of_transcript));
    compare("prev_sot_token_id", config.prev_sot_token_id, special.start_of_previous);
    found
}
