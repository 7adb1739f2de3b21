//! The files of settings beside the weights: config.json, generation_config.json, preprocessor_config.json.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use super::folder::Folder;
use crate::model::{Dims, ModelError};

/// config.json, as far as it matters here.
#[derive(Deserialize)]
pub(in crate::model) struct Config {
    model_type: String,
    #[serde(default)]
    activation_function: Option<String>,
    #[serde(default)]
    scale_embedding: bool,
    num_mel_bins: u64,
    max_source_positions: u64,
    max_target_positions: u64,
    d_model: u64,
    encoder_layers: u64,
    encoder_attention_heads: u64,
    encoder_ffn_dim: u64,
    decoder_layers: u64,
    decoder_attention_heads: u64,
    decoder_ffn_dim: u64,
    vocab_size: u64,
    pub(in crate::model) suppress_tokens: Option<Vec<i64>>,
    pub(in crate::model) begin_suppress_tokens: Option<Vec<i64>>,
    pub(in crate::model) median_filter_width: Option<u64>,
    quantization_config: Option<Quantization>,
}

/// What config.json says of weights in fewer bits. How many, and where their scales are, is seen from the tensors.
#[derive(Deserialize)]
struct Quantization {
    quant_method: String,
}

/// The method of this program, as config.json names it.
pub(in crate::model) const QUANTIZATION_METHOD: &str = "amanuensis";

/// generation_config.json. Models from before 2023 lack it or most of it.
#[derive(Deserialize, Default)]
pub(in crate::model) struct GenerationConfig {
    pub(in crate::model) alignment_heads: Option<Vec<(u64, u64)>>,
    pub(in crate::model) is_multilingual: Option<bool>,
    pub(in crate::model) lang_to_id: Option<BTreeMap<String, u64>>,
    pub(in crate::model) task_to_id: Option<BTreeMap<String, u64>>,
    pub(in crate::model) no_timestamps_token_id: Option<u64>,
    pub(in crate::model) decoder_start_token_id: Option<u64>,
    pub(in crate::model) prev_sot_token_id: Option<u64>,
    pub(in crate::model) max_initial_timestamp_index: Option<u64>,
    pub(in crate::model) suppress_tokens: Option<Vec<i64>>,
    pub(in crate::model) begin_suppress_tokens: Option<Vec<i64>>,
}

/// preprocessor_config.json: how sound becomes what the encoder reads.
#[derive(Deserialize, Default)]
struct Preprocessor {
    feature_size: Option<u64>,
    sampling_rate: Option<u64>,
    hop_length: Option<u64>,
    n_fft: Option<u64>,
    chunk_length: Option<u64>,
}

/// processor_config.json, where newer tools put the same settings beside the tokenizer's.
#[derive(Deserialize)]
struct Processor {
    #[serde(default)]
    feature_extractor: Preprocessor,
}

/// No model is near these; they keep a hostile file from asking for absurd amounts of memory.
const WIDTHS: RangeInclusive<u64> = 1..=16_384;
const LAYERS: RangeInclusive<u64> = 1..=256;
const HEADS: RangeInclusive<u64> = 1..=256;
const FEED_FORWARDS: RangeInclusive<u64> = 1..=131_072;
const MEL_BINS: RangeInclusive<u64> = 1..=512;
const POSITIONS: RangeInclusive<u64> = 4..=65_536;
const VOCABULARIES: RangeInclusive<u64> = 8..=1_048_576;

/// Reads the sizes, and refuses what is not a Whisper model.
pub(in crate::model) fn dims(config: &Config, file: &str) -> Result<Dims, ModelError> {
    let wrong = |field: &str, found: String, expected: String| ModelError::Setting {
        file: file.to_owned(),
        field: field.to_owned(),
        found,
        expected,
    };
    if config.model_type != "whisper" {
        return Err(wrong("model_type", format!("{:?}", config.model_type), "\"whisper\"".to_owned()));
    }
    if let Some(activation) = config.activation_function.as_deref().filter(|activation| *activation != "gelu") {
        return Err(wrong("activation_function", format!("{activation:?}"), "\"gelu\"".to_owned()));
    }
    if config.scale_embedding {
        return Err(wrong("scale_embedding", "true".to_owned(), "false".to_owned()));
    }
    let method = config.quantization_config.as_ref().map(|quantization| quantization.quant_method.as_str());
    if let Some(method) = method.filter(|method| *method != QUANTIZATION_METHOD) {
        let expected = format!("{QUANTIZATION_METHOD:?}, or no such setting; take the model that was quantised");
        return Err(wrong("quant_method of quantization_config", format!("{method:?}"), expected));
    }
    let sizes = Sizes {
        mel_bins: config.num_mel_bins,
        audio_context: config.max_source_positions,
        audio_width: config.d_model,
        audio_heads: config.encoder_attention_heads,
        audio_layers: config.encoder_layers,
        audio_feed_forward: config.encoder_ffn_dim,
        text_context: config.max_target_positions,
        text_width: config.d_model,
        text_heads: config.decoder_attention_heads,
        text_layers: config.decoder_layers,
        text_feed_forward: config.decoder_ffn_dim,
        vocabulary: config.vocab_size,
    };
    sizes.dims(file, &NAMES)
}

