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
    /// How the keys of a head and row are shared by several blocks, if they are.
    pub split: Option<Split>,
}

/// Keys that are shared by several blocks, and where these put their parts together.
#[derive(Debug, Clone, Copy)]
pub struct Split {
    /// Blocks for each row and head.
    pub parts: usize,
    /// `[rows][heads][parts][66]`: whatever lies there, before and after.
    pub partials: View<f32>,
    /// A number for each row and head, which is 0 before and after.
    pub arrived: View<i32>,
}

/// Numbers of what a block puts down.
const PARTIAL: usize = 66;
/// Keys that are worth a block: two turns of its threads, so that what the blocks wait for is not mostly one another.
const LEAST_KEYS: usize = 128;
/// Blocks for each multiprocessor that there are to be. A block has 8 KB of keys or values on their way at a time; a multiprocessor
/// of an H200 has its 132nd part of 4.8 TB/s, which at 800 ns from asking to having is 29 KB on their way. Not measured.
const BLOCKS_EACH: usize = 4;

impl Split {
    /// Among how many blocks the keys of each row and head are shared, on a device of so many multiprocessors. No row has more keys
    /// than said.
    pub fn parts(multiprocessors: usize, rows: usize, heads: usize, keys: usize) -> usize {
        let wanted = BLOCKS_EACH * multiprocessors / (rows * heads).max(1);
        wanted.min(keys.div_ceil(LEAST_KEYS)).max(1)
    }

    /// How many numbers there must be in `partials` and in `arrived`.
    pub fn room(rows: usize, heads: usize, parts: usize) -> (usize, usize) {
        (rows * heads * parts * PARTIAL, rows * heads)
    }
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
        let [partials, arrived] = match self.split {
            Some(split) => [split.partials.into(), split.arrived.into()],
            None => [Argument::Address(0); 2],
        };
        Launch {
            kernel: "lane_attention",
            grid: [self.width / HEAD_WIDTH, self.seen.len() / 2, self.split.map_or(1, |split| split.parts)],
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
                partials,
                arrived,
            ],
        }
    }

    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn reference(&self, memory: &mut Memory) -> Result<(), GpuError> {
        let (queries, width) = (memory.get_f32(self.queries)?, self.width);
        let kept = self.kept.map(|kept| memory.get(kept.heads)).transpose()?.unwrap_or_default();
        if let Some(split) = self.split {
            split.check(memory, self.seen.len() / 2, width / HEAD_WIDTH)?;
        }
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

#[cfg(any(test, feature = "fake-driver"))]
impl Split {
    /// Whether there is what the kernel needs beside the truth, of which nothing may be expected afterwards.
    fn check(&self, memory: &mut Memory, rows: usize, heads: usize) -> Result<(), GpuError> {
        let (partials, arrived) = Self::room(rows, heads, self.parts);
        let (ready, there) = (memory.get(self.arrived)?, self.partials.len());
        if there < partials || ready.len() < arrived || ready.iter().any(|number| *number != 0) {
            let wanted = format!("{partials} numbers and {arrived} zeros");
            let there = format!("room for {there} and {} others", ready.len());
            return Err(GpuError::Misuse { what: "attention in parts", wanted, there });
        }
        memory.set(self.partials, 0, &vec![f32::NAN; partials])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lanes_share_their_keys_among_blocks() {
        // large-v3 on an H200: one lane, five beams, lanes enough to fill it.
        let parts = |rows| Split::parts(132, rows, 20, 1500);
        assert_eq!([1, 5, 8, 13, 14, 64].map(parts), [12, 5, 3, 2, 1, 1]);
        // base and its own past; tiny on a small device; little to see; nothing to do.
        assert_eq!(Split::parts(132, 1, 8, 1500), 12);
        assert_eq!(Split::parts(132, 1, 8, 448), 4);
        assert_eq!(Split::parts(20, 2, 6, 1500), 6);
        assert_eq!(Split::parts(132, 1, 20, 128), 1);
        assert_eq!(Split::parts(0, 0, 0, 0), 1);
    }
}
