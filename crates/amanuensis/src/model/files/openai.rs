//! The sizes and names of OpenAI's own checkpoints, which whisper.cpp's files have too.

use serde::Deserialize;

use super::config::Sizes;
use crate::model::{Dims, ModelError};

/// The names of the sizes.
pub(in crate::model) const NAMES: Sizes<&str> = Sizes {
    mel_bins: "n_mels",
    audio_context: "n_audio_ctx",
    audio_width: "n_audio_state",
    audio_heads: "n_audio_head",
    audio_layers: "n_audio_layer",
    audio_feed_forward: "n_audio_state",
    text_context: "n_text_ctx",
    text_width: "n_text_state",
    text_heads: "n_text_head",
    text_layers: "n_text_layer",
    text_feed_forward: "n_text_state",
    vocabulary: "n_vocab",
};

/// The sizes as JSON.
#[derive(Deserialize)]
pub(in crate::model) struct Written {
    n_mels: u64,
    n_audio_ctx: u64,
    n_audio_state: u64,
    n_audio_head: u64,
    n_audio_layer: u64,
    n_vocab: u64,
    n_text_ctx: u64,
    n_text_state: u64,
    n_text_head: u64,
    n_text_layer: u64,
}

impl From<Written> for Sizes {
    fn from(written: Written) -> Self {
        Self {
            mel_bins: written.n_mels,
            audio_context: written.n_audio_ctx,
            audio_width: written.n_audio_state,
            audio_heads: written.n_audio_head,
            audio_layers: written.n_audio_layer,
            audio_feed_forward: written.n_audio_state,
            text_context: written.n_text_ctx,
            text_width: written.n_text_state,
            text_heads: written.n_text_head,
            text_layers: written.n_text_layer,
            text_feed_forward: written.n_text_state,
            vocabulary: written.n_vocab,
        }
    }
}

/// The sizes; those between the halves of feed-forward parts are not said but four times the width.
pub(in crate::model) fn dims(sizes: &Sizes, file: &str) -> Result<Dims, ModelError> {
    let sizes = Sizes {
        audio_feed_forward: sizes.audio_width.saturating_mul(4),
        text_feed_forward: sizes.text_width.saturating_mul(4),
        ..*sizes
    };
    sizes.dims(file, &NAMES)
}

/// What stands before the number of a layer and in its tensors' names: ours, OpenAI's.
const WHOLE: [(&str, &str); 6] = [
    ("encoder.embed_positions.weight", "encoder.positional_embedding"),
    ("decoder.embed_positions.weight", "decoder.positional_embedding"),
    ("decoder.embed_tokens.weight", "decoder.token_embedding.weight"),
    ("encoder.layer_norm.", "encoder.ln_post."),
    ("decoder.layer_norm.", "decoder.ln."),
    ("encoder.conv", "encoder.conv"),
];
const OF_LAYERS: [(&str, &str); 13] = [
    ("self_attn.q_proj.", "attn.query."),
    ("self_attn.k_proj.", "attn.key."),
    ("self_attn.v_proj.", "attn.value."),
    ("self_attn.out_proj.", "attn.out."),
    ("self_attn_layer_norm.", "attn_ln."),
    ("encoder_attn.q_proj.", "cross_attn.query."),
    ("encoder_attn.k_proj.", "cross_attn.key."),
    ("encoder_attn.v_proj.", "cross_attn.value."),
    ("encoder_attn.out_proj.", "cross_attn.out."),
    ("encoder_attn_layer_norm.", "cross_attn_ln."),
    ("fc1.", "mlp.0."),
    ("fc2.", "mlp.2."),
    ("final_layer_norm.", "mlp_ln."),
];

/// Our name of a tensor of OpenAI's; its own where it is none of them.
pub(in crate::model) fn canonical(name: &str) -> String {
    translate(name, ".blocks.", ".layers.", |(ours, theirs)| (theirs, ours))
}

/// OpenAI's name of one of our tensors; its own where it is none of them.
pub(in crate::model) fn theirs(name: &str) -> String {
    translate(name, ".layers.", ".blocks.", |pair| pair)
}

type Pair = (&'static str, &'static str);

fn translate(name: &str, before: &str, after: &str, direction: fn(Pair) -> Pair) -> String {
    let replaced = |part: &str, list: &[Pair]| {
        list.iter().map(|pair| direction(*pair)).find_map(|(from, to)| {
            let rest = part.strip_prefix(from)?;
            Some(format!("{to}{rest}"))
        })
    };
    let translated = match name.split_once(before) {
        None => replaced(name, &WHOLE),
        Some((stack, rest)) => rest
            .split_once('.')
            .and_then(|(layer, part)| Some(format!("{stack}{after}{layer}.{}", replaced(part, &OF_LAYERS)?))),
    };
    translated.unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tensor_has_a_name_there_and_back() {
        let sizes = Sizes {
            mel_bins: 80,
            audio_context: 1500,
            audio_width: 384,
            audio_heads: 6,
            audio_layers: 12,
            audio_feed_forward: 0,
            text_context: 448,
            text_width: 384,
            text_heads: 6,
            text_layers: 4,
            text_feed_forward: 0,
            vocabulary: 51865,
        };
        let dims = dims(&sizes, "tiny.pt").unwrap();
        assert_eq!(dims.text_feed_forward, 1536);
        for (name, _) in dims.tensors() {
            let other = theirs(&name);
            assert_eq!(canonical(&other), name);
            assert!(!other.contains("proj") && !other.contains("layers"), "{other}");
        }
        assert_eq!(theirs("encoder.layers.11.self_attn.k_proj.weight"), "encoder.blocks.11.attn.key.weight");
        assert_eq!(theirs("decoder.layer_norm.bias"), "decoder.ln.bias");
        assert_eq!(canonical("decoder.blocks.3.cross_attn_ln.bias"), "decoder.layers.3.encoder_attn_layer_norm.bias");
        assert_eq!((canonical("odd"), canonical("encoder.blocks.odd")), ("odd".into(), "encoder.blocks.odd".into()));
    }
}
