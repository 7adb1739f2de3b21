//! Formats of named arrays: each tensor has its own, and what counts scales has them beside it under [`SCALE`].

use super::safetensors::Planned;
use super::{Order, WriteError};
use crate::model::progress::Steps;
use crate::model::quantize::Target;
use crate::model::quantize::encode::{Part, encode};
use crate::model::{Dtype, ModelFile, Progress};

/// The ending of the names of scales.
pub(in crate::model) const SCALE: &str = "_scale";

/// The arrays of a model; `prefix` stands before each name.
pub(super) fn plan(model: &ModelFile, order: &Order, prefix: &str) -> Result<Vec<Planned>, WriteError> {
    let mut planned = Vec::new();
    for (name, shape) in model.dims.tensors() {
        let target = Target::of_tensor(order, &model.weights.tensor(&name, &shape)?);
        let (dtype, stored) = target.stored(&shape);
        planned.push(Planned { name: format!("{prefix}{name}"), dtype, shape: stored });
        if let Some(shape) = target.scales(&shape) {
            planned.push(Planned { name: format!("{prefix}{name}{SCALE}"), dtype: Dtype::F32, shape });
        }
    }
    Ok(planned)
}

/// Takes the next bytes of an array.
type Put<'a> = dyn FnMut(&str, &[u8]) -> Result<(), WriteError> + 'a;

/// Hands out the bytes of the planned arrays, a piece at a time.
pub(super) fn fill(
    model: &ModelFile,
    order: &Order,
    prefix: &str,
    progress: &mut Progress<'_>,
    put: &mut Put<'_>,
) -> Result<(), WriteError> {
    let mut steps = Steps::through(&model.dims, progress);
    for (name, shape) in model.dims.tensors() {
        let tensor = model.weights.tensor(&name, &shape)?;
        steps.next(&name, tensor.count())?;
        let (numbers, scales) = (format!("{prefix}{name}"), format!("{prefix}{name}{SCALE}"));
        encode(&tensor, Target::of_tensor(order, &tensor), &mut |part, bytes| {
            put(if part == Part::Numbers { &numbers } else { &scales }, bytes)
        })?;
    }
    steps.end();
    Ok(())
}
