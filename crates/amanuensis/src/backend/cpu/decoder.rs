//! The decoder: what was heard and the tokens so far in, logits of the next token out.

use std::time::Instant;

use amanuensis_kernels::{
    AttentionWeights, Epilogue, KeysValues, PackedMatrix, Past, Precision, Region, StoredMatrix, Team, Turn,
};

use super::lanes::{Lane, Lanes};
use super::layers::{FeedForward, Norm, SelfAttention, held, linear};
use super::precisions::Precisions;
use super::workspace::Workspace;
use super::{CpuModel, Project};
use crate::backend::{BackendError, CrossAttention, Decoding, Encoded, Feed, Logits, Stage, Work};
use crate::model::{Dims, ModelError, Weights};

/// The decoder's weights.
pub(super) struct Decoder {
    width: usize,
    heads: usize,
    head_width: usize,
    /// Of the keys and values of what was heard.
    heard: Precision,
    /// Of those of what was said.
    said: Precision,
    context: usize,
    vocabulary: usize,
    audio_context: usize,
    audio_width: usize,
    /// Both the embedding of tokens and the projection onto the vocabulary.
    tokens: PackedMatrix,
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

struct Layer {
    attention: SelfAttention,
    cross_norm: Norm,
    cross_queries: PackedMatrix,
    cross_keys_values: PackedMatrix,
    cross_out: PackedMatrix,
    feed_forward: FeedForward,
}

/// Keys and values of the encoded windows, `[window][layer]`.
pub(super) type Heard = Vec<Vec<KeysValues>>;

impl Decoder {
    pub(super) fn load(
        region: &mut Region<'_>,
        dims: &Dims,
        weights: &Weights,
        precisions: Precisions,
    ) -> Result<Self, ModelError> {
        let (width, precision) = (dims.text_width, precisions.decoder);
        let layer = |region: &mut Region<'_>, index: usize| -> Result<Layer, ModelError> {
            let name = format!("decoder.layers.{index}");
            let cross = |part: &str| format!("{name}.encoder_attn.{part}_proj");
            Ok(Layer {
                attention: SelfAttention::load(region, precision, weights, &name, width)?,
                cross_norm: Norm::load(weights, &format!("{name}.encoder_attn_layer_norm"), width)?,
                cross_queries: linear(region, precision, weights, &[&cross("q")], width, width)?,
                cross_keys_values: linear(
                    region,
                    precisions.encoder,
                    weights,
                    &[&cross("k"), &cross("v")],
                    width,
                    dims.audio_width,
                )?,
                cross_out: linear(region, precision, weights, &[&cross("out")], width, width)?,
                feed_forward: FeedForward::load(region, precision, weights, &name, width, dims.text_feed_forward)?,
            })
        };
        let name = "decoder.embed_tokens.weight".to_owned();
        let tokens = StoredMatrix::of(vec![weights.tensor(&name, &[dims.vocabulary, width])?.stored()]);
        let tokens = region.pack(precisions.tokens, tokens, dims.vocabulary, width, None);
        held(tokens.overflowed(), weights, &[name])?;
        Ok(Decoder {
            width,
            heads: dims.text_heads,
            head_width: dims.text_head_width(),
            heard: precisions.heard,
            said: precisions.said,
            context: dims.text_context,
            vocabulary: dims.vocabulary,
            audio_context: dims.audio_context,
            audio_width: dims.audio_width,
            tokens,
            positions: weights.tensor("decoder.embed_positions.weight", &[dims.text_context, width])?.to_f32(),
            layers: (0..dims.text_layers).map(|index| layer(region, index)).collect::<Result<_, _>>()?,
            norm: Norm::load(weights, "decoder.layer_norm", width)?,
        })
    }

    /// Bytes that the weights take.
    pub(super) fn bytes(&self) -> usize {
        let layer = |layer: &Layer| {
            let cross = [&layer.cross_queries, &layer.cross_keys_values, &layer.cross_out];
            let cross: usize = cross.iter().map(|matrix| matrix.bytes()).sum();
            layer.attention.bytes() + layer.cross_norm.bytes() + cross + layer.feed_forward.bytes()
        };
        let layers: usize = self.layers.iter().map(layer).sum();
        self.tokens.bytes() + size_of_val(self.positions.as_slice()) + layers + self.norm.bytes()
    }

    /// Keys and values of everything that was heard, in `rooms` as far as there are any.
    pub(super) fn listen(
        &self,
        region: &mut Region<'_>,
        workspace: &mut Workspace,
        mut rooms: Heard,
        encoded: &Encoded,
        work: &Work<'_>,
    ) -> Result<Heard, BackendError> {
        let longest = encoded.positions.iter().copied().max().unwrap_or(0);
        assert!(longest <= self.audio_context, "a window of {longest} positions, room for {}", self.audio_context);
        let rows = &mut workspace.heard;
        let mut listen = |window: &[f32]| {
            let mut room = rooms.pop().unwrap_or_else(|| self.room(region));
            if let Some(layer) = self.layers.first() {
                region.pack_rows(window, None, &layer.cross_keys_values, rows);
            }
            for (layer, keys_values) in self.layers.iter().zip(&mut room) {
                work.proceed()?;
                keys_values.hear(region, rows, &layer.cross_keys_values);
            }
            Ok(room)
        };
        encoded.windows(self.audio_width)?.map(&mut listen).collect()
    }

