//! Which attention heads follow the sound word by word, for models whose files do not say.

use super::Dims;

/// Decoder layer and head.
type Heads = &'static [(usize, usize)];

/// English-only and multilingual models of one size have different heads.
const ENGLISH_ONLY_VOCABULARY: usize = 51864;

const TINY_EN: Heads = &[(1, 0), (2, 0), (2, 5), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4)];
const TINY: Heads = &[(2, 2), (3, 0), (3, 2), (3, 3), (3, 4), (3, 5)];
const BASE_EN: Heads = &[(3, 3), (4, 7), (5, 1), (5, 5), (5, 7)];
const BASE: Heads = &[(3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6)];
#[rustfmt::skip]
const SMALL_EN: Heads = &[
    (6, 6), (7, 0), (7, 3), (7, 8), (8, 2), (8, 5), (8, 7), (9, 0), (9, 4), (9, 8), (9, 10), (10, 0), (10, 1),
    (10, 2), (10, 3), (10, 6), (10, 11), (11, 2), (11, 4),
];
#[rustfmt::skip]
const SMALL: Heads = &[
    (5, 3), (5, 9), (8, 0), (8, 4), (8, 7), (8, 8), (9, 0), (9, 7), (9, 9), (10, 5),
];
#[rustfmt::skip]
const MEDIUM_EN: Heads = &[
    (11, 4), (14, 1), (14, 12), (14, 14), (15, 4), (16, 0), (16, 4), (16, 9), (17, 12), (17, 14), (18, 7), (18, 10),
    (18, 15), (20, 0), (20, 3), (20, 9), (20, 14), (21, 12),
];
const MEDIUM: Heads = &[(13, 15), (15, 4), (15, 15), (16, 1), (20, 0), (23, 4)];
#[rustfmt::skip]
const LARGE_V2: Heads = &[
    (10, 12), (13, 17), (16, 11), (16, 12), (16, 13), (17, 15), (17, 16), (18, 4), (18, 11), (18, 19), (19, 11),
    (21, 2), (21, 3), (22, 3), (22, 9), (22, 12), (23, 5), (23, 7), (23, 13), (25, 5), (26, 1), (26, 12), (27, 15),
];
#[rustfmt::skip]
const LARGE_V3: Heads = &[
    (7, 0), (10, 17), (12, 18), (13, 12), (16, 1), (17, 14), (19, 11), (21, 4), (24, 1), (25, 6),
];
const LARGE_V3_TURBO: Heads = &[(2, 4), (2, 11), (3, 3), (3, 6), (3, 11), (3, 14)];

/// The heads found for the published model of these sizes, or else all heads of the later half of the decoder.
pub(super) fn heads(dims: &Dims) -> Vec<(usize, usize)> {
    let english_only = dims.vocabulary == ENGLISH_ONLY_VOCABULARY;
    let known = match (dims.size_name(), english_only) {
        (Some("tiny"), true) => TINY_EN,
        (Some("tiny"), false) => TINY,
        (Some("base"), true) => BASE_EN,
        (Some("base"), false) => BASE,
        (Some("small"), true) => SMALL_EN,
        (Some("small"), false) => SMALL,
        (Some("medium"), true) => MEDIUM_EN,
        (Some("medium"), false) => MEDIUM,
        // The first large model has the second one's sizes; the second is the one in use.
        (Some("large-v1 or large-v2"), _) => LARGE_V2,
        (Some("large-v3"), _) => LARGE_V3,
        (Some("large-v3-turbo"), _) => LARGE_V3_TURBO,
        _ => &[],
    };
    if !known.is_empty() && known.iter().all(|&(layer, head)| layer < dims.text_layers && head < dims.text_heads) {
        return known.to_vec();
    }
    (dims.text_layers / 2..dims.text_layers)
        .flat_map(|layer| (0..dims.text_heads).map(move |head| (layer, head)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dims(width: usize, audio_layers: usize, text_layers: usize, mel_bins: usize, vocabulary: usize) -> Dims {
        Dims {
            mel_bins,
            audio_context: 1500,
            audio_width: width,
            audio_heads: width / 64,
            audio_layers,
            audio_feed_forward: 4 * width,
            text_context: 448,
            text_width: width,
            text_heads: width / 64,
            text_layers,
            text_feed_forward: 4 * width,
            vocabulary,
        }
    }

    #[test]
    fn published_models_have_their_heads() {
        assert_eq!(heads(&dims(384, 4, 4, 80, 51864)), TINY_EN);
        assert_eq!(heads(&dims(384, 4, 4, 80, 51865)), TINY);
        assert_eq!(heads(&dims(1280, 32, 32, 80, 51865)), LARGE_V2);
        assert_eq!(heads(&dims(1280, 32, 32, 128, 51866)), LARGE_V3);
        assert_eq!(heads(&dims(1280, 32, 4, 128, 51866)), LARGE_V3_TURBO);
        let sizes = [(384, 4), (512, 6), (768, 12), (1024, 24), (1280, 32)];
        for (width, layers) in sizes {
            for vocabulary in [51864, 51865] {
                let dims = dims(width, layers, layers, 80, vocabulary);
                let heads = heads(&dims);
                assert!(heads.iter().all(|(layer, head)| *layer < layers && *head < dims.text_heads));
                assert!(heads.len() < layers / 2 * dims.text_heads);
            }
        }
    }

    #[test]
    fn unknown_models_use_the_later_half() {
        assert_eq!(heads(&dims(128, 2, 3, 80, 600)), [(1, 0), (1, 1), (2, 0), (2, 1)]);
        assert_eq!(heads(&dims(1280, 32, 2, 128, 51866)).len(), 20);
    }
}
