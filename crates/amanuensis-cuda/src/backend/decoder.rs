//! The decoder's weights, and what is asked of the device for a step.

use amanuensis::model::Dims;
use half::f16;

use super::layers::{FeedForward, Inner, Norm, Outer, SelfAttention};
use super::weights::{Counts, Delivery, Undelivered};
use crate::driver::{Gpu, GpuError, View};
use crate::kernels::{Choose, Embed, Kept, LaneAttention, Output, Product, Remember, Split};

/// The decoder's weights.
pub(super) struct Decoder {
    pub(super) width: usize,
    pub(super) context: usize,
    pub(super) vocabulary: usize,
    /// Numbers of the widest row inside a layer.
    pub(super) widest: usize,
    /// Both the embedding of tokens and the projection onto the vocabulary.
    tokens: View<f16>,
    positions: View<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

#[derive(Clone, Copy)]
struct Layer {
    attention: SelfAttention,
    cross_norm: Norm,
    cross_queries: Inner,
    cross_keys_values: Inner,
    cross_out: Outer,
    feed_forward: FeedForward,
}

/// Where a step happens: tables that say which rows are meant, and memory.
pub(super) struct Step {
    /// Token and position of each row.
    pub(super) fed: View<i32>,
    /// Where each row's keys and values go.
    pub(super) places: View<i32>,
    /// What each row sees of its lane.
    pub(super) own: View<i32>,
    /// What each row sees of what was heard.
    pub(super) cross: View<i32>,
    /// What lanes remember, `[slot][layer][position][2][width]`.
    pub(super) pool: View<f16>,
    /// What was heard, `[layer][row][2][width]`.
    pub(super) heard: View<f16>,
    /// Rows of a layer of it.
    pub(super) heard_rows: usize,
    pub(super) x: View<f32>,
    pub(super) normed: View<f16>,
    pub(super) wide: View<f16>,
    pub(super) attended: View<f16>,
    /// How the keys of a lane's own past are shared by blocks, and those of what was heard.
    pub(super) splits: [Option<Split>; 2],
    /// For each layer what is kept of the cross-attention's scores; empty where nothing is.
    pub(super) kept: Vec<Option<Kept>>,
}

impl Decoder {
    pub(super) fn count(counts: &mut Counts, dims: &Dims) {
        let width = dims.text_width;
        counts.half(dims.vocabulary * width);
        counts.float(dims.text_context * width);
        for _ in 0..dims.text_layers {
            SelfAttention::count(counts, width);
            Norm::count(counts, width);
            Inner::count(counts, width, width);
            Inner::count(counts, 2 * width, dims.audio_width);
            Outer::count(counts, width, width);
            FeedForward::count(counts, width, dims.text_feed_forward);
        }
        Norm::count(counts, width);
    }

    pub(super) fn load(delivery: &mut Delivery<'_>, dims: &Dims) -> Result<Self, Undelivered> {
        let width = dims.text_width;
        let tokens = delivery.read("decoder.embed_tokens.weight", &[dims.vocabulary, width])?;
        let tokens = delivery.halves(&tokens)?;
        let positions = delivery.read("decoder.embed_positions.weight", &[dims.text_context, width])?;
        let positions = delivery.floats(&positions)?;
        let layer = |index: usize| -> Result<Layer, Undelivered> {
            let name = format!("decoder.layers.{index}");
            let cross = |part: &str| format!("{name}.encoder_attn.{part}_proj");
            Ok(Layer {
                attention: SelfAttention::load(delivery, &name, width)?,
                cross_norm: Norm::load(delivery, &format!("{name}.encoder_attn_layer_norm"), width)?,
                cross_queries: Inner::load(delivery, &[&cross("q")], width, width)?,
                cross_keys_values: Inner::load(delivery, &[&cross("k"), &cross("v")], width, dims.audio_width)?,
                cross_out: Outer::load(delivery, &cross("out"), width, width)?,
                feed_forward: FeedForward::load(delivery, &name, width, dims.text_feed_forward)?,
            })
        };
        let layers = (0..dims.text_layers).map(layer).collect::<Result<_, _>>()?;
        Ok(Decoder {
            width,
            context: dims.text_context,
            vocabulary: dims.vocabulary,
            widest: (3 * width).max(dims.text_feed_forward),
            tokens,
            positions,
            layers,
            norm: Norm::load(delivery, "decoder.layer_norm", width)?,
        })
    }

    pub(super) fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Keys and values of everything that was heard: `encoded` is `[rows][audio width]`, `heard` is `[layer][rows][2][width]`.
    pub(super) fn listen(&self, gpu: &dyn Gpu, encoded: View<f16>, heard: View<f16>) -> Result<(), GpuError> {
        let size = heard.len() / self.layers.len().max(1);
        for (index, layer) in self.layers.iter().enumerate() {
            layer.cross_keys_values.apply(gpu, encoded, heard.part(index * size..(index + 1) * size))?;
        }
        Ok(())
    }

    /// Every row through all layers.
    pub(super) fn run(&self, gpu: &dyn Gpu, step: &Step) -> Result<(), GpuError> {
        let width = self.width;
        let Step { fed, x, normed, wide, attended, pool, heard, .. } = *step;
        let rows = x.len() / width;
        gpu.run(&Embed { tokens: self.tokens, positions: self.positions, fed, out: x, width }.into())?;
        for (index, layer) in self.layers.iter().enumerate() {
            let SelfAttention { norm, queries_keys_values, out } = &layer.attention;
            let (three, offset) = (wide.first(rows * 3 * width), index * self.context);
            norm.apply(gpu, x, None, normed)?;
            queries_keys_values.apply(gpu, normed, three)?;
            gpu.run(&Remember { input: three, pool, places: step.places, offset, width }.into())?;
            let own = LaneAttention {
                queries: three,
                pitch: 3 * width,
                pool,
                seen: step.own,
                offset,
                out: attended,
                width,
                kept: None,
                split: step.splits[0],
            };
            gpu.run(&own.into())?;
            out.add(gpu, attended, x)?;

            let queries = wide.first(rows * width);
            layer.cross_norm.apply(gpu, x, None, normed)?;
            layer.cross_queries.apply(gpu, normed, queries)?;
            let cross = LaneAttention {
                queries,
                pitch: width,
                pool: heard,
                seen: step.cross,
                offset: index * step.heard_rows,
                out: attended,
                width,
                kept: step.kept.get(index).copied().flatten(),
                split: step.splits[1],
            };
            gpu.run(&cross.into())?;
            layer.cross_out.add(gpu, attended, x)?;

            layer.feed_forward.apply(gpu, x, normed, wide)?;
        }
        Ok(())
    }

    /// The logits of the rows that are picked.
    pub(super) fn read(
        &self,
        gpu: &dyn Gpu,
        x: View<f32>,
        picked: View<i32>,
        last: View<f16>,
        logits: View<f32>,
    ) -> Result<(), GpuError> {
        self.norm.apply(gpu, x, Some(picked), last)?;
        let product = Product {
            input: last,
            weights: self.tokens,
            out: Output::Float { into: logits, bias: None, add: false },
            rows: picked.len(),
            columns: self.vocabulary,
            depth: self.width,
            pitch: Choose::pitch(self.vocabulary),
        };
        gpu.run(&product.into())
    }
}
