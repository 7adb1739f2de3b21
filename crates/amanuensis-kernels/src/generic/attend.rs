//! Attention in bytes: one tile of queries of one head over all keys.
//!
//! The keys are taken in blocks. In each, the scores become probabilities beside the largest score of that block, as
//! bytes from 0 to 255 (or 127), and what they weigh is summed exactly; the sums of the blocks are joined as f32, each
//! multiplied with how much its largest score counts beside the largest so far. Bytes beside the largest score of all
//! would lose the many small probabilities of a flat row, and with them several percent of the result.

use std::marker::PhantomData;

use super::arithmetic::Bytes;
use super::product::{CHUNK, Finish, Product, panel, product};
use super::quantize::{CHUNK_BYTES, Quantize, quantize};
use super::{Integers, Vector};

/// Positions in a block.
pub(crate) const BLOCK: usize = 128;

/// Rows of the largest tile of any instruction set, in whole registers.
pub(crate) const ROWS: usize = 32;

/// Below any score: what a row starts from, and what positions count as that are not there.
const LOWEST: f32 = -1e30;

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

/// How products of bytes are made.
///
/// # Safety
/// As for [`Integers`]: a method may be called only where the features of the implementing type are enabled and present,
/// with a job that is safe to run.
pub(crate) unsafe trait Multiply {
    type Integers: Integers;

    /// Any product.
    unsafe fn product(job: &Product);
    /// One whose sums are kept as they are, and start from nothing.
    unsafe fn sums(job: &Product);
}

/// The registers of numbers beside them.
type Floats<M> = <<M as Multiply>::Integers as Integers>::Floats;

/// Products in the registers of [`Integers`].
pub(crate) struct InRegisters<I>(PhantomData<I>);

// SAFETY: passes the contract on to I.
unsafe impl<I: Integers> Multiply for InRegisters<I> {
    type Integers = I;

    #[inline(always)]
    unsafe fn product(job: &Product) {
        // SAFETY: the caller's promise.
        unsafe { product::<Bytes<I>>(job) }
    }
    #[inline(always)]
    unsafe fn sums(job: &Product) {
        // SAFETY: the caller's promise.
        unsafe { product::<Bytes<I>>(job) }
    }
}

