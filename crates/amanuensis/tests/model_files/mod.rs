//! Writes small models with random weights, whole or broken, so that tests need no downloaded one.

use std::collections::BTreeMap;
use std::path::Path;

use amanuensis::model::{self, Dims, Dtype, ModelError, ModelFile, Source};
use half::{bf16, f16};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A model in the making. Tests change what they are about and write it.
pub(crate) struct ModelFiles {
    pub(crate) dims: Dims,
    pub(crate) dtype: Dtype,
    /// Put before each tensor's name.
    pub(crate) prefix: &'static str,
    /// Number of files the weights are spread over.
    pub(crate) shards: usize,
    pub(crate) tensors: BTreeMap<String, Vec<usize>>,
    pub(crate) config: Value,
    pub(crate) generation: Option<Value>,
    pub(crate) preprocessor: Option<Value>,
    pub(crate) vocabulary: Value,
    pub(crate) merges: String,
    pub(crate) added: Value,
}

/// Where the special tokens of a layout begin, and how many languages it has.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) end_of_text: usize,
    pub(crate) languages: usize,
    pub(crate) timestamps_listed: bool,
}

/// A vocabulary of single bytes and two merges.
pub(crate) const SMALL: Layout = Layout { end_of_text: 258, languages: 2, timestamps_listed: true };

impl ModelFiles {
    pub(crate) fn new(layout: Layout) -> Self {
        let first_timestamp = layout.end_of_text + 2 + layout.languages + 6;
        let dims = Dims {
            mel_bins: 80,
            audio_context: 6,
            audio_width: 8,
            audio_heads: 2,
            audio_layers: 1,
            audio_feed_forward: 16,
            text_context: 8,
            text_width: 8,
            text_heads: 2,
            text_layers: 2,
            text_feed_forward: 24,
            vocabulary: first_timestamp + 1501,
        };
        let mut files = Self {
            dims,
            dtype: Dtype::F16,
            prefix: "model.",
            shards: 1,
            tensors: BTreeMap::new(),
            config: Value::Null,
            generation: Some(json!({"max_initial_timestamp_index": 50, "alignment_heads": [[1, 0]]})),
            preprocessor: None,
            vocabulary: vocabulary(),
            merges: "#version: 0.2\na b\nĠ ab\n".to_owned(),
            added: added_tokens(layout, first_timestamp),
        };
        files.set_dims(dims);
        files
    }

    /// Takes other sizes, and everything that follows from them.
    pub(crate) fn set_dims(&mut self, dims: Dims) {
        self.dims = dims;
        self.tensors = dims.tensors().into_iter().collect();
        self.config = json!({
            "model_type": "whisper",
            "activation_function": "gelu",
            "num_mel_bins": dims.mel_bins,
            "max_source_positions": dims.audio_context,
            "max_target_positions": dims.text_context,
            "d_model": dims.audio_width,
            "encoder_layers": dims.audio_layers,
            "encoder_attention_heads": dims.audio_heads,
            "encoder_ffn_dim": dims.audio_feed_forward,
            "decoder_layers": dims.text_layers,
            "decoder_attention_heads": dims.text_heads,
            "decoder_ffn_dim": dims.text_feed_forward,
            "vocab_size": dims.vocabulary,
        });
        self.preprocessor = Some(json!({"feature_size": dims.mel_bins, "sampling_rate": 16000}));
    }

    pub(crate) fn write(&self, folder: &Path) {
        let write = |name: &str, contents: &[u8]| std::fs::write(folder.join(name), contents).unwrap();
        let json = |value: &Value| serde_json::to_vec(value).unwrap();
        write("config.json", &json(&self.config));
        for (name, value) in
            [("generation_config.json", &self.generation), ("preprocessor_config.json", &self.preprocessor)]
        {
            if let Some(value) = value {
                write(name, &json(value));
            }
        }
        write("vocab.json", &json(&self.vocabulary));
        write("merges.txt", self.merges.as_bytes());
        write("added_tokens.json", &json(&self.added));

        let mut shards = vec![Vec::new(); self.shards];
        let mut index = Map::new();
        for (number, (name, shape)) in self.tensors.iter().enumerate() {
            let shard = number % self.shards;
            let name = format!("{}{name}", self.prefix);
            index.insert(name.clone(), self.shard_name(shard).into());
            let count = shape.iter().product();
            shards[shard].push((
                name,
                self.dtype.name(),
                shape.clone(),
                random_numbers(number as u64, count, self.dtype),
            ));
        }
        for (shard, tensors) in shards.iter().enumerate() {
            write(&self.shard_name(shard), &safetensors(tensors));
        }
        if self.shards > 1 {
            write("model.safetensors.index.json", &json(&json!({"metadata": {}, "weight_map": index})));
        }
    }

    fn shard_name(&self, shard: usize) -> String {
        match self.shards {
            1 => "model.safetensors".to_owned(),
            shards => format!("model-{:05}-of-{shards:05}.safetensors", shard + 1),
        }
    }
}

/// The bytes of a safetensors file.
pub(crate) fn safetensors(tensors: &[(String, &str, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut numbers = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let begin = numbers.len();
        numbers.extend_from_slice(bytes);
        header.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": [begin, numbers.len()]}));
    }
    let mut header = serde_json::to_vec(&Value::Object(header)).unwrap();
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes()[..], &header, &numbers].concat()
}

/// Numbers between -0.5 and 0.5, the same ones for the same seed.
fn random_numbers(seed: u64, count: usize, dtype: Dtype) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(count * dtype.size());
    for _ in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
        match dtype {
            Dtype::F32 => bytes.extend(number.to_le_bytes()),
            Dtype::F16 => bytes.extend(f16::from_f32(number).to_le_bytes()),
            Dtype::BF16 => bytes.extend(bf16::from_f32(number).to_le_bytes()),
            other => bytes.extend(vec![0; other.size()]),
        }
    }
    bytes
}

fn vocabulary() -> Value {
    let mut vocabulary = Map::new();
    let visible = |byte: u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut invisible = 0x100;
    for byte in 0..256 {
        let code = if visible(byte) {
            byte
        } else {
            invisible += 1;
            invisible - 1
        };
        vocabulary.insert(char::from_u32(code).unwrap().to_string(), byte.into());
    }
    vocabulary.insert("ab".to_owned(), 256.into());
    vocabulary.insert("Ġab".to_owned(), 257.into());
    Value::Object(vocabulary)
}

fn added_tokens(layout: Layout, first_timestamp: usize) -> Value {
    let languages = amanuensis::tokens::languages::LANGUAGES.iter().take(layout.languages);
    let names = ["<|endoftext|>".to_owned(), "<|startoftranscript|>".to_owned()]
        .into_iter()
        .chain(languages.map(|language| format!("<|{}|>", language.code)))
        .chain(
            ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
                .map(|name| format!("<|{name}|>")),
        );
    let mut added: Map<String, Value> =
        names.enumerate().map(|(place, name)| (name, (layout.end_of_text + place).into())).collect();
    if layout.timestamps_listed {
        for step in 0..1501 {
            added.insert(format!("<|{}.{:02}|>", step / 50, step % 50 * 2), (first_timestamp + step).into());
        }
    }
    Value::Object(added)
}

/// A folder with the model in it.
pub(crate) fn written(files: &ModelFiles) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    files.write(folder.path());
    folder
}

/// Opens a folder.
pub(crate) fn open(folder: &Path) -> Result<ModelFile, ModelError> {
    model::open(&Source::Path(folder.to_owned()))
}

/// Checks that a message says all it should.
pub(crate) fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message:?} should say {part:?}");
    }
}
