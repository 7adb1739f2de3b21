//! The shapes of the published models.

use amanuensis::model::Dims;
use anyhow::{Result, bail};

/// Tokens of text of the multilingual vocabularies; behind them stands the end of the text.
pub(super) const TEXT_TOKENS: usize = 50257;

/// Names, widths, layers of encoder and decoder, mel bins, tokens.
const SHAPES: [(&str, usize, usize, usize, usize, usize); 6] = [
    ("tiny", 384, 4, 4, 80, 51865),
    ("base", 512, 6, 6, 80, 51865),
    ("small", 768, 12, 12, 80, 51865),
    ("medium", 1024, 24, 24, 80, 51865),
    ("large-v3", 1280, 32, 32, 128, 51866),
    ("large-v3-turbo", 1280, 32, 4, 128, 51866),
];

/// The sizes of a published model.
pub(super) fn dims(name: &str) -> Result<Dims> {
    let Some((_, width, encoder_layers, decoder_layers, mel_bins, vocabulary)) =
        SHAPES.iter().find(|(known, ..)| *known == name).copied()
    else {
        let known: Vec<&str> = SHAPES.iter().map(|(name, ..)| *name).collect();
        bail!("{name} is the shape of no published model; there are {}", known.join(", "));
    };
    Ok(Dims {
        mel_bins,
        audio_context: 1500,
        audio_width: width,
        // Heads of all published models have 64 numbers.
        audio_heads: width / 64,
        audio_layers: encoder_layers,
        audio_feed_forward: 4 * width,
        text_context: 448,
        text_width: width,
        text_heads: width / 64,
        text_layers: decoder_layers,
        text_feed_forward: 4 * width,
        vocabulary,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_that_the_engine_knows_by_name() {
        for (name, ..) in SHAPES {
            assert_eq!(dims(name).unwrap().size_name(), Some(name));
        }
        assert!(dims("huge").unwrap_err().to_string().contains("large-v3-turbo"));
    }
}
