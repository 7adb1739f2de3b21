//! Attention of new tokens.

use half::f16;

use super::window_attention::SCALE;
use super::{Argument, HEAD_WIDTH, Launch};
use crate::driver::View;
#[cfg(any(test, feature = "fake-driver"))]
use crate::driver::{GpuError, fake::Memory};

/// Attention of new tokens to rows of a pool: to what their lane has seen, or to what was heard.
#[derive(Debug, Clone, Copy)]
pub struct LaneAttention {
    /// `[rows][pitch]`, of which the first `width` numbers are the queries.
    pub queries: View<f16>,
    /// Numbers from one row of queries to the next.
    pub pitch: usize,
    /// Rows of keys and values, `[rows][2][heads][64]`.
    pub pool: View<f16>,
    /// For each row the pool's first row that it looks at, in the first layer, and how many.
    pub seen: View<i32>,
    /// Rows from the first layer to the one at hand.
    pub offset: usize,
    /// `[rows][heads][64]`.
    pub out: View<f16>,
    /// Numbers of a row of the output.
    pub width: usize,
    /// What is kept of the scores, if anything.
    pub kept: Option<Kept>,
}

/// Scaled scores before softmax that are kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// For each head the place of its scores in a row, or less than zero.
    pub heads: View<i32>,
    /// `[rows][places][longest]`.
    pub scores: View<f32>,
    /// How many places a row has.
    pub places: usize,
    /// Room for scores in a place.
    pub longest: usize,
}

impl LaneAttention {
    pub(super) fn launch(&self) -> Launch {
        let [heads, scores, places, longest] = match self.kept {
            Some(kept) => [kept.heads.into(), kept.scores.into(), kept.places.into(), kept.longest.into()],
            None => [Argument::Address(0), Argument::Address(0), Argument::Int(0), Argument::Int(0)],
        };
        Launch {
            kernel: "lane_attention",
            grid: [self.width / HEAD_WIDTH, self.seen.len() / 2, 1],
            block: 128,
            arguments: vec![
                self.queries.into(),
                self.pitch.into(),
                self.pool.into(),
                self.seen.into(),
                self.offset.into(),
                self.out.into(),
                self.width.into(),
                SCALE.into(),
                heads,
                scores,
                places,
                longest,
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let (queries, width) = (memory.get_f32(self.queries)?, self.width);
        let kept = self.kept.map(|kept| memory.get(kept.heads)).transpose()?.unwrap_or_default();
        for (row, seen) in memory.get(self.seen)?.chunks_exact(2).enumerate() {
            let [first, rows] = [seen[0], seen[1]].map(|number| usize::try_from(number).unwrap_or(usize::MAX / 4096));
            let first = (first + self.offset) * 2 * width;
            let pool = memory.get_f32(self.pool.part(first..first + rows * 2 * width))?;
            let mut out = vec![f16::ZERO; width];
            for head in 0..width / HEAD_WIDTH {
                let part = |second: usize| -> Vec<f32> {
                    let rows = pool.chunks_exact(2 * width);
                    rows.flat_map(|row| &row[second * width + head * HEAD_WIDTH..][..HEAD_WIDTH]).copied().collect()
                };
                let [keys, values] = [0, 1].map(part);
                let mut shown = Vec::new();
                let query = &queries[row * self.pitch + head * HEAD_WIDTH..][..HEAD_WIDTH];
                let attended = super::window_attention::attend(query, &keys, &values, |scores| shown = scores.to_vec());
                for (into, value) in out[head * HEAD_WIDTH..].iter_mut().zip(attended) {
                    *into = f16::from_f32(value);
                }
                let place = kept.get(head).and_then(|place| usize::try_from(*place).ok());
                if let (Some(kept), Some(place)) = (self.kept, place) {
                    memory.set(kept.scores, (row * kept.places + place) * kept.longest, &shown)?;
                }
            }
            memory.set(self.out, row * width, &out)?;
        }
        Ok(())
    }
}
