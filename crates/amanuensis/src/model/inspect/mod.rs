//! What there is to know about a model: tensors, layers, sizes.

mod statistics;

use serde::Serialize;

use super::progress::Steps;
use super::quantize::Target;
use super::write::{Container, Order, Type};
use super::{AlignmentSource, Dims, Dtype, Encoding, Format, ModelFile, Progress, Stopped, Tensor};
pub use statistics::{OUTLIER, Statistics, statistics};

/// A model described.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// What the model is called.
    pub name: String,
    /// One line about it: `base, multilingual (99 languages), 72.6 M parameters`.
    pub description: String,
    /// Kind of its files.
    pub format: Format,
    /// The published model of these sizes, if there is one.
    pub size: Option<&'static str>,
    /// The sizes.
    pub dims: Dims,
    /// Whether it takes a language and a task.
    pub multilingual: bool,
    /// Codes of its languages.
    pub languages: Vec<String>,
    /// Tokens that have a meaning; rows of the embedding beyond them are padding.
    pub tokens: usize,
    /// Decoder layers and heads from which word times are read.
    pub alignment_heads: Vec<(usize, usize)>,
    /// Where the alignment heads come from.
    pub alignment_heads_from: AlignmentSource,
    /// All tensors in the files, in the order of the computation, those that are not used last.
    pub tensors: Vec<TensorSummary>,
    /// The parts of the model in the order of the computation.
    pub layers: Vec<LayerSummary>,
    /// Numbers in all tensors that are used.
    pub parameters: u64,
    /// Bytes of the files of weights.
    pub file_bytes: u64,
    /// Bytes of the weights as f32.
    pub f32_bytes: u64,
    /// Bytes of the weights as f16.
    pub f16_bytes: u64,
    /// Bytes of the weights as bf16.
    pub bf16_bytes: u64,
    /// Bytes of the weights with their matrices in int8, an f32 scale for each row, and all else in f32.
    pub int8_bytes: u64,
    /// Bytes of the weights with their matrices in int4, an f32 scale for every 32 numbers of a row, and all else in f32.
    pub int4_bytes: u64,
    /// What is odd about the files.
    pub warnings: Vec<String>,
}

/// A tensor described.
#[derive(Debug, Clone, Serialize)]
pub struct TensorSummary {
    /// Canonical name.
    pub name: String,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// How the numbers are written.
    pub dtype: Encoding,
    /// Bytes in the file, with those of the scales.
    pub bytes: u64,
    /// Numbers.
    pub parameters: u64,
    /// Whether it is part of the model.
    pub used: bool,
    /// What its numbers are like, where that was asked for and it holds weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
}

/// A part of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// `encoder.conv`, `encoder.layers.0`, `decoder.embed_tokens`, and so on.
    pub name: String,
    /// Tensors.
    pub tensors: usize,
    /// How their numbers are written, each way once.
    pub dtypes: Vec<String>,
    /// Numbers.
    pub parameters: u64,
    /// Bytes in the file, with those of the scales.
    pub bytes: u64,
}

/// Adds to a description what the numbers of its tensors are like, which takes reading all of them. `progress` hears
/// which tensor is read.
pub fn add_statistics(summary: &mut Summary, model: &ModelFile, progress: &mut Progress<'_>) -> Result<(), Stopped> {
    let all = summary.tensors.iter().map(|tensor| tensor.parameters).sum();
    let mut steps = Steps::new(progress, all);
    for described in &mut summary.tensors {
        steps.next(&described.name, described.parameters as usize)?;
        let tensor = model.weights.get(&described.name).filter(|tensor| tensor.encoding.is_weight());
        described.statistics = tensor.as_ref().map(statistics);
    }
    steps.end();
    Ok(())
}

