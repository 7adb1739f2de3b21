//! The tensors in the variables of model.bin, and the sizes that follow from them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::container::{self, Container, FORMAT, Variable};
use super::names::{Holder, PROJECTION, holder};
use crate::model::files::config::Sizes;
use crate::model::weights::Entry;
use crate::model::{Dims, Dtype, Encoding, ModelError, Scaled, Whole};

/// What a file holds.
pub(super) struct Found {
    pub(super) dims: Dims,
    pub(super) tensors: Vec<(String, Entry)>,
    pub(super) warnings: Vec<String>,
}

/// Where each size is found.
const SIZES: Sizes<&str> = Sizes {
    mel_bins: "the second axis of encoder/conv1/weight",
    audio_context: "the first axis of encoder/position_encodings/encodings",
    audio_width: "the first axis of encoder/conv1/weight",
    audio_heads: "encoder/num_heads",
    audio_layers: "the number of encoder/layer_N",
    audio_feed_forward: "the first axis of encoder/layer_0/ffn/linear_0/weight",
    text_context: "the first axis of decoder/position_encodings/encodings",
    text_width: "the second axis of decoder/embeddings/weight",
    text_heads: "decoder/num_heads",
    text_layers: "the number of decoder/layer_N",
    text_feed_forward: "the first axis of decoder/layer_0/ffn/linear_0/weight",
    vocabulary: "the first axis of decoder/embeddings/weight",
};

/// Width of a head of every published model; files from before heads were counted do not say it.
const HEAD_WIDTH: u64 = 64;

pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Found, ModelError> {
    let reader = Reader { file, bytes, container: container::read(file, bytes)? };
    let dims = reader.sizes()?.dims(file, &SIZES)?;
    let mut tensors = Vec::new();
    let mut used = BTreeSet::new();
    for (name, shape) in dims.tensors() {
        let Some(holder) = holder(&name) else { continue };
        if let Some((own, variable)) = reader.container.find(&holder.variable) {
            used.insert(own);
            let entry = reader.entry(own, variable, &holder, &shape).map_err(|reason| reader.broken(own, &reason))?;
            tensors.push((name, entry));
        }
    }
    // A matrix of its own, or nothing.
    if let Some((own, variable)) = reader.container.variables.get_key_value(PROJECTION)
        && let Some(holder) = holder("proj_out.weight")
    {
        used.insert(own);
        let shape = [dims.vocabulary, dims.text_width];
        let entry = reader.entry(own, variable, &holder, &shape).map_err(|reason| reader.broken(own, &reason))?;
        tensors.push(("proj_out.weight".to_owned(), entry));
    }
    // What else there is keeps its name. Single numbers are settings, and scales belong to their matrices.
    for (name, variable) in &reader.container.variables {
        let is_scale = name.strip_suffix("_scale").is_some_and(|of| used.contains(of));
        if !used.contains(name.as_str()) && !is_scale && !variable.shape.is_empty() {
            let entry = Entry {
                file: 0,
                encoding: variable.dtype.into(),
                shape: variable.shape.clone(),
                range: variable.range.clone(),
            };
            tensors.push((name.clone(), entry));
        }
    }
    let warnings = reader.key_biases(&dims);
    Ok(Found { dims, tensors, warnings })
}

struct Reader<'a> {
    file: &'a str,
    bytes: &'a [u8],
    container: Container,
}

