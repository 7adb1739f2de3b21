//! Writers of model files, one per format.

pub(in crate::model) mod ggml;
pub(in crate::model) mod gguf;
mod numbers;
#[cfg(test)]
mod tests;
