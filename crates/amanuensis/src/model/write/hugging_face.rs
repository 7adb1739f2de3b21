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

use super::safetensors::{self, Planned};
use super::{Order, WriteError, npz, settings, vocabulary};
use crate::model::progress::Steps;
use crate::model::quantize::Target;
use crate::model::quantize::encode::{Part, encode};
use crate::model::{Dtype, ModelFile, Progress};

/// The ending of the names of scales.
pub(in crate::model) const SCALE: &str = "_scale";

pub(super) fn write(
    model: &ModelFile,
    order: &Order,
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), WriteError> {
    let path = folder.join("model.safetensors");
    write_with(model, order, folder, progress, |planned| safetensors::Writer::create(&path, planned))
}

/// The same with the tensors as arrays of NumPy's.
pub(super) fn write_arrays(
    model: &ModelFile,
    order: &Order,
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), WriteError> {
    let path = folder.join(npz::FILE);
    write_with(model, order, folder, progress, |planned| npz::Archive::create(&path, planned))
}

/// A file that is written some bytes of a tensor at a time.
pub(super) trait Sink {
    /// Writes the next bytes of a tensor.
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError>;
    /// Ends the file.
    fn finish(self) -> Result<(), WriteError>;
}

fn write_with<S: Sink>(
    model: &ModelFile,
    order: &Order,
    folder: &Path,
    progress: &mut Progress<'_>,
    create: impl FnOnce(Vec<Planned>) -> Result<S, WriteError>,
) -> Result<(), WriteError> {
    settings::write(model, order, folder)?;
    vocabulary::write(&model.tokenizer, folder)?;
    let tensors = model.dims.tensors();
    let mut planned = Vec::new();
    for (name, shape) in &tensors {
        let target = Target::of_tensor(order, &model.weights.tensor(name, shape)?);
        let (dtype, stored) = target.stored(shape);
        planned.push(Planned { name: written(name), dtype, shape: stored });
        if let Some(shape) = target.scales(shape) {
            planned.push(Planned { name: written(name) + SCALE, dtype: Dtype::F32, shape });
        }
    }
    let mut sink = create(planned)?;
    let mut steps = Steps::through(&model.dims, progress);
    for (name, shape) in &tensors {
        let tensor = model.weights.tensor(name, shape)?;
        steps.next(name, tensor.count())?;
        let (numbers, scales) = (written(name), written(name) + SCALE);
        encode(&tensor, Target::of_tensor(order, &tensor), &mut |part, bytes| {
            sink.put(if part == Part::Numbers { &numbers } else { &scales }, bytes)
        })?;
    }
    steps.end();
    sink.finish()
}

/// The name of a tensor in the file.
fn written(name: &str) -> String {
    format!("model.{name}")
}
