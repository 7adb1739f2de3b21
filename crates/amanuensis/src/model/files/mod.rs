//! Readers of model files, one per format.

pub(super) mod config;
pub(super) mod folder;
pub(super) mod hugging_face;
pub(super) mod safetensors;
