//! Which variable of model.bin holds which tensor.
//!
//! ```text
//! encoder.layers.3.self_attn.k_proj.weight   rows w..2w of   encoder/layer_3/self_attention/linear_0/weight
//! ```
//!
//! The projections that read the same input are one matrix, in the order queries, keys, values. Its bias has zeros for the
//! keys, which have none.

/// Where a tensor lies: in one of `of` equal parts of the rows of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::model) struct Holder {
    pub(in crate::model) variable: String,
    pub(in crate::model) part: usize,
    pub(in crate::model) of: usize,
}

/// Ours, theirs.
const WHOLE: [(&str, &str); 7] = [
    ("encoder.conv1", "encoder/conv1"),
    ("encoder.conv2", "encoder/conv2"),
    ("encoder.embed_positions", "encoder/position_encodings"),
    ("encoder.layer_norm", "encoder/layer_norm"),
    ("decoder.embed_tokens", "decoder/embeddings"),
    ("decoder.embed_positions", "decoder/position_encodings"),
    ("decoder.layer_norm", "decoder/layer_norm"),
];
/// Ours, theirs, which part of how many.
const OF_LAYERS: [(&str, &str, usize, usize); 13] = [
    ("self_attn.q_proj", "self_attention/linear_0", 0, 3),
    ("self_attn.k_proj", "self_attention/linear_0", 1, 3),
    ("self_attn.v_proj", "self_attention/linear_0", 2, 3),
    ("self_attn.out_proj", "self_attention/linear_1", 0, 1),
    ("self_attn_layer_norm", "self_attention/layer_norm", 0, 1),
    ("encoder_attn.q_proj", "attention/linear_0", 0, 1),
    ("encoder_attn.k_proj", "attention/linear_1", 0, 2),
    ("encoder_attn.v_proj", "attention/linear_1", 1, 2),
    ("encoder_attn.out_proj", "attention/linear_2", 0, 1),
    ("encoder_attn_layer_norm", "attention/layer_norm", 0, 1),
    ("fc1", "ffn/linear_0", 0, 1),
    ("fc2", "ffn/linear_1", 0, 1),
    ("final_layer_norm", "ffn/layer_norm", 0, 1),
];

/// The token embedding, and the output projection: another name for it, or a matrix of its own.
pub(in crate::model) const EMBEDDING: &str = "decoder/embeddings/weight";
pub(in crate::model) const PROJECTION: &str = "decoder/projection/weight";

/// Where the tensor of this name lies.
pub(in crate::model) fn holder(tensor: &str) -> Option<Holder> {
    if tensor == "proj_out.weight" {
        return Some(Holder { variable: PROJECTION.to_owned(), part: 0, of: 1 });
    }
    let (module, kind) = tensor.rsplit_once('.')?;
    let (module, part, of) = match module.split_once(".layers.") {
        None => (WHOLE.iter().find(|(ours, _)| *ours == module)?.1.to_owned(), 0, 1),
        Some((stack, rest)) => {
            let (layer, inner) = rest.split_once('.')?;
            let (_, theirs, part, of) = OF_LAYERS.iter().find(|(ours, ..)| *ours == inner)?;
            (format!("{stack}/layer_{layer}/{theirs}"), *part, *of)
        }
    };
    let kind = match (module.rsplit('/').next()?, kind) {
        ("layer_norm", "weight") => "gamma",
        ("layer_norm", "bias") => "beta",
        ("position_encodings", "weight") => "encodings",
        (_, kind) => kind,
    };
    Some(Holder { variable: format!("{module}/{kind}"), part, of })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dims;

    #[test]
    fn every_tensor_has_a_holder() {
        let dims = Dims {
            mel_bins: 80,
            audio_context: 1500,
            audio_width: 384,
            audio_heads: 6,
            audio_layers: 12,
            audio_feed_forward: 1536,
            text_context: 448,
            text_width: 384,
            text_heads: 6,
            text_layers: 2,
            text_feed_forward: 1536,
            vocabulary: 51865,
        };
        let mut seen = std::collections::HashSet::new();
        for (name, _) in dims.tensors() {
            let Holder { variable, part, of } = holder(&name).unwrap();
            assert!(part < of && seen.insert((variable, part)), "{name}");
        }
        let held = |tensor: &str| holder(tensor).map(|Holder { variable, part, of }| format!("{variable} {part}/{of}"));
        let cases = [
            ("encoder.layers.11.self_attn.v_proj.bias", "encoder/layer_11/self_attention/linear_0/bias 2/3"),
            ("decoder.layers.1.encoder_attn.k_proj.weight", "decoder/layer_1/attention/linear_1/weight 0/2"),
            ("decoder.layers.0.final_layer_norm.bias", "decoder/layer_0/ffn/layer_norm/beta 0/1"),
            ("encoder.embed_positions.weight", "encoder/position_encodings/encodings 0/1"),
            ("proj_out.weight", "decoder/projection/weight 0/1"),
        ];
        for (ours, theirs) in cases {
            assert_eq!(held(ours).as_deref(), Some(theirs));
        }
        assert!(
            ["odd", "encoder.layers.odd", "encoder.layers.1.odd.weight"].into_iter().all(|name| held(name).is_none())
        );
    }
}
