//! Keys and values of the cross-attention, projected by whoever multiplies from what the encoder heard.

use amanuensis::backend::{Encoded, Work};
use amanuensis::model::{Dims, Weights};
use amanuensis_kernels::Team;

use super::layers::{Affine, Stop};
use super::products::Products;

/// Positions that are projected together, at most: those of four windows. Their results take 123 MB in the largest model.
const TOGETHER: usize = 4 * 1500;

/// The decoder's matrices that make keys and values of what was heard, layer by layer.
pub(super) struct CrossKeysValues {
    from: usize,
    to: usize,
    layers: Vec<Affine>,
}

impl CrossKeysValues {
    pub(super) fn load(products: &mut dyn Products, dims: &Dims, weights: &Weights) -> Result<Self, Stop> {
        let (from, to) = (dims.audio_width, dims.text_width);
        let layer = |index: usize| {
            let names = ["k", "v"].map(|part| format!("decoder.layers.{index}.encoder_attn.{part}_proj"));
            Affine::load(products, weights, &names, [to, from])
        };
        Ok(Self { from, to: 2 * to, layers: (0..dims.text_layers).map(layer).collect::<Result<_, _>>()? })
    }

    /// The keys and values of a layer, `[position][keys, then values]`.
    pub(super) fn project(
        &self,
        products: &mut dyn Products,
        team: &mut Team,
        layer: usize,
        encoded: &Encoded,
        out: &mut [f32],
        work: &mut Work<'_>,
    ) -> Result<(), Stop> {
        let mut results = Vec::new();
        let parts = encoded.of_host(self.from)?.chunks(TOGETHER * self.from).zip(out.chunks_mut(TOGETHER * self.to));
        for (rows, out) in parts {
            self.layers[layer].run(products, rows, &mut results, work)?;
            self.layers[layer].finish(team, &mut results, false);
            out.copy_from_slice(&results);
        }
        Ok(())
    }
}
