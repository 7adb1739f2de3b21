//! Readers of model files, one per format.

pub(super) mod beside;
pub(super) mod complete;
pub(super) mod config;
pub(super) mod folder;
pub(super) mod hugging_face;
pub(super) mod laid;
pub(super) mod numpy;
pub(super) mod openai;
pub(super) mod recognise;
pub(super) mod safetensors;
pub(super) mod scales;
pub(super) mod torch;
pub(super) mod vocabulary;
pub(super) mod zip;