impl Reader<'_> {
    fn broken(&self, variable: &str, reason: &str) -> ModelError {
        let reason = format!("variable {variable}: {reason}");
        ModelError::Container { file: self.file.to_owned(), format: FORMAT, reason }
    }

    fn sizes(&self) -> Result<Sizes, ModelError> {
        let encoder = self.layers("encoder");
        let decoder = self.layers("decoder");
        let width = self.axis("encoder/conv1/weight", 0)?;
        let text_width = self.axis("decoder/embeddings/weight", 1)?;
        Ok(Sizes {
            mel_bins: self.axis("encoder/conv1/weight", 1)?,
            audio_context: self.axis("encoder/position_encodings/encodings", 0)?,
            audio_width: width,
            audio_heads: self.heads("encoder", width)?,
            audio_layers: encoder,
            audio_feed_forward: self.axis("encoder/layer_0/ffn/linear_0/weight", 0)?,
            text_context: self.axis("decoder/position_encodings/encodings", 0)?,
            text_width,
            text_heads: self.heads("decoder", text_width)?,
            text_layers: decoder,
            text_feed_forward: self.axis("decoder/layer_0/ffn/linear_0/weight", 0)?,
            vocabulary: self.axis("decoder/embeddings/weight", 0)?,
        })
    }

    fn axis(&self, name: &str, axis: usize) -> Result<u64, ModelError> {
        let found = self.container.find(name).ok_or_else(|| self.broken(name, "it is not there"))?;
        let length = found.1.shape.get(axis);
        length.map(|length| *length as u64).ok_or_else(|| {
            let reason = format!("its shape is {:?}, too few axes for what it should hold", found.1.shape);
            self.broken(name, &reason)
        })
    }

    fn layers(&self, stack: &str) -> u64 {
        let there = |layer: &u64| {
            self.container.find(&format!("{stack}/layer_{layer}/self_attention/linear_0/weight")).is_some()
        };
        (0..).take_while(there).count() as u64
    }

    fn heads(&self, stack: &str, width: u64) -> Result<u64, ModelError> {
        let name = format!("{stack}/num_heads");
        let Some((_, variable)) = self.container.find(&name) else { return Ok((width / HEAD_WIDTH).max(1)) };
        let bytes = self.bytes.get(variable.range.clone()).unwrap_or_default();
        let heads = match (variable.dtype, bytes) {
            (Dtype::I8, &[byte]) => i64::from(byte.cast_signed()),
            (Dtype::I16, &[low, high]) => i64::from(i16::from_le_bytes([low, high])),
            (Dtype::I32, &[a, b, c, d]) => i64::from(i32::from_le_bytes([a, b, c, d])),
            _ => return Err(self.broken(&name, "it is not one whole number")),
        };
        u64::try_from(heads).map_err(|_| self.broken(&name, &format!("it is {heads}")))
    }

    /// The part of a variable that is a tensor. Scales are read where its shape is the expected one: whoever asks for the
    /// others is told so.
    fn entry(&self, name: &str, variable: &Variable, holder: &Holder, expected: &[usize]) -> Result<Entry, String> {
        let Variable { dtype, shape, range } = variable;
        let rows = part_of_rows(shape, holder)?;
        let row = shape.iter().skip(1).product::<usize>();
        let mut shape = shape.clone();
        if let Some(first) = shape.first_mut() {
            *first = rows.len();
        }
        let row_bytes = row * dtype.size();
        let range = range.start + rows.start * row_bytes..range.start + rows.end * row_bytes;
        let encoding = match dtype {
            Dtype::I8 if shape == expected => Encoding::Scaled(self.scaled(name, rows, row)?),
            plain => Encoding::Plain(*plain),
        };
        Ok(Entry { file: 0, encoding, shape, range })
    }

    /// How bytes become numbers: CTranslate2 divides by a scale that is stored for each row, or for all.
    fn scaled(&self, name: &str, rows: Range<usize>, row: usize) -> Result<Scaled, String> {
        if row == 0 {
            return Err("its rows are empty".to_owned());
        }
        let scale_name = format!("{name}_scale");
        let absent = || format!("its numbers are bytes, but there is no {scale_name}");
        let (_, scale) = self.container.find(&scale_name).ok_or_else(absent)?;
        let bytes = self.bytes.get(scale.range.clone()).unwrap_or_default();
        if scale.dtype != Dtype::F32 {
            return Err(format!("{scale_name} holds {}, expected F32", scale.dtype));
        }
        let scales = bytes.as_chunks().0;
        let (scales, run) = match scales {
            [_] => (scales, row * rows.len()),
            _ => (scales.get(rows.clone()).unwrap_or_default(), row),
        };
        if scales.len() != 1 && scales.len() != rows.len() {
            return Err(format!("{scale_name} has the shape {:?}, too few for its rows", scale.shape));
        }
        let reciprocals: Vec<f32> = scales.iter().map(|scale| 1.0 / f32::from_le_bytes(*scale)).collect();
        if let Some(row) = reciprocals.iter().position(|scale| !scale.is_finite() || *scale == 0.0) {
            return Err(format!("{scale_name} of row {} is nothing to divide by", rows.start + row));
        }
        Ok(Scaled { whole: Whole::I8, run, scales: reciprocals, zeros: Vec::new() })
    }

    /// Biases of keys add the same to all scores of a query, so they change nothing and are left out: most often they
    /// are zeros. The result says where they are not.
    fn key_biases(&self, dims: &Dims) -> Vec<String> {
        let in_layers = |stack: &str, layers: usize, attention: &str| {
            let name = move |layer| format!("{stack}.layers.{layer}.{attention}.k_proj.bias");
            (0..layers).map(name).collect::<Vec<_>>()
        };
        let names = [
            in_layers("encoder", dims.audio_layers, "self_attn"),
            in_layers("decoder", dims.text_layers, "self_attn"),
            in_layers("decoder", dims.text_layers, "encoder_attn"),
        ];
        let is_something = |name: &&String| {
            let Some(holder) = holder(name) else { return false };
            let Some((_, Variable { dtype, shape, range })) = self.container.find(&holder.variable) else {
                return false;
            };
            let Ok(rows) = part_of_rows(shape, &holder) else { return false };
            let part = range.start + rows.start * dtype.size()..range.start + rows.end * dtype.size();
            let bytes = self.bytes.get(part).unwrap_or_default();
            shape.len() == 1 && bytes.iter().any(|byte| *byte != 0)
        };
        let first = names.iter().flatten().find(is_something);
        first
            .map(|name| format!("{name} is not zero; biases of keys change nothing and are not used"))
            .into_iter()
            .collect()
    }
}

fn part_of_rows(shape: &[usize], holder: &Holder) -> Result<Range<usize>, String> {
    let Some(rows) = shape.first().filter(|rows| rows.is_multiple_of(holder.of)) else {
        return Err(format!("its shape {shape:?} cannot be cut into {} parts", holder.of));
    };
    let part = rows / holder.of;
    Ok(holder.part * part..(holder.part + 1) * part)
}
