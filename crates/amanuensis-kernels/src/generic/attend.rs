//! Attention in bytes: one tile of queries of one head over all keys.
//!
//! The keys are taken in blocks. In each, the scores become probabilities beside the largest score of that block, as
//! bytes from 0 to 255 (or 127), and what they weigh is summed exactly; the sums of the blocks are joined as f32, each
//! multiplied with how much its largest score counts beside the largest so far. Bytes beside the largest score of all
//! would lose the many small probabilities of a flat row, and with them several percent of the result.

use super::arithmetic::Bytes;
use super::product::{CHUNK, Finish, Product, panel, product};
use super::quantize::{CHUNK_BYTES, Quantize, quantize};
use super::softmax::{Probabilities, ROWS, ScoredKeys, Softmax};
use super::{Integers, Vector};

/// Positions in a block.
pub(crate) const BLOCK: usize = 128;

/// One tile.
///
/// Safe to run when: `queries` may be read for `rows` (1 to the tile) rows of `size` numbers, `query_stride` apart; keys and
/// values are as [`keys`](super::quantize::keys) and [`values`](super::quantize::values) write them for `length` positions
/// of `size` channels, the values in blocks of [`BLOCK`]; `out` may be written for `rows` rows of `size` numbers,
/// `out_stride` apart; `kept`, if not null, for `rows` rows of `length` numbers, `kept_stride` apart; `scratch` for
/// [`scratch`] numbers.
#[derive(Clone, Copy)]
pub(crate) struct Attend {
    pub(crate) queries: *const f32,
    pub(crate) query_stride: usize,
    pub(crate) rows: usize,
    pub(crate) size: usize,
    pub(crate) length: usize,
    pub(crate) keys: *const u32,
    pub(crate) key_scales: *const f32,
    pub(crate) key_starts: *const i32,
    pub(crate) values: *const u32,
    /// Positions that the values have room for.
    pub(crate) capacity: usize,
    pub(crate) value_scales: *const f32,
    pub(crate) value_starts: *const i32,
    pub(crate) out: *mut f32,
    pub(crate) out_stride: usize,
    /// Where the scaled scores go that somebody wants to see.
    pub(crate) kept: *mut f32,
    pub(crate) kept_stride: usize,
    pub(crate) scratch: *mut f32,
}

/// Numbers of working memory for a tile: queries, scores, probabilities, sums.
pub(crate) const fn scratch(size: usize) -> usize {
    ROWS * (size.next_multiple_of(CHUNK_BYTES) / 4 + BLOCK + BLOCK / 4 + size.next_multiple_of(64))
}

#[inline(always)]
pub(crate) unsafe fn attend<I: Integers, P: Probabilities<I>>(job: &Attend) {
    let (rows, size) = (job.rows, job.size);
    let panel = panel::<I::Floats>();
    let (cells, channels) = (size.div_ceil(4), size.next_multiple_of(panel));
    // SAFETY: the caller keeps the contract of Attend and has the features of I; the parts of the scratch memory follow
    // each other as `scratch` counts them.
    unsafe {
        let queries = job.scratch;
        let scores = queries.add(ROWS * size.next_multiple_of(CHUNK_BYTES) / 4);
        let probabilities = scores.add(ROWS * BLOCK);
        let sums = probabilities.add(ROWS * BLOCK / 4);
        let mut query_scales = [0.0; ROWS];
        quantize::<I>(&Quantize {
            from: job.queries,
            stride: job.query_stride,
            rows,
            inner: size,
            to: queries.cast(),
            scales: query_scales.as_mut_ptr(),
        });
        let mut softmax = Softmax::new(&query_scales, size);
        sums.write_bytes(0, rows * channels);

        let mut first = 0;
        while first < job.length {
            let here = BLOCK.min(job.length - first);
            product::<Bytes<I>>(&Product {
                left: queries.cast(),
                rows,
                inner: cells,
                right: job.keys.add(first / panel * panel * cells),
                panel_stride: panel * cells,
                panels: here.div_ceil(panel),
                in_order: rows <= FEW_ROWS,
                out: scores,
                row_stride: BLOCK,
                columns: here.next_multiple_of(panel),
                finish: Finish::Raw,
                ..Product::EMPTY
            });
            let keys = job.scored_keys(first, here);
            for row in 0..rows {
                softmax.score::<I>(row, &keys, scores.add(row * BLOCK));
            }
            softmax.tops::<I::Floats>(rows);
            for row in 0..rows {
                let to = probabilities.cast::<u8>().add(row * CHUNK_BYTES);
                softmax.weigh::<I, P>(row, scores.add(row * BLOCK), here, to, rows * CHUNK_BYTES);
            }
            if !job.kept.is_null() {
                for row in 0..rows {
                    let scale = query_scales[row] / (size as f32).sqrt();
                    for position in 0..here {
                        let score = *scores.add(row * BLOCK + position) * scale;
                        *job.kept.add(row * job.kept_stride + first + position) = score;
                    }
                }
            }
            softmax.join::<I::Floats>(rows);
            product::<Bytes<I>>(&Product {
                left: probabilities.cast(),
                rows,
                inner: here.div_ceil(4),
                right: job.values.add(first / 4 * panel),
                panel_stride: panel * (job.capacity / 4),
                panels: channels / panel,
                in_order: rows <= FEW_ROWS,
                starts: if job.value_starts.is_null() {
                    job.value_starts
                } else {
                    job.value_starts.add(first / BLOCK * channels)
                },
                row_scales: softmax.weights.as_ptr(),
                out: sums,
                row_stride: channels,
                columns: channels,
                finish: Finish::Fade(softmax.fades.as_ptr()),
                ..Product::EMPTY
            });
            first += BLOCK;
        }
        for row in 0..rows {
            job.write::<I::Floats>(row, sums.add(row * channels), softmax.share(row));
        }
    }
}

impl Attend {
    /// What the scores of a block need of its keys.
    pub(crate) unsafe fn scored_keys(&self, first: usize, count: usize) -> ScoredKeys {
        // SAFETY: there are `count` keys from `first` on.
        unsafe {
            let starts = if self.key_starts.is_null() { self.key_starts } else { self.key_starts.add(first) };
            ScoredKeys { starts, scales: self.key_scales.add(first), count }
        }
    }

    /// The result of a row: its sums, each with the scale of its channel, times `share`.
    #[inline(always)]
    pub(crate) unsafe fn write<V: Vector>(&self, row: usize, sums: *const f32, share: f32) {
        // SAFETY: the caller has the sums of a row, in whole registers, and the features of V.
        unsafe {
            let share = V::splat(share);
            for channel in (0..self.size).step_by(V::WIDTH) {
                let sum = V::load(sums.add(channel));
                let value = sum.times(V::load(self.value_scales.add(channel))).times(share);
                let out = self.out.add(row * self.out_stride + channel);
                if channel + V::WIDTH <= self.size {
                    value.store(out)
                } else {
                    value.store_first(out, self.size - channel)
                }
            }
        }
    }
}

/// Up to so many rows a block takes less time than its keys and values take to come from memory. With more they come from
/// the second cache, where other rows have brought them.
const FEW_ROWS: usize = 6;

const _: () = assert!(BLOCK.is_multiple_of(CHUNK_BYTES) && CHUNK == 16);
