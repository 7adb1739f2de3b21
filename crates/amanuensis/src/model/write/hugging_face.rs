//! Writes a model as Hugging Face's libraries save it. What has scales has them beside it:
//!
//! ```text
//! model.<name>         F32, F16, BF16 [outputs, ...]
//! model.<name>         I8  [outputs, ...]           model.<name>_scale  F32 [outputs] or [1]
//! model.<name>         U8  [outputs, inputs / 2]    model.<name>_scale  F32 [outputs, inputs / 32]
//! ```
//!
//! A number is its byte times the scale of its output. Of two halves in a byte the lower is the first; each is stored 8
//! higher. `quantization_config` in config.json says that it is so.

use std::path::Path;

use super::safetensors::Writer;
use super::{Order, WriteError, beside, settings, vocabulary};
use crate::model::{ModelFile, Progress};

/// What stands before each tensor's name in the file.
const PREFIX: &str = "model.";

pub(super) fn write(
    model: &ModelFile,
    order: &Order,
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), WriteError> {
    settings::write(model, order, folder)?;
    vocabulary::write(&model.tokenizer, folder)?;
    let planned = beside::plan(model, order, PREFIX)?;
    let mut writer = Writer::create(&folder.join("model.safetensors"), planned)?;
    beside::fill(model, order, PREFIX, progress, &mut |name, bytes| writer.put(name, bytes))?;
    writer.finish()
}
