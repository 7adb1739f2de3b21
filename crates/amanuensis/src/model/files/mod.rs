//! Readers of model files, one per format.

pub(super) mod complete;
pub(super) mod config;
pub(super) mod ctranslate2;
pub(super) mod cursor;
pub(super) mod folder;
pub(super) mod ggml;
pub(super) mod hugging_face;
pub(super) mod onnx;
pub(super) mod openai;
pub(super) mod recognise;
pub(super) mod safetensors;
pub(super) mod scales;
pub(super) mod vocabulary;
