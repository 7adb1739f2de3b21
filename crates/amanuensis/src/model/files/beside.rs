//! Models whose files of weights say less than a folder of Hugging Face's: what is missing lies beside them.

use super::complete::Parts;
use super::config::GenerationConfig;
use super::folder::{Folder, Settings};
use super::hugging_face::{self, Covered};
use super::{openai, vocabulary};
use crate::model::weights::Weights;
use crate::model::{Dims, Format, ModelError, ModelFile};

/// The sizes in OpenAI's names, where there is no config.json.
const DIMS: &str = "dims.json";

/// Opens weights that do not say their sizes: config.json does, or dims.json.
pub(in crate::model) fn open(
    name: String,
    folder: &Folder,
    format: Format,
    file: &str,
    read: impl FnOnce(&Dims) -> Result<Covered, ModelError>,
) -> Result<ModelFile, ModelError> {
    if folder.has(hugging_face::CONFIG) {
        return hugging_face::open_with(name, folder, format, read);
    }
    let Some(settings) = folder.settings(DIMS)? else {
        return Err(ModelError::Unsupported {
            file: folder.path_of(file),
            what: format!("the model's sizes are not in it, and neither config.json nor {DIMS} lies beside it"),
            advice: format!(
                "put config.json of the model it was made from beside it (openai/whisper-* on huggingface.co have one), or a {DIMS} with n_mels, n_audio_ctx and the rest of OpenAI's ten numbers"
            ),
        });
    };
    let sizes: openai::Written = settings.parse()?;
    let dims = openai::dims(&sizes.into(), &settings.file)?;
    let (weights, gap) = read(&dims)?;
    gap.map_or(Ok(()), Err)?;
    complete(name, folder, format, dims, weights)
}

/// The model of weights whose sizes are known, with the tokenizer beside them, and generation_config.json if it is there.
pub(in crate::model) fn complete(
    name: String,
    folder: &Folder,
    format: Format,
    dims: Dims,
    weights: Weights,
) -> Result<ModelFile, ModelError> {
    let settings = folder.settings("generation_config.json")?;
    let generation: GenerationConfig = settings.as_ref().map(Settings::parse).transpose()?.unwrap_or_default();
    let tokenizer = vocabulary::beside(folder, &dims, &generation)?;
    let file = folder.path_of("generation_config.json");
    Parts { name, format, dims, weights, tokenizer, generation: (&file, generation), warnings: Vec::new() }.complete()
}
