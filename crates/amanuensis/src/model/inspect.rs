//! What there is to know about a model: tensors, layers, sizes.

use serde::Serialize;

use super::{AlignmentSource, Dims, Encoding, Format, ModelFile, Tensor};

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
    /// Bytes of the weights with their matrices in int8, an f32 scale for each row, and all else in f32.
    pub int8_bytes: u64,
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
    /// Bytes in the file.
    pub bytes: u64,
    /// Numbers.
    pub parameters: u64,
    /// Whether it is part of the model.
    pub used: bool,
}

/// A part of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// `encoder.conv`, `encoder.layers.0`, `decoder.embed_tokens`, and so on.
    pub name: String,
    /// Numbers.
    pub parameters: u64,
    /// Bytes in the file.
    pub bytes: u64,
}

/// Describes a model.
pub fn summary(model: &ModelFile) -> Summary {
    let expected = model.dims.tensors();
    let used: Vec<Tensor<'_>> = expected.iter().filter_map(|(name, _)| model.weights.get(name)).collect();
    let mut layers: Vec<LayerSummary> = Vec::new();
    for tensor in &used {
        let name = layer_of(tensor.name);
        if layers.last().is_none_or(|layer| layer.name != name) {
            layers.push(LayerSummary { name: name.to_owned(), parameters: 0, bytes: 0 });
        }
        if let Some(layer) = layers.last_mut() {
            layer.parameters += tensor.count() as u64;
            layer.bytes += tensor.bytes.len() as u64;
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
        int8_bytes: used.iter().map(int8_bytes).sum(),
        warnings: model.warnings.clone(),
    }
}

fn describe(tensor: &Tensor<'_>, used: bool) -> TensorSummary {
    TensorSummary {
        name: tensor.name.to_owned(),
        shape: tensor.shape.to_vec(),
        dtype: tensor.encoding.clone(),
        bytes: tensor.bytes.len() as u64,
        parameters: tensor.count() as u64,
        used,
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

/// Matrices take a byte a number and a scale a row; positions, biases and normalisations stay f32.
fn int8_bytes(tensor: &Tensor<'_>) -> u64 {
    let numbers = tensor.count() as u64;
    let is_matrix = tensor.shape.len() > 1 && !tensor.name.ends_with("embed_positions.weight");
    if is_matrix { numbers + 4 * tensor.shape[0] as u64 } else { 4 * numbers }
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
