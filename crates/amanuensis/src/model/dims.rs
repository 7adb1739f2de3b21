//! The sizes of a model, and the tensors they imply.

use serde::Serialize;

/// The sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dims {
    /// Bands of the mel spectrogram, 80 or 128.
    pub mel_bins: usize,
    /// Positions of the encoder: 1,500 for 30 s.
    pub audio_context: usize,
    /// Numbers per position in the encoder.
    pub audio_width: usize,
    /// Attention heads of an encoder layer.
    pub audio_heads: usize,
    /// Encoder layers.
    pub audio_layers: usize,
    /// Numbers between the two halves of an encoder layer's feed-forward part.
    pub audio_feed_forward: usize,
    /// Positions of the decoder, prompt included: 448.
    pub text_context: usize,
    /// Numbers per position in the decoder; the same as in the encoder.
    pub text_width: usize,
    /// Attention heads of a decoder layer.
    pub text_heads: usize,
    /// Decoder layers.
    pub text_layers: usize,
    /// Numbers between the two halves of a decoder layer's feed-forward part.
    pub text_feed_forward: usize,
    /// Rows of the token embedding. Some may belong to no token.
    pub vocabulary: usize,
}

/// Width of the convolutions' windows.
pub const CONVOLUTION_WINDOW: usize = 3;

impl Dims {
    /// Numbers per position of one head of the encoder.
    pub fn audio_head_width(&self) -> usize {
        self.audio_width / self.audio_heads
    }

    /// Multiplications and additions of the encoder for a window of so many positions: those of its convolutions and linear
    /// layers, and those of its attention.
    pub fn encoder_operations(&self, positions: usize) -> [u64; 2] {
        let size = |number: usize| number as u64;
        let (width, positions) = (size(self.audio_width), size(positions));
        let taps = size(CONVOLUTION_WINDOW);
        let stem = 2 * positions * taps * size(self.mel_bins) * width + positions * taps * width * width;
        let layer = 4 * width * width + 2 * width * size(self.audio_feed_forward);
        let layers = size(self.audio_layers);
        [2 * (stem + layers * positions * layer), 4 * layers * positions * positions * width]
    }

    /// Multiplications and additions of the cross-attention's keys and values for a window of so many positions.
    pub fn cross_operations(&self, positions: usize) -> u64 {
        let [positions, layers, from, to] =
            [positions, self.text_layers, self.audio_width, self.text_width].map(|number| number as u64);
        2 * layers * positions * from * 2 * to
    }

    /// Numbers per position of one head of the decoder.
    pub fn text_head_width(&self) -> usize {
        self.text_width / self.text_heads
    }

    /// Which of the published models has these sizes; a fine-tuned one has those of the model it came from.
    pub fn size_name(&self) -> Option<&'static str> {
        Some(match (self.audio_width, self.audio_layers, self.text_layers, self.mel_bins) {
            (384, 4, 4, 80) => "tiny",
            (512, 6, 6, 80) => "base",
            (768, 12, 12, 80) => "small",
            (1024, 24, 24, 80) => "medium",
            (1280, 32, 32, 80) => "large-v1 or large-v2",
            (1280, 32, 32, 128) => "large-v3",
            (1280, 32, 4, 128) => "large-v3-turbo",
            (768, 12, 4, 80) => "distil-small",
            (1024, 24, 2, 80) => "distil-medium",
            (1280, 32, 2, 80) => "distil-large-v2",
            (1280, 32, 2, 128) => "distil-large-v3",
            _ => return None,
        })
    }

    /// Every tensor of a model of these sizes with its shape, in the order of the computation.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut list = TensorList::default();
        let width = self.audio_width;
        list.add("encoder.conv1.weight", &[width, self.mel_bins, CONVOLUTION_WINDOW]);
        list.add("encoder.conv1.bias", &[width]);
        list.add("encoder.conv2.weight", &[width, width, CONVOLUTION_WINDOW]);
        list.add("encoder.conv2.bias", &[width]);
        list.add("encoder.embed_positions.weight", &[self.audio_context, width]);
        for layer in 0..self.audio_layers {
            let layer = format!("encoder.layers.{layer}");
            list.attention(&format!("{layer}.self_attn"), width);
            list.feed_forward(&layer, width, self.audio_feed_forward);
        }
        list.normalisation("encoder.layer_norm", width);

        let width = self.text_width;
        list.add("decoder.embed_tokens.weight", &[self.vocabulary, width]);
        list.add("decoder.embed_positions.weight", &[self.text_context, width]);
        for layer in 0..self.text_layers {
            let layer = format!("decoder.layers.{layer}");
            list.attention(&format!("{layer}.self_attn"), width);
            list.attention(&format!("{layer}.encoder_attn"), width);
            list.feed_forward(&layer, width, self.text_feed_forward);
        }
        list.normalisation("decoder.layer_norm", width);
        list.0
    }
}

