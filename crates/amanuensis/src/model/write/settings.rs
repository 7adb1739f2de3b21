//! The files of settings of a Hugging Face folder, from what is known of a model.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{Order, Type, WriteError};
use crate::model::ModelFile;
use crate::model::files::config::QUANTIZATION_METHOD;
use crate::model::quantize::{GROUP, Granularity};

/// The longest transcript of a window that transformers asks for where nobody says otherwise.
const MAX_LENGTH: usize = 448;

pub(super) fn write(model: &ModelFile, order: &Order, folder: &Path) -> Result<(), WriteError> {
    write_json(folder, "config.json", &config(model, order))?;
    write_json(folder, "generation_config.json", &generation(model))?;
    write_json(folder, "preprocessor_config.json", &preprocessor(model))
}

/// Writes a new file in a folder.
pub(super) fn write_json(folder: &Path, name: &str, value: &Value) -> Result<(), WriteError> {
    write_text(folder, name, &format!("{value:#}\n"))
}

/// Writes a new file in a folder.
pub(super) fn write_text(folder: &Path, name: &str, text: &str) -> Result<(), WriteError> {
    let path = folder.join(name);
    let written = std::fs::File::create_new(&path).and_then(|mut file| {
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(WriteError::of(&path))
}

fn config(model: &ModelFile, order: &Order) -> Value {
    let (dims, generation, special) = (&model.dims, &model.generation, model.tokenizer.special());
    let mut config = json!({
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "is_encoder_decoder": true,
        "scale_embedding": false,
        "tie_word_embeddings": true,
        "use_cache": true,
        "d_model": dims.audio_width,
        "num_hidden_layers": dims.audio_layers,
        "encoder_layers": dims.audio_layers,
        "encoder_attention_heads": dims.audio_heads,
        "encoder_ffn_dim": dims.audio_feed_forward,
        "decoder_layers": dims.text_layers,
        "decoder_attention_heads": dims.text_heads,
        "decoder_ffn_dim": dims.text_feed_forward,
        "num_mel_bins": dims.mel_bins,
        "max_source_positions": dims.audio_context,
        "max_target_positions": dims.text_context,
        "vocab_size": dims.vocabulary,
        "median_filter_width": generation.median_filter_width,
        "bos_token_id": special.end_of_text,
        "eos_token_id": special.end_of_text,
        "pad_token_id": special.end_of_text,
        "decoder_start_token_id": special.start_of_transcript,
        "suppress_tokens": generation.suppress_tokens,
        "begin_suppress_tokens": generation.begin_suppress_tokens,
        // What the numbers without scales are to be computed with.
        "torch_dtype": match order.kind {
            Type::F16 => "float16",
            Type::Bf16 => "bfloat16",
            _ => "float32",
        },
    });
    if let (Type::Int8 | Type::Int4, Some(config)) = (order.kind, config.as_object_mut()) {
        let mut quantization = json!({
            "quant_method": QUANTIZATION_METHOD,
            "weights": order.kind.name(),
            "granularity": match (order.kind, order.granularity) {
                (Type::Int4, _) => "group",
                (_, Granularity::Output) => "output",
                (_, Granularity::Tensor) => "tensor",
            },
            "symmetric": true,
        });
        if order.kind == Type::Int4 {
            quantization["group_size"] = json!(GROUP);
        }
        config.insert("quantization_config".to_owned(), quantization);
    }
    config
}

fn generation(model: &ModelFile) -> Value {
    let (dims, generation, special) = (&model.dims, &model.generation, model.tokenizer.special());
    let mut config = json!({
        "bos_token_id": special.end_of_text,
        "eos_token_id": special.end_of_text,
        "pad_token_id": special.end_of_text,
        "decoder_start_token_id": special.start_of_transcript,
        "no_timestamps_token_id": special.no_timestamps,
        "is_multilingual": special.is_multilingual(),
        "return_timestamps": false,
        "max_length": dims.text_context.min(MAX_LENGTH),
        "suppress_tokens": generation.suppress_tokens,
        "begin_suppress_tokens": generation.begin_suppress_tokens,
        "alignment_heads": generation.alignment_heads,
    });
    let mut say = |name: &str, value: Value| {
        if let Some(config) = config.as_object_mut() {
            config.insert(name.to_owned(), value);
        }
    };
    if let Some(token) = special.start_of_previous {
        say("prev_sot_token_id", json!(token));
    }
    if let Some(index) = generation.max_initial_timestamp_index {
        say("max_initial_timestamp_index", json!(index));
    }
    if special.is_multilingual() {
        let languages: BTreeMap<String, u32> =
            special.languages.iter().map(|(code, token)| (format!("<|{code}|>"), *token)).collect();
        say("lang_to_id", json!(languages));
        let tasks = [("transcribe", special.transcribe), ("translate", special.translate)];
        let tasks: BTreeMap<&str, u32> = tasks.into_iter().filter_map(|(name, token)| Some((name, token?))).collect();
        say("task_to_id", json!(tasks));
    }
    config
}

pub(super) fn preprocessor(model: &ModelFile) -> Value {
    json!({
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": model.dims.mel_bins,
        "sampling_rate": 16_000,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": 30,
        "n_samples": 480_000,
        "nb_max_frames": 3_000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": false,
    })
}