    /// The same, of what somebody else projects: a layer of all windows at a time.
    pub(super) fn listen_by(
        &self,
        team: &mut Team,
        mut rooms: Heard,
        encoded: &Encoded,
        project: &mut Project<'_>,
        work: &mut Work<'_>,
    ) -> Result<Heard, BackendError> {
        let wide = 2 * self.width;
        let mut projected = vec![0.0; encoded.positions.iter().sum::<usize>() * wide];
        let mut heard: Heard = encoded
            .positions
            .iter()
            .map(|_| rooms.pop().unwrap_or_else(|| team.enter(|region| self.room(region))))
            .collect();
        for layer in 0..self.layers.len() {
            work.proceed()?;
            project(layer, &mut projected, work)?;
            team.enter(|region| {
                let mut rest = projected.as_slice();
                for (positions, room) in encoded.positions.iter().zip(&mut heard) {
                    let (window, behind) = rest.split_at(positions * wide);
                    room[layer].fill(region, window);
                    rest = behind;
                }
            });
        }
        Ok(heard)
    }

    /// Room for the keys and values of a window, in each layer.
    fn room(&self, region: &mut Region<'_>) -> Vec<KeysValues> {
        let (heads, width, capacity) = (self.heads, self.head_width, self.audio_context);
        self.layers.iter().map(|_| region.keys_values(self.heard, heads, width, capacity)).collect()
    }
}

/// The decoder at work.
pub(super) struct CpuDecoding<'a> {
    model: &'a CpuModel,
    heard: Heard,
    lanes: Lanes,
}

impl<'a> CpuDecoding<'a> {
    pub(super) fn new(model: &'a CpuModel, heard: Heard) -> Self {
        let lanes = Lanes::with(std::mem::take(&mut model.rooms().lanes));
        CpuDecoding { model, heard, lanes }
    }
}

impl Drop for CpuDecoding<'_> {
    fn drop(&mut self) {
        self.model.rooms().take_back(std::mem::take(&mut self.heard), self.lanes.leave());
    }
}

impl Decoding for CpuDecoding<'_> {
    fn start(&mut self, windows: &[usize]) {
        let heard = self.heard.len();
        assert!(windows.iter().all(|window| *window < heard), "windows {windows:?} of {heard}");
        let decoder = &self.model.decoder;
        let (kernels, heads, width) = (self.model.kernels, decoder.heads, decoder.head_width);
        let empty = || Past::new(kernels, decoder.said, heads, width, decoder.context);
        self.lanes.start(windows, || decoder.layers.iter().map(|_| empty()).collect());
    }

    fn attend(
        &mut self,
        feeds: &[Feed<'_>],
        heads: &[(usize, usize)],
        logits: &mut Logits,
        attention: &mut CrossAttention,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        work.proceed()?;
        let decoder = &self.model.decoder;
        let lanes = &mut self.lanes.live;
        assert_eq!(feeds.len(), lanes.len(), "one feed for each lane");
        let exists = |&(layer, head): &(usize, usize)| layer < decoder.layers.len() && head < decoder.heads;
        assert!(heads.iter().all(exists), "a head that the decoder does not have among {heads:?}");
        let within = |feed: &Feed<'_>| feed.read.iter().all(|index| *index < feed.tokens.len());
        assert!(feeds.iter().all(within), "logits behind the tokens of a feed");
        for (lane, feed) in lanes.iter().zip(feeds) {
            let tokens = lane.length() + feed.tokens.len();
            if tokens > decoder.context {
                return Err(BackendError::TooLong { tokens, limit: decoder.context });
            }
        }
        let positions: Vec<usize> =
            lanes.iter().map(|lane| self.heard[lane.window].first().map_or(0, KeysValues::len)).collect();
        attention.prepare(&positions, heads.len());
        let mut kept = Kept { heads, attention };
        self.model
            .bench()
            .team
            .enter(|region| decoder.run(region, lanes, &self.heard, feeds, logits, &mut kept, work))?;
        work.receipt.ran_on(&self.model.device);
        Ok(())
    }

    fn keep(&mut self, parents: &[usize]) {
        self.lanes.keep(parents);
    }
}

/// The heads of the cross-attention whose scores are kept, and where they go.
struct Kept<'a> {
    /// Layer and head.
    heads: &'a [(usize, usize)],
    attention: &'a mut CrossAttention,
}

