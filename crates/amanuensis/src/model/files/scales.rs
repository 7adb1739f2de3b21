//! Tensors of bytes whose scales lie beside them: see the layout in `write/hugging_face.rs`.

use crate::model::numbers::{Scaled, Whole};
use crate::model::weights::Weights;
use crate::model::write::SCALE;
use crate::model::{Dims, Dtype, Encoding, ModelError};

/// Gives the tensors that are bytes, or halves of bytes, what each of them counts. What has no scale stays as it is, to
/// be refused as no weight.
pub(in crate::model) fn join(weights: &mut Weights, dims: &Dims) -> Result<(), ModelError> {
    for (name, shape) in dims.tensors() {
        let beside = format!("{name}{SCALE}");
        let whole = match weights.get(&name).map(|tensor| tensor.encoding) {
            Some(Encoding::Plain(Dtype::I8)) => Whole::I8,
            Some(Encoding::Plain(Dtype::U8)) => Whole::I4,
            _ => continue,
        };
        let broken = |weights: &Weights, reason: String| ModelError::Container {
            file: weights.file_of(&name).to_owned(),
            format: super::safetensors::FORMAT,
            reason: format!("tensor {name}: {reason}"),
        };
        let Some(scales) = weights.get(&beside) else {
            let reason = format!("it holds whole numbers, but there is no {beside} that says what they count");
            return Err(broken(weights, reason));
        };
        if !scales.encoding.is_weight() {
            let found = scales.encoding.to_string();
            let file = weights.file_of(&beside).to_owned();
            return Err(ModelError::NumberKind { file, tensor: beside, found });
        }
        let count: usize = shape.iter().product();
        let outputs = shape.first().copied().unwrap_or(1);
        let found = (scales.count(), scales.shape.to_vec());
        let fits = match whole {
            Whole::I4 => found.0 > 0 && found.0.is_multiple_of(outputs.max(1)) && (count / found.0).is_multiple_of(2),
            _ => found.0 == 1 || found.0 == outputs,
        };
        if !fits || !count.is_multiple_of(found.0.max(1)) {
            let expected = match whole {
                Whole::I4 => format!("[{outputs}, groups of an output]"),
                _ => format!("[{outputs}] or [1]"),
            };
            return Err(broken(weights, format!("{beside} has the shape {:?}, expected {expected}", found.1)));
        }
        let scales = scales.to_f32();
        if let Some(scale) = scales.iter().find(|scale| !scale.is_finite()) {
            return Err(broken(weights, format!("{beside} holds {scale}, which is no scale")));
        }
        let encoding = Encoding::Scaled(Scaled { whole, run: count / found.0, scales, zeros: Vec::new() });
        let stored = weights.get(&name).map_or(0, |tensor| tensor.bytes.len());
        if whole == Whole::I4 {
            if encoding.bytes(count) != Some(stored) {
                return Err(broken(weights, format!("{stored} bytes are not the {count} halves of {shape:?}")));
            }
            weights.recode(&name, encoding, Some(shape));
        } else if encoding.bytes(count) == Some(stored) {
            weights.recode(&name, encoding, None);
        }
        weights.remove(&beside);
    }
    Ok(())
}