/// Describes a model.
pub fn summary(model: &ModelFile) -> Summary {
    let expected = model.dims.tensors();
    let used: Vec<Tensor<'_>> = expected.iter().filter_map(|(name, _)| model.weights.get(name)).collect();
    let mut layers: Vec<LayerSummary> = Vec::new();
    for tensor in &used {
        let name = layer_of(tensor.name);
        if layers.last().is_none_or(|layer| layer.name != name) {
            let (name, dtypes) = (name.to_owned(), Vec::new());
            layers.push(LayerSummary { name, tensors: 0, dtypes, parameters: 0, bytes: 0 });
        }
        if let Some(layer) = layers.last_mut() {
            layer.tensors += 1;
            layer.parameters += tensor.count() as u64;
            layer.bytes += tensor.stored_bytes() as u64;
            let dtype = tensor.encoding.to_string();
            if !layer.dtypes.contains(&dtype) {
                layer.dtypes.push(dtype);
            }
        }
    }
    let parameters: u64 = used.iter().map(|tensor| tensor.count() as u64).sum();
    let unused = model.weights.tensors().filter(|tensor| !used.iter().any(|other| other.name == tensor.name));
    let tensors = used.iter().map(|tensor| describe(tensor, true)).chain(unused.map(|tensor| describe(&tensor, false)));
    let special = model.tokenizer.special();
    Summary {
        name: model.name.clone(),
        description: description(model, parameters),
        format: model.format,
        size: model.dims.size_name(),
        dims: model.dims,
        multilingual: special.is_multilingual(),
        languages: special.languages.iter().map(|(code, _)| code.clone()).collect(),
        tokens: model.tokenizer.vocabulary_size(),
        alignment_heads: model.generation.alignment_heads.clone(),
        alignment_heads_from: model.generation.alignment_heads_from,
        tensors: tensors.collect(),
        layers,
        parameters,
        file_bytes: model.weights.file_bytes(),
        f32_bytes: 4 * parameters,
        f16_bytes: 2 * parameters,
        bf16_bytes: 2 * parameters,
        int8_bytes: bytes_as(Type::Int8, &model.dims),
        int4_bytes: bytes_as(Type::Int4, &model.dims),
        warnings: model.warnings.clone(),
    }
}

fn describe(tensor: &Tensor<'_>, used: bool) -> TensorSummary {
    TensorSummary {
        name: tensor.name.to_owned(),
        shape: tensor.shape.to_vec(),
        dtype: tensor.encoding.clone(),
        bytes: tensor.stored_bytes() as u64,
        parameters: tensor.count() as u64,
        used,
        statistics: None,
    }
}

/// The part of the model that a tensor belongs to: `encoder.layers.3` of `encoder.layers.3.fc1.bias`.
fn layer_of(name: &str) -> &str {
    let parts = if name.contains(".layers.") { 3 } else { 2 };
    let end = name.match_indices('.').nth(parts - 1).map_or(name.len(), |(end, _)| end);
    match &name[..end] {
        "encoder.conv1" | "encoder.conv2" => "encoder.conv",
        layer => layer,
    }
}

/// Bytes of a model that is written so, as safetensors.
fn bytes_as(kind: Type, dims: &Dims) -> u64 {
    let order = Order::new(Container::safetensors(), kind);
    let bytes = |(dtype, shape): (Dtype, Vec<usize>)| shape.iter().product::<usize>() as u64 * dtype.size() as u64;
    let of_tensor = |(name, shape): (String, Vec<usize>)| {
        let target = Target::of(&order, &name, &shape);
        let scales = target.scales(&shape).map_or(0, |scales| bytes((Dtype::F32, scales)));
        bytes(target.stored(&shape)) + scales
    };
    dims.tensors().into_iter().map(of_tensor).sum()
}

fn description(model: &ModelFile, parameters: u64) -> String {
    let special = model.tokenizer.special();
    let dims = &model.dims;
    let size = match dims.size_name() {
        Some(size) => size.to_owned(),
        None => format!("width {}, {} + {} layers", dims.audio_width, dims.audio_layers, dims.text_layers),
    };
    let languages = if special.is_multilingual() {
        format!("multilingual ({} languages)", special.languages.len())
    } else {
        "English only".to_owned()
    };
    format!("{size}, {languages}, {:.1} M parameters", parameters as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::layer_of;

    #[test]
    fn tensors_belong_to_layers() {
        for (tensor, layer) in [
            ("encoder.conv2.bias", "encoder.conv"),
            ("encoder.layers.11.self_attn.q_proj.weight", "encoder.layers.11"),
            ("decoder.embed_tokens.weight", "decoder.embed_tokens"),
            ("decoder.layer_norm.bias", "decoder.layer_norm"),
            ("odd", "odd"),
        ] {
            assert_eq!(layer_of(tensor), layer);
        }
    }
}