#[derive(Default)]
struct TensorList(Vec<(String, Vec<usize>)>);

impl TensorList {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.0.push((name.to_owned(), shape.to_vec()));
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize, bias: bool) {
        self.add(&format!("{name}.weight"), &[outputs, inputs]);
        if bias {
            self.add(&format!("{name}.bias"), &[outputs]);
        }
    }

    fn normalisation(&mut self, name: &str, width: usize) {
        self.add(&format!("{name}.weight"), &[width]);
        self.add(&format!("{name}.bias"), &[width]);
    }

    /// The normalisation before an attention, and its four projections. Keys have no bias: it would add the same
    /// number to all scores of a query.
    fn attention(&mut self, name: &str, width: usize) {
        self.normalisation(&format!("{name}_layer_norm"), width);
        for (projection, bias) in [("q_proj", true), ("k_proj", false), ("v_proj", true), ("out_proj", true)] {
            self.linear(&format!("{name}.{projection}"), width, width, bias);
        }
    }

    fn feed_forward(&mut self, layer: &str, width: usize, inner: usize) {
        self.normalisation(&format!("{layer}.final_layer_norm"), width);
        self.linear(&format!("{layer}.fc1"), width, inner, true);
        self.linear(&format!("{layer}.fc2"), inner, width, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Dims = Dims {
        mel_bins: 80,
        audio_context: 1500,
        audio_width: 512,
        audio_heads: 8,
        audio_layers: 6,
        audio_feed_forward: 2048,
        text_context: 448,
        text_width: 512,
        text_heads: 8,
        text_layers: 6,
        text_feed_forward: 2048,
        vocabulary: 51865,
    };

    #[test]
    fn base_has_the_tensors_and_parameters_it_is_known_for() {
        let tensors = BASE.tensors();
        let count = |part: &str| tensors.iter().filter(|(name, _)| name.starts_with(part)).count();
        assert_eq!(count("encoder."), 97);
        assert_eq!(count("encoder.layers.0."), 15);
        assert_eq!(count("decoder.layers.5."), 24);
        let parameters = |part: &str| -> usize {
            let of_part = tensors.iter().filter(|(name, _)| name.starts_with(part));
            of_part.map(|(_, shape)| shape.iter().product::<usize>()).sum()
        };
        assert_eq!(parameters("encoder."), 20_590_592);
        assert_eq!(parameters("encoder.layers.3."), 3_151_872);
        assert_eq!(parameters(""), 72_593_920);
        assert!(!tensors.iter().any(|(name, _)| name.ends_with("k_proj.bias")));
    }

    #[test]
    fn sizes_have_names() {
        assert_eq!(BASE.size_name(), Some("base"));
        assert_eq!(Dims { audio_width: 640, ..BASE }.size_name(), None);
        assert_eq!((BASE.audio_head_width(), BASE.text_head_width()), (64, 64));
    }
}
