//! What lies beside files of ONNX: the settings of Hugging Face's libraries, or nothing but what sherpa-onnx writes into
//! the file itself.

use super::INNER_FOLDER;
use crate::model::files::config::{self, Config, GenerationConfig, Sizes};
use crate::model::files::folder::{self, Folder};
use crate::model::generation::{self, Sources};
use crate::model::{Dims, ModelError};
use crate::tokens::Special;

/// Width of a head of every published model, which no tensor shows.
const HEAD_WIDTH: u64 = 64;
/// One second, as openai/whisper has it where nobody says otherwise.
const LATEST_FIRST_TIMESTAMP: u64 = 50;

/// Where each size is found.
const SIZES: Sizes<&str> = Sizes {
    mel_bins: "inputs of the encoder's first convolution",
    audio_context: "rows of the encoder's positions",
    audio_width: "outputs of the encoder's first convolution",
    audio_heads: "n_audio_head",
    audio_layers: "the number of encoder layers",
    audio_feed_forward: "outputs of the encoder's first feed-forward part",
    text_context: "rows of the decoder's positions",
    text_width: "columns of the token embedding",
    text_heads: "n_text_head",
    text_layers: "the number of decoder layers",
    text_feed_forward: "outputs of the decoder's first feed-forward part",
    vocabulary: "rows of the token embedding",
};

pub(super) struct Settings {
    config: Option<(String, Config)>,
    generation_file: String,
    pub(super) generation: GenerationConfig,
    /// What the encoder's file says of itself.
    metadata: Vec<(String, String)>,
}

impl Settings {
    pub(super) fn read(folder: &Folder, metadata: &[(&str, &str)]) -> Result<Self, ModelError> {
        let config = folder.settings("config.json")?;
        let config = config.map(|found| Ok::<_, ModelError>((found.file.clone(), found.parse()?))).transpose()?;
        let found = folder.settings("generation_config.json")?;
        let mut generation: GenerationConfig =
            found.as_ref().map(|found| found.parse()).transpose()?.unwrap_or_default();
        let mut generation_file = folder.path_of("generation_config.json");
        if found.is_none() && config.is_none() {
            generation_file = format!("{}, metadata", folder.path_of(INNER_FOLDER));
            generation.max_initial_timestamp_index = Some(LATEST_FIRST_TIMESTAMP);
            let is_multilingual = metadata.iter().find(|(key, _)| *key == "is_multilingual");
            generation.is_multilingual = is_multilingual.map(|(_, value)| *value == "1");
        }
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Ok(Self { config, generation_file, generation, metadata })
    }

    /// The sizes that are said, or those of the tensors.
    pub(super) fn dims(&self, file: &str, shape_of: impl Fn(&str) -> Vec<usize>) -> Result<Dims, ModelError> {
        if let Some((file, config)) = &self.config {
            return config::dims(config, file);
        }
        let axis = |name: &str, axis: usize| shape_of(name).get(axis).map_or(0, |length| *length as u64);
        let layers = |stack: &str| {
            (0..).take_while(|layer| axis(&format!("{stack}.layers.{layer}.fc1.weight"), 0) > 0).count() as u64
        };
        let (audio_width, text_width) = (axis("encoder.conv1.weight", 0), axis("decoder.embed_tokens.weight", 1));
        let heads = |key: &str, width: u64| {
            let said = self.metadata.iter().find(|(known, _)| known == key);
            said.and_then(|(_, value)| value.parse().ok()).unwrap_or((width / HEAD_WIDTH).max(1))
        };
        let sizes = Sizes {
            mel_bins: axis("encoder.conv1.weight", 1),
            audio_context: axis("encoder.embed_positions.weight", 0),
            audio_width,
            audio_heads: heads(SIZES.audio_heads, audio_width),
            audio_layers: layers("encoder"),
            audio_feed_forward: axis("encoder.layers.0.fc1.weight", 0),
            text_context: axis("decoder.embed_positions.weight", 0),
            text_width,
            text_heads: heads(SIZES.text_heads, text_width),
            text_layers: layers("decoder"),
            text_feed_forward: axis("decoder.layers.0.fc1.weight", 0),
            vocabulary: axis("decoder.embed_tokens.weight", 0),
        };
        sizes.dims(file, &SIZES)
    }

    pub(super) fn sources(&self) -> Sources<'_> {
        let config = self.config.as_ref().map(|(file, config)| (file.as_str(), config));
        Sources { config, generation: (&self.generation_file, &self.generation) }
    }

    pub(super) fn contradictions(&self, special: &Special) -> Vec<String> {
        generation::contradictions(&self.generation_file, &self.generation, special)
    }

    /// The list of tokens that sherpa-onnx puts beside `<name>-encoder.onnx`, where nothing says more.
    pub(super) fn tokens_file(&self, folder: &Folder, encoder: &str) -> Result<Option<folder::Settings>, ModelError> {
        match encoder.split_once("encoder") {
            Some((name, _)) if !folder.has("tokenizer.json") => folder.settings(&format!("{name}tokens.txt")),
            _ => Ok(None),
        }
    }
}
