//! CTranslate2's folders, which faster-whisper reads: model.bin, config.json, vocabulary.json, tokenizer.json.

pub(in crate::model) mod container;
pub(in crate::model) mod names;
mod settings;
mod tensors;
#[cfg(test)]
mod tests;

use super::complete::Parts;
use super::folder::Folder;
use super::{config, vocabulary};
use crate::model::weights::Weights;
use crate::model::{Format, ModelError, ModelFile};
use settings::Settings;
use tensors::Found;

/// The file of weights where no other is named.
pub(in crate::model) const WEIGHTS: &str = "model.bin";

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
    let mut tokenizer = vocabulary::beside(folder, &dims, &generation)?;
    if let Some(languages) = settings.further_languages(&tokenizer) {
        generation.lang_to_id = Some(languages);
        tokenizer = vocabulary::beside(folder, &dims, &generation)?;
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