#[inline(always)]
pub(crate) unsafe fn attend<M: Multiply>(job: &Attend) {
    let (rows, size) = (job.rows, job.size);
    let panel = panel::<Floats<M>>();
    let (cells, channels) = (size.div_ceil(4), size.next_multiple_of(panel));
    // SAFETY: the caller keeps the contract of Attend and has the features of M; the parts of the scratch memory follow
    // each other as `scratch` counts them.
    unsafe {
        let queries = job.scratch;
        let scores = queries.add(ROWS * size.next_multiple_of(CHUNK_BYTES) / 4);
        let probabilities = scores.add(ROWS * BLOCK);
        let sums = probabilities.add(ROWS * BLOCK / 4);
        let mut query_scales = [0.0; ROWS];
        quantize::<M::Integers>(&Quantize {
            from: job.queries,
            stride: job.query_stride,
            rows,
            inner: size,
            to: queries.cast(),
            scales: query_scales.as_mut_ptr(),
        });
        // Scores count in powers of two: 2^(x log2 e) is e^x.
        let root = 1.0 / (size as f32).sqrt();
        // A query of zeros still has to tell positions that are there from those that are not.
        let factors = query_scales.map(|scale| {
            let factor = scale * root * std::f32::consts::LOG2_E;
            if factor < SMALLEST_FACTOR { SMALLEST_FACTOR } else { factor }
        });
        let mut state = State::new();
        sums.write_bytes(0, rows * channels);

        let mut first = 0;
        while first < job.length {
            let here = BLOCK.min(job.length - first);
            M::sums(&Product {
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
            let keys = ScoredKeys {
                starts: if job.key_starts.is_null() { job.key_starts } else { job.key_starts.add(first) },
                scales: job.key_scales.add(first),
                count: here,
            };
            for row in 0..rows {
                let from = scores.add(row * BLOCK);
                let top = scale::<M::Integers>(&keys, from) * factors[row];
                // No score above the lowest: they are not numbers, and the row is to show it.
                let top = if top > LOWEST * factors[row] { top } else { f32::NAN };
                let to = probabilities.cast::<u8>().add(row * CHUNK_BYTES);
                state.block_totals[row] = weigh::<M::Integers>(factors[row], top, from, here, to, rows * CHUNK_BYTES);
                state.block_tops[row] = top;
            }
            if !job.kept.is_null() {
                for row in 0..rows {
                    let scale = query_scales[row] * root;
                    for position in 0..here {
                        let score = *scores.add(row * BLOCK + position) * scale;
                        *job.kept.add(row * job.kept_stride + first + position) = score;
                    }
                }
            }
            state.join::<Floats<M>>(rows);
            M::product(&Product {
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
                row_scales: state.weights.as_ptr(),
                out: sums,
                row_stride: channels,
                columns: channels,
                finish: Finish::Fade(state.fades.as_ptr()),
                ..Product::EMPTY
            });
            first += BLOCK;
        }
        for row in 0..rows {
            let share = Floats::<M>::splat(1.0 / state.totals[row]);
            for channel in (0..size).step_by(Floats::<M>::WIDTH) {
                let sum = Floats::<M>::load(sums.add(row * channels + channel));
                let value = sum.times(Floats::<M>::load(job.value_scales.add(channel))).times(share);
                let out = job.out.add(row * job.out_stride + channel);
                if channel + Floats::<M>::WIDTH <= size {
                    value.store(out)
                } else {
                    value.store_first(out, size - channel)
                }
            }
        }
    }
}

/// Up to so many rows a block takes less time than its keys and values take to come from memory. With more they come from
/// the second cache, where other rows have brought them.
const FEW_ROWS: usize = 6;

/// What is known of every row so far.
struct State {
    /// The largest score.
    tops: [f32; ROWS],
    /// The sum of the probabilities, where that of the largest score is the largest byte.
    totals: [f32; ROWS],
    /// The largest score of the last block, and the sum of its probabilities beside that.
    block_tops: [f32; ROWS],
    block_totals: [f32; ROWS],
    /// What the sums of the last block are to be multiplied with, and what the sums so far.
    weights: [f32; ROWS],
    fades: [f32; ROWS],
}

impl State {
    fn new() -> State {
        let zeros = [0.0; ROWS];
        let lowest = [LOWEST; ROWS];
        State { tops: lowest, totals: zeros, block_tops: zeros, block_totals: zeros, weights: zeros, fades: zeros }
    }

    /// Joins the last block to those before, all rows at once.
    #[inline(always)]
    unsafe fn join<V: Vector>(&mut self, rows: usize) {
        for row in (0..rows).step_by(V::WIDTH) {
            // SAFETY: the arrays hold whole registers; the caller has the features of V.
            unsafe {
                let (before, block) =
                    (V::load(self.tops.as_ptr().add(row)), V::load(self.block_tops.as_ptr().add(row)));
                // The second of two is taken where one is not a number, which it may be.
                let now = before.larger(block);
                let weight = block.minus(now).rough_power_of_two();
                let fade = before.minus(now).rough_power_of_two();
                let total = V::load(self.totals.as_ptr().add(row)).times(fade);
                let total = V::load(self.block_totals.as_ptr().add(row)).times_plus(weight, total);
                now.store(self.tops.as_mut_ptr().add(row));
                total.store(self.totals.as_mut_ptr().add(row));
                weight.store(self.weights.as_mut_ptr().add(row));
                fade.store(self.fades.as_mut_ptr().add(row));
            }
        }
    }
}

/// The keys of a block, as far as their scores need them.
struct ScoredKeys {
    starts: *const i32,
    scales: *const f32,
    /// How many there are.
    count: usize,
}

/// The sums of a block of one row to scores, which still want the factor of the row, in place. What stands in whole chunks
/// behind the last is below any score. Returns the largest.
#[inline(always)]
unsafe fn scale<I: Integers>(keys: &ScoredKeys, scores: *mut f32) -> f32 {
    let width = I::Floats::WIDTH;
    // SAFETY: reads and writes the scores below a block in whole chunks; scales and starts are padded to whole panels, and
    // behind these nothing of them is read.
    unsafe {
        let lowest = I::Floats::splat(LOWEST);
        let mut tops = [lowest; 4];
        let whole = keys.count / CHUNK_BYTES * CHUNK_BYTES;
        for chunk in (0..whole).step_by(4 * width) {
            for (index, top) in tops.iter_mut().enumerate() {
                let at = chunk + index * width;
                let score = score::<I>(keys, scores, at);
                score.store(scores.add(at));
                *top = top.larger(score);
            }
        }
        for at in (whole..keys.count.next_multiple_of(CHUNK_BYTES)).step_by(width) {
            let here = keys.count.saturating_sub(at);
            let score = if here == 0 { lowest } else { score::<I>(keys, scores, at).first_or(here.min(width), lowest) };
            score.store(scores.add(at));
            tops[0] = tops[0].larger(score);
        }
        tops[0].larger(tops[1]).larger(tops[2].larger(tops[3])).largest()
    }
}

/// A register of scores of their sums.
#[inline(always)]
unsafe fn score<I: Integers>(keys: &ScoredKeys, sums: *const f32, at: usize) -> I::Floats {
    // SAFETY: reads a register of sums, scales and starts, as the caller has them.
    unsafe {
        let sum = I::load(sums.add(at).cast());
        let sum = if I::OFFSET == 0 { sum } else { sum.plus(I::load(keys.starts.add(at))) };
        sum.numbers().times(I::Floats::load(keys.scales.add(at)))
    }
}

/// The scores of a block of one row, of which `top` is the largest, to bytes, in chunks `step` apart. Returns the sum of the
/// bytes.
#[inline(always)]
unsafe fn weigh<I: Integers>(factor: f32, top: f32, scores: *const f32, count: usize, to: *mut u8, step: usize) -> f32 {
    let width = I::Floats::WIDTH;
    // SAFETY: reads the scores below a block and writes whole chunks of bytes, as the caller has them.
    unsafe {
        let (scale, shift) =
            (I::Floats::splat(factor), I::Floats::splat(f32::from(I::LARGEST_PROBABILITY).log2() - top));
        let mut total = I::splat(0);
        let offset = I::splat(I::OFFSET - 128);
        let mut to = to;
        for chunk in (0..count).step_by(CHUNK_BYTES) {
            for part in (chunk..chunk + CHUNK_BYTES).step_by(4 * width) {
                let mut four = [offset; 4];
                for (index, byte) in four.iter_mut().enumerate() {
                    let power = I::Floats::load(scores.add(part + index * width)).times_plus(scale, shift);
                    let probability = I::nearest(power.rough_power_of_two());
                    total = total.plus(probability);
                    *byte = byte.plus(probability);
                }
                I::store_left(four, to.add(part - chunk));
            }
            to = to.add(step);
        }
        total.numbers().sum()
    }
}

/// Times [`LOWEST`] still far below any other score.
const SMALLEST_FACTOR: f32 = 1e-20;

const _: () = assert!(BLOCK.is_multiple_of(CHUNK_BYTES) && CHUNK == 16);
