//! GGUF: ggml's file with settings by name and a table of tensors, little-endian.
//!
//! ```text
//! "GGUF" | u32 version | u64 tensors | u64 settings
//! settings    u64 length, key, u32 kind, value
//! table       u64 length, name, u32 axes, u64 x axes (the innermost first), u32 kind, u64 place in the numbers
//! numbers     from the next multiple of the alignment on, each tensor at a multiple of it
//! ```
//!
//! Nobody has said how Whisper lies in it, so these are read: sizes by the keys of GGUF's specification or of some
//! converters (`keys`), or from a config.json beside the file, as candle has them; tensors by the names of OpenAI or of Hugging
//! Face; the tokenizer from the settings, or from its own files beside.

pub(in crate::model) mod keys;
mod metadata;
mod tensors;
#[cfg(test)]
mod tests;

use super::complete::Parts;
use super::config::{self, GenerationConfig, Sizes};
use super::cursor::Cursor;
use super::folder::{Folder, Settings};
use super::vocabulary;
use crate::model::weights::Weights;
use crate::model::{Dims, Format, ModelError, ModelFile};
use crate::tokens::{TokenLists, Tokenizer, TokenizerFiles, TokenizerSettings};
pub(in crate::model) use metadata::kinds;
use metadata::{Metadata, Value};

/// What errors call it.
pub(in crate::model) const FORMAT: &str = "GGUF file";
/// The version that is written; the one before it differs in nothing that matters here.
pub(in crate::model) const VERSION: u32 = 3;
/// Tensors begin at multiples of this, where a file says nothing else.
pub(in crate::model) const DEFAULT_ALIGNMENT: u64 = 32;

/// The kinds of tokens.
pub(in crate::model) mod token_kinds {
    pub(in crate::model) const NORMAL: u32 = 1;
    pub(in crate::model) const SPECIAL: u32 = 3;
    pub(in crate::model) const ADDED: u32 = 4;
    pub(in crate::model) const UNUSED: u32 = 5;
}

/// Opens the model in a file.
pub(in crate::model) fn open(name: String, folder: &Folder, file: &str) -> Result<ModelFile, ModelError> {
    let bytes = folder.weights(file)?;
    let path = folder.path_of(file);
    let broken = |reason| ModelError::Container { file: path.clone(), format: FORMAT, reason };
    let (metadata, tensors) = read(&bytes).map_err(broken)?;
    check_kind(&metadata, &path)?;
    let beside = folder.settings("generation_config.json")?;
    let beside: Option<GenerationConfig> = beside.as_ref().map(Settings::parse).transpose()?;
    let generation = beside.unwrap_or_else(|| generation(&metadata));
    let rows = |name: &str| tensors.iter().find(|(known, _)| known == name).map(|(_, entry)| entry.shape[0] as u64);
    let dims = match sizes(&metadata, rows("decoder.embed_tokens.weight")) {
        Ok(sizes) => sizes.dims(&path, &SIZE_NAMES)?,
        Err(absent) => dims_beside(folder, &path, absent)?,
    };
    let tokenizer = tokenizer(&metadata, folder, &dims, &generation, &path)?;
    let mut weights = Weights::new(path.clone(), FORMAT);
    let place = folder.place_of(file)?;
    drop(metadata);
    weights.add_file(&path, place, bytes, tensors)?;
    let generation = (path.as_str(), generation);
    Parts { name, format: Format::Gguf, dims, weights, tokenizer, generation, warnings: Vec::new() }.complete()
}

