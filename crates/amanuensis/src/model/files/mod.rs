//! Readers of model files, one per format.

pub(super) mod beside;
pub(super) mod complete;
pub(super) mod config;
pub(super) mod ctranslate2;
pub(super) mod cursor;
pub(super) mod folder;
pub(super) mod ggml;
pub(super) mod gguf;
pub(super) mod hugging_face;
pub(super) mod laid;
pub(super) mod numpy;
pub(super) mod onnx;
pub(super) mod openai;
pub(super) mod recognise;
pub(super) mod safetensors;
pub(super) mod scales;
pub(super) mod torch;
pub(super) mod vocabulary;
pub(super) mod zip;

/// The layout of ggml's blocks since May 2023. Older ones look the same but mean other numbers.
pub(super) const BLOCK_VERSION: u32 = 2;