/// The sizes as a file says them, and the names by which it does.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Sizes<T = u64> {
    pub(in crate::model) mel_bins: T,
    pub(in crate::model) audio_context: T,
    pub(in crate::model) audio_width: T,
    pub(in crate::model) audio_heads: T,
    pub(in crate::model) audio_layers: T,
    pub(in crate::model) audio_feed_forward: T,
    pub(in crate::model) text_context: T,
    pub(in crate::model) text_width: T,
    pub(in crate::model) text_heads: T,
    pub(in crate::model) text_layers: T,
    pub(in crate::model) text_feed_forward: T,
    pub(in crate::model) vocabulary: T,
}

impl<T: Copy> Sizes<T> {
    /// The same of every size.
    pub(in crate::model) fn map<U, E>(&self, mut each: impl FnMut(T) -> Result<U, E>) -> Result<Sizes<U>, E> {
        Ok(Sizes {
            mel_bins: each(self.mel_bins)?,
            audio_context: each(self.audio_context)?,
            audio_width: each(self.audio_width)?,
            audio_heads: each(self.audio_heads)?,
            audio_layers: each(self.audio_layers)?,
            audio_feed_forward: each(self.audio_feed_forward)?,
            text_context: each(self.text_context)?,
            text_width: each(self.text_width)?,
            text_heads: each(self.text_heads)?,
            text_layers: each(self.text_layers)?,
            text_feed_forward: each(self.text_feed_forward)?,
            vocabulary: each(self.vocabulary)?,
        })
    }
}

/// The names of config.json.
const NAMES: Sizes<&str> = Sizes {
    mel_bins: "num_mel_bins",
    audio_context: "max_source_positions",
    audio_width: "d_model",
    audio_heads: "encoder_attention_heads",
    audio_layers: "encoder_layers",
    audio_feed_forward: "encoder_ffn_dim",
    text_context: "max_target_positions",
    text_width: "d_model",
    text_heads: "decoder_attention_heads",
    text_layers: "decoder_layers",
    text_feed_forward: "decoder_ffn_dim",
    vocabulary: "vocab_size",
};

impl Sizes {
    /// The sizes, if a model can have them.
    pub(in crate::model) fn dims(&self, file: &str, names: &Sizes<&str>) -> Result<Dims, ModelError> {
        let wrong = |field: &str, found: u64, expected: String| ModelError::Setting {
            file: file.to_owned(),
            field: field.to_owned(),
            found: found.to_string(),
            expected,
        };
        let size = |field: &str, value: u64, bounds: &RangeInclusive<u64>| {
            let fits = bounds.contains(&value).then(|| usize::try_from(value).ok()).flatten();
            fits.ok_or_else(|| wrong(field, value, format!("{} to {}", bounds.start(), bounds.end())))
        };
        let audio_width = size(names.audio_width, self.audio_width, &WIDTHS)?;
        if self.text_width != self.audio_width {
            let expected = format!("{audio_width}, as {}", names.audio_width);
            return Err(wrong(names.text_width, self.text_width, expected));
        }
        let heads = |field: &str, value: u64| {
            let heads = size(field, value, &HEADS)?;
            if audio_width % heads == 0 {
                Ok(heads)
            } else {
                Err(wrong(field, value, format!("a divisor of {}, {audio_width}", names.audio_width)))
            }
        };
        Ok(Dims {
            mel_bins: size(names.mel_bins, self.mel_bins, &MEL_BINS)?,
            audio_context: size(names.audio_context, self.audio_context, &POSITIONS)?,
            audio_width,
            audio_heads: heads(names.audio_heads, self.audio_heads)?,
            audio_layers: size(names.audio_layers, self.audio_layers, &LAYERS)?,
            audio_feed_forward: size(names.audio_feed_forward, self.audio_feed_forward, &FEED_FORWARDS)?,
            text_context: size(names.text_context, self.text_context, &POSITIONS)?,
            text_width: audio_width,
            text_heads: heads(names.text_heads, self.text_heads)?,
            text_layers: size(names.text_layers, self.text_layers, &LAYERS)?,
            text_feed_forward: size(names.text_feed_forward, self.text_feed_forward, &FEED_FORWARDS)?,
            vocabulary: size(names.vocabulary, self.vocabulary, &VOCABULARIES)?,
        })
    }
}

/// Checks that the model wants its sound prepared in the one way there is. Files that are absent ask for nothing.
pub(in crate::model) fn check_preprocessor(folder: &Folder, dims: &Dims) -> Result<(), ModelError> {
    let (file, found) = if let Some(settings) = folder.settings("preprocessor_config.json")? {
        let found: Preprocessor = settings.parse()?;
        (settings.file, found)
    } else if let Some(settings) = folder.settings("processor_config.json")? {
        let Processor { feature_extractor } = settings.parse()?;
        (settings.file, feature_extractor)
    } else {
        return Ok(());
    };
    let expected = [
        ("feature_size", found.feature_size, dims.mel_bins as u64),
        ("sampling_rate", found.sampling_rate, 16_000),
        ("n_fft", found.n_fft, 400),
        ("hop_length", found.hop_length, 160),
        ("chunk_length", found.chunk_length, 30),
    ];
    for (field, found, expected) in expected {
        if let Some(found) = found.filter(|found| *found != expected) {
            let expected = match field {
                "feature_size" => format!("{expected}, the num_mel_bins of config.json"),
                _ => expected.to_string(),
            };
            return Err(ModelError::Setting { file, field: field.to_owned(), found: found.to_string(), expected });
        }
    }
    Ok(())
}