/// Settings and tensors by our names.
fn read(bytes: &[u8]) -> Result<(Metadata<'_>, Vec<(String, super::super::weights::Entry)>), String> {
    let mut cursor = Cursor::new(bytes);
    let truncated = || "it ends within its header: it is truncated".to_owned();
    if cursor.take(4) != Some(b"GGUF") {
        return Err("it does not begin with GGUF".to_owned());
    }
    match cursor.u32().ok_or_else(truncated)? {
        2 | VERSION => {}
        version if matches!(version.swap_bytes(), 1..=VERSION) => {
            return Err("it was written for a big-endian machine, and little-endian is read".to_owned());
        }
        version => return Err(format!("it is of version {version}, and versions 2 and {VERSION} are read")),
    }
    let tensors = cursor.array().map(u64::from_le_bytes).ok_or_else(truncated)?;
    let settings = cursor.array().map(u64::from_le_bytes).ok_or_else(truncated)?;
    let metadata = metadata::read(&mut cursor, settings)?;
    let table = tensors::read_table(&mut cursor, tensors)?;
    let alignment = match metadata.get(keys::ALIGNMENT) {
        None => DEFAULT_ALIGNMENT,
        Some(Value::Whole(number)) if (1..=1 << 20).contains(number) && number.count_ones() == 1 => *number as u64,
        Some(_) => return Err(format!("{} is no power of two up to a million", keys::ALIGNMENT)),
    };
    let start = cursor.at().next_multiple_of(alignment as usize);
    let tensors = tensors::place(table, start, alignment, bytes.len())?;
    Ok((metadata, tensors))
}

fn check_kind(metadata: &Metadata<'_>, file: &str) -> Result<(), ModelError> {
    let wrong = |field: &str, found: String, expected: &str| ModelError::Setting {
        file: file.to_owned(),
        field: field.to_owned(),
        found,
        expected: expected.to_owned(),
    };
    match metadata.get(keys::ARCHITECTURE) {
        None | Some(Value::Text("whisper")) => {}
        Some(Value::Text(other)) => return Err(wrong(keys::ARCHITECTURE, format!("{other:?}"), "\"whisper\"")),
        Some(_) => return Err(wrong(keys::ARCHITECTURE, "no text".to_owned(), "\"whisper\"")),
    }
    match metadata.get(keys::PARTS) {
        Some(Value::Whole(parts)) if *parts > 1 => {
            Err(wrong(keys::PARTS, parts.to_string(), "1: its parts must be merged into one file first"))
        }
        _ => Ok(()),
    }
}

/// The first of the keys that is there.
fn number(metadata: &Metadata<'_>, keys: &[&str]) -> Option<u64> {
    keys.iter().find_map(|key| match metadata.get(key) {
        Some(Value::Whole(number)) => u64::try_from(*number).ok(),
        _ => None,
    })
}

const SIZE_NAMES: Sizes<&str> = Sizes {
    mel_bins: keys::MEL_BINS[0],
    audio_context: keys::AUDIO_CONTEXT[0],
    audio_width: keys::AUDIO_WIDTH[0],
    audio_heads: keys::AUDIO_HEADS[0],
    audio_layers: keys::AUDIO_LAYERS[0],
    audio_feed_forward: keys::AUDIO_FEED_FORWARD[0],
    text_context: keys::TEXT_CONTEXT[0],
    text_width: keys::TEXT_WIDTH[0],
    text_heads: keys::TEXT_HEADS[0],
    text_layers: keys::TEXT_LAYERS[0],
    text_feed_forward: keys::TEXT_FEED_FORWARD[0],
    vocabulary: keys::VOCABULARY[0],
};

