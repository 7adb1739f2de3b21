//! CTranslate2's folders, which faster-whisper reads: model.bin, config.json, vocabulary.json, tokenizer.json.

pub(in crate::model) mod container;
pub(in crate::model) mod names;
mod settings;
mod tensors;
#[cfg(test)]
mod tests;

use super::complete::Parts;
use super::config::GenerationConfig;
use super::folder::Folder;
use super::{config, vocabulary};
use crate::model::weights::Weights;
use crate::model::{Dims, Format, ModelError, ModelFile};
use crate::tokens::{Tokenizer, TokenizerFiles};
use settings::Settings;
use tensors::Found;

/// The file of weights where no other is named.
pub(in crate::model) const WEIGHTS: &str = "model.bin";

/// Its lists of tokens, the newer one first.
const VOCABULARIES: [&str; 2] = ["vocabulary.json", "vocabulary.txt"];

/// Opens the model in a folder.
pub(in crate::model) fn open(
    name: String,
    folder: &Folder,
    weights_file: Option<&str>,
) -> Result<ModelFile, ModelError> {
    let weights_file = weights_file.unwrap_or(WEIGHTS);
    let file = folder.path_of(weights_file);
    let bytes = folder.weights(weights_file)?;
    let Found { dims, tensors, mut warnings } = tensors::read(&file, &bytes)?;
    let mut weights = Weights::new(file.clone(), container::FORMAT);
    weights.add_file(&file, folder.place_of(weights_file)?, bytes, tensors)?;

    config::check_preprocessor(folder, &dims)?;
    let settings = Settings::read(folder, &dims)?;
    let mut generation = settings.generation();
    let mut tokenizer = read_tokenizer(folder, &dims, &generation)?;
    if let Some(languages) = settings.further_languages(&tokenizer) {
        generation.lang_to_id = Some(languages);
        tokenizer = read_tokenizer(folder, &dims, &generation)?;
    }
    warnings.extend(settings.warnings);
    let parts = Parts {
        name,
        format: Format::CTranslate2,
        dims,
        weights,
        tokenizer,
        generation: (&settings.file, generation),
        warnings,
    };
    parts.complete()
}

/// CTranslate2's own list of tokens says how each is written, but not which are joined: what is beside it goes first.
fn read_tokenizer(folder: &Folder, dims: &Dims, generation: &GenerationConfig) -> Result<Tokenizer, ModelError> {
    let has_merges = ["tokenizer.json", "merges.txt"].iter().any(|name| folder.has(name));
    for name in VOCABULARIES.iter().filter(|_| !has_merges) {
        if let Some(file) = folder.settings(name)? {
            return vocabulary::in_file(TokenizerFiles::Vocabulary, &file, dims, generation);
        }
    }
    vocabulary::beside(folder, dims, generation)
}