impl Kept<'_> {
    /// What the kernel is to keep of a layer, if anything.
    fn of_layer(&self, layer: usize) -> Option<AttentionWeights> {
        let heads: Vec<usize> = self.heads.iter().filter(|kept| kept.0 == layer).map(|kept| kept.1).collect();
        if heads.is_empty() { None } else { Some(AttentionWeights::new(heads)) }
    }

    /// Hands over what the kernel kept of a layer.
    fn take(&mut self, layer: usize, feeds: &[Feed<'_>], weights: &AttentionWeights) {
        let of_layer = self.heads.iter().enumerate().filter(|(_, kept)| kept.0 == layer);
        for (chosen, (head, _)) in of_layer.enumerate() {
            let mut rows = 0..weights.rows();
            for (lane, feed) in feeds.iter().enumerate() {
                for row in rows.by_ref().take(feed.tokens.len()) {
                    self.attention.push(lane, head, weights.scores(row, chosen));
                }
            }
        }
    }
}

impl Decoder {
    /// One step: every lane's new tokens through all layers, then the logits that were asked for.
    #[expect(clippy::too_many_arguments, reason = "what a step reads, what it writes, and who computes")]
    fn run(
        &self,
        region: &mut Region<'_>,
        lanes: &mut [Lane],
        heard: &Heard,
        feeds: &[Feed<'_>],
        logits: &mut Logits,
        kept: &mut Kept<'_>,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        let width = self.width;
        let mut since = Instant::now();
        let rows: usize = feeds.iter().map(|feed| feed.tokens.len()).sum();
        let mut x = self.embed(lanes, feeds, rows);
        let mut attended = vec![0.0; rows * width];
        let mut queries_keys_values = vec![0.0; rows * 3 * width];
        let mut queries = vec![0.0; rows * width];

        for (index, layer) in self.layers.iter().enumerate() {
            let SelfAttention { norm, queries_keys_values: three, out } = &layer.attention;
            region.linear(&x, norm.first(), three, Epilogue::Store, &mut queries_keys_values);
            region.attention_to_past(&queries_keys_values, &mut turns(lanes, feeds, index), &mut attended);
            region.linear(&attended, None, out, Epilogue::Add, &mut x);

            region.linear(&x, layer.cross_norm.first(), &layer.cross_queries, Epilogue::Store, &mut queries);
            let cross = lanes.iter().zip(feeds).flat_map(|(lane, feed)| {
                let keys_values = &heard[lane.window][index];
                feed.tokens.iter().map(move |_| keys_values)
            });
            let mut weights = kept.of_layer(index);
            region.attention(&queries, &cross.collect::<Vec<_>>(), self.heads, &mut attended, weights.as_mut());
            if let Some(weights) = weights {
                kept.take(index, feeds, &weights);
            }
            region.linear(&attended, None, &layer.cross_out, Epilogue::Add, &mut x);

            layer.feed_forward.apply(region, &mut x);
        }
        work.receipt.tokens += rows as u64;
        work.receipt.lap(Stage::Decoder, &mut since);

        let read = gather(feeds, width, &x);
        let mut last = vec![0.0; read.len()];
        self.norm.apply(region, &read, &mut last);
        // The norm spreads what is not a number over its whole row, so one value of each row tells.
        if last.iter().step_by(width).any(|value| !value.is_finite()) {
            return Err(BackendError::NotANumber { place: "decoder output" });
        }
        region.linear(&last, None, &self.tokens, Epilogue::Store, logits.prepare(read.len() / width, self.vocabulary));
        work.receipt.lap(Stage::Logits, &mut since);
        Ok(())
    }

    /// Embeddings of the new tokens at their positions, `[rows][width]`.
    fn embed(&self, lanes: &[Lane], feeds: &[Feed<'_>], rows: usize) -> Vec<f32> {
        let mut x = vec![0.0; rows * self.width];
        let places = lanes.iter().zip(feeds).flat_map(|(lane, feed)| {
            feed.tokens.iter().enumerate().map(|(index, &token)| (token as usize, lane.length() + index))
        });
        for ((token, position), row) in places.zip(x.chunks_exact_mut(self.width)) {
            self.tokens.row(token, row);
            for (value, add) in row.iter_mut().zip(&self.positions[position * self.width..]) {
                *value += add;
            }
        }
        x
    }
}

/// What each lane goes on by, in one layer.
fn turns<'a>(lanes: &'a mut [Lane], feeds: &[Feed<'_>], layer: usize) -> Vec<Turn<'a>> {
    let pairs = lanes.iter_mut().zip(feeds);
    pairs.map(|(lane, feed)| Turn { past: &mut lane.said[layer], rows: feed.tokens.len() }).collect()
}

/// The rows whose logits were asked for.
fn gather(feeds: &[Feed<'_>], width: usize, x: &[f32]) -> Vec<f32> {
    let mut first = 0;
    let mut out = Vec::new();
    for feed in feeds {
        for &index in feed.read {
            out.extend_from_slice(&x[(first + index) * width..][..width]);
        }
        first += feed.tokens.len();
    }
    out
}