/// The sizes, or the key that is missing. `rows` are those of the token embedding, by which a vocabulary is known too.
fn sizes(metadata: &Metadata<'_>, rows: Option<u64>) -> Result<Sizes, &'static str> {
    let size = |keys: &[&'static str]| number(metadata, keys).ok_or(keys[0]);
    let (audio_width, text_width) = (size(&keys::AUDIO_WIDTH)?, size(&keys::TEXT_WIDTH)?);
    let inner = |keys: &[&str], width: u64| number(metadata, keys).unwrap_or(width.saturating_mul(4));
    Ok(Sizes {
        mel_bins: size(&keys::MEL_BINS)?,
        audio_context: size(&keys::AUDIO_CONTEXT)?,
        audio_width,
        audio_heads: size(&keys::AUDIO_HEADS)?,
        audio_layers: size(&keys::AUDIO_LAYERS)?,
        audio_feed_forward: inner(&keys::AUDIO_FEED_FORWARD, audio_width),
        text_context: size(&keys::TEXT_CONTEXT)?,
        text_width,
        text_heads: size(&keys::TEXT_HEADS)?,
        text_layers: size(&keys::TEXT_LAYERS)?,
        text_feed_forward: inner(&keys::TEXT_FEED_FORWARD, text_width),
        vocabulary: rows.map_or_else(|| size(&keys::VOCABULARY), Ok)?,
    })
}

fn dims_beside(folder: &Folder, file: &str, absent: &str) -> Result<Dims, ModelError> {
    let Some(settings) = folder.settings("config.json")? else {
        let reason = format!("{absent} is not among its settings, and no config.json lies beside it");
        return Err(ModelError::NotAModel { path: file.to_owned(), reason });
    };
    config::dims(&settings.parse()?, &settings.file)
}

fn generation(metadata: &Metadata<'_>) -> GenerationConfig {
    let wholes = |key: &str| match metadata.get(key) {
        Some(Value::Wholes(numbers)) => Some(numbers.clone()),
        _ => None,
    };
    let pairs = |numbers: Vec<i64>| {
        // A negative number is no head of any model, and refused as one.
        let pairs = numbers.as_chunks::<2>().0.iter();
        pairs.map(|pair| pair.map(|number| u64::try_from(number).unwrap_or(u64::MAX)).into()).collect()
    };
    GenerationConfig {
        alignment_heads: wholes(keys::ALIGNMENT_HEADS).map(pairs),
        is_multilingual: match metadata.get(keys::MULTILINGUAL) {
            Some(Value::Truth(truth)) => Some(*truth),
            _ => None,
        },
        max_initial_timestamp_index: number(metadata, &[keys::MAX_INITIAL_TIMESTAMP]),
        suppress_tokens: wholes(keys::SUPPRESS),
        begin_suppress_tokens: wholes(keys::BEGIN_SUPPRESS),
        ..GenerationConfig::default()
    }
}

fn tokenizer(
    metadata: &Metadata<'_>,
    folder: &Folder,
    dims: &Dims,
    generation: &GenerationConfig,
    file: &str,
) -> Result<Tokenizer, ModelError> {
    let Some(Value::Texts(tokens)) = metadata.get(keys::TOKENS) else {
        return vocabulary::beside(folder, dims, generation);
    };
    let settings = TokenizerSettings {
        vocabulary: Some(dims.vocabulary),
        multilingual: generation.is_multilingual,
        ..TokenizerSettings::default()
    };
    let kinds: &[i64] = match metadata.get(keys::TOKEN_KINDS) {
        Some(Value::Wholes(kinds)) => kinds,
        _ => &[],
    };
    let is = |token: usize, kind: u32| kinds.get(token).is_some_and(|found| *found == i64::from(kind));
    let unused: Vec<bool> = (0..tokens.len()).map(|token| is(token, token_kinds::UNUSED)).collect();
    let added: Vec<bool> = (0..tokens.len()).map(|token| is(token, token_kinds::ADDED)).collect();
    let lists = TokenizerFiles::Lists(TokenLists {
        name: file,
        tokens,
        merges: match metadata.get(keys::MERGES) {
            Some(Value::Texts(merges)) => Some(merges),
            _ => None,
        },
        added: &added,
        unused: &unused,
        prefix_space: metadata.get(keys::PREFIX_SPACE) == Some(&Value::Truth(true)),
    });
    let tokenizer = lists.read(&settings)?;
    vocabulary::check_size(&tokenizer, dims, file)?;
    Ok(tokenizer)
}
