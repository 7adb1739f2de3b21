//! whisper.cpp's file: everything in one, little-endian, without a table of contents.
//!
//! ```text
//! "lmgg"
//! sizes       11 x i32: n_vocab n_audio_ctx n_audio_state n_audio_head n_audio_layer n_text_ctx n_text_state
//!             n_text_head n_text_layer n_mels ftype (kind of the matrices + 1000 x version of the blocks)
//! filters     i32 bands, i32 frequencies, f32 x bands x frequencies: computed here, and only stepped over
//! vocabulary  i32 count, then for each token: u32 length, bytes. Special tokens are not listed
//! tensors     until the end: i32 axes, i32 length of the name, i32 kind, i32 x axes (the innermost first), name, numbers
//! ```
//!
//! The tensors have the names of OpenAI's checkpoints. The biases of the convolutions have a second axis of length 1.

mod header;
mod tensors;
#[cfg(test)]
mod tests;

use super::complete::Parts;
use super::config::GenerationConfig;
use super::folder::Folder;
use super::{openai, vocabulary};
use crate::model::weights::Weights;
use crate::model::{Dims, Format, ModelError, ModelFile};
use crate::tokens::{Tokenizer, TokenizerFiles, TokenizerSettings};
use header::Header;
pub(in crate::model) use header::VERSION_FACTOR;
pub(in crate::model) use tensors::is_convolution_bias;

/// What errors call it.
pub(in crate::model) const FORMAT: &str = "ggml file of whisper.cpp";

/// Opens the model in a file.
pub(in crate::model) fn open(name: String, folder: &Folder, file: &str) -> Result<ModelFile, ModelError> {
    let bytes = folder.weights(file)?;
    let path = folder.path_of(file);
    let broken = |reason| ModelError::Container { file: path.clone(), format: FORMAT, reason };
    let Header { sizes, filters, block_version, tokens, rest } = header::read(&bytes).map_err(broken)?;
    let dims = openai::dims(&sizes, &path)?;
    check_filters(filters, &dims, &path)?;
    let (tokenizer, warning) = tokenizer(&tokens, &dims, folder, &path)?;
    let tensors = tensors::read(&bytes, rest, block_version).map_err(broken)?;
    let mut weights = Weights::new(path.clone(), FORMAT);
    weights.add_file(&path, folder.place_of(file)?, bytes, tensors)?;
    let generation = (path.as_str(), GenerationConfig::default());
    Parts { name, format: Format::Ggml, dims, weights, tokenizer, generation, warnings: warning.into_iter().collect() }
        .complete()
}

/// Frequencies of a transform of 400 samples.
pub(in crate::model) const FREQUENCIES: u64 = 201;

fn check_filters(found: (u64, u64), dims: &Dims, file: &str) -> Result<(), ModelError> {
    let expected = (dims.mel_bins as u64, FREQUENCIES);
    if found == expected {
        return Ok(());
    }
    Err(ModelError::Setting {
        file: file.to_owned(),
        field: "mel filters".to_owned(),
        found: format!("a table of {} x {}", found.0, found.1),
        expected: format!("{} x {}, n_mels and the frequencies of 400 samples", expected.0, expected.1),
    })
}

/// The tokenizer, and what is odd about it.
fn tokenizer(
    tokens: &[&[u8]],
    dims: &Dims,
    folder: &Folder,
    file: &str,
) -> Result<(Tokenizer, Option<String>), ModelError> {
    let lost = lost(tokens);
    if lost > 0
        && let Some(tokenizer) = vocabulary::ranked_beside(folder, dims)?
    {
        return Ok((tokenizer, None));
    }
    let settings = TokenizerSettings { vocabulary: Some(dims.vocabulary), ..TokenizerSettings::default() };
    let tokenizer = TokenizerFiles::Listed { name: file, tokens }.read(&settings)?;
    vocabulary::check_size(&tokenizer, dims, file)?;
    let warning = (lost > 0).then(|| {
        format!(
            "{file}: {lost} tokens lost their bytes when it was made, in 2022; text beyond ASCII has gaps. Put \
             multilingual.tiktoken of openai-whisper beside it, or convert the model again"
        )
    });
    Ok((tokenizer, warning))
}

/// What stands in for bytes that are no text by themselves.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// How many tokens have the replacement character in the place of bytes. The first converters of whisper.cpp wrote
/// texts, not bytes. A sound vocabulary has that character in a few tokens too, but not twice as a whole one.
fn lost(tokens: &[&[u8]]) -> usize {
    if tokens.iter().filter(|token| **token == REPLACEMENT).count() < 2 {
        return 0;
    }
    let holds = |token: &&&[u8]| token.windows(REPLACEMENT.len()).any(|part| part == REPLACEMENT);
    tokens.iter().filter(holds).count()
}
