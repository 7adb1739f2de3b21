//! Softmax of attention in bytes, of some rows and a block of keys at a time.
//!
//! For every block the rows go through [`score`](Softmax::score), [`tops`](Softmax::tops), [`weigh`](Softmax::weigh) and
//! [`join`](Softmax::join), all of them through one before the first goes on to the next: joining the lanes of a register
//! takes long, and by itself a row would wait for it twice.

use super::{Integers, Vector};
use crate::generic::quantize::CHUNK_BYTES;

/// Rows that go through it together, at most.
pub(crate) const ROWS: usize = 16;

/// Below any score: what a row starts from, and what positions count as that are not there.
const LOWEST: f32 = -1e30;

/// Times [`LOWEST`] still far below any other score.
const SMALLEST_FACTOR: f32 = 1e-20;

/// How powers of two become probabilities in bytes.
///
/// # Safety
/// As for [`Integers`].
pub(crate) unsafe trait Probabilities<I: Integers> {
    /// Into how many steps a power of two is divided.
    const STEPS: f32;
    /// The step of the largest probability.
    fn largest() -> f32;
    /// Writes the probabilities at four registers of steps as bytes of a left side, and adds them to those of `total`.
    unsafe fn store(steps: [I::Floats; 4], to: *mut u8, total: I) -> I;
}

/// Each calculated.
pub(crate) struct Calculated;

// SAFETY: passes the contract on to I.
unsafe impl<I: Integers> Probabilities<I> for Calculated {
    const STEPS: f32 = 1.0;

    fn largest() -> f32 {
        f32::from(I::LARGEST_PROBABILITY).log2()
    }
    #[inline(always)]
    unsafe fn store(steps: [I::Floats; 4], to: *mut u8, mut total: I) -> I {
        // SAFETY: the caller's promise.
        unsafe {
            let mut four = [I::splat(I::OFFSET - 128); 4];
            for (byte, steps) in four.iter_mut().zip(steps) {
                let probability = I::nearest(steps.rough_power_of_two());
                total = total.plus(probability);
                *byte = byte.plus(probability);
            }
            I::store_left(four, to);
            total
        }
    }
}

/// The keys of a block, as far as their scores need them.
#[derive(Clone, Copy)]
pub(crate) struct ScoredKeys {
    pub(crate) starts: *const i32,
    pub(crate) scales: *const f32,
    /// How many there are.
    pub(crate) count: usize,
}

/// What is known of every row.
pub(crate) struct Softmax {
    /// From a score to a power of two.
    factors: [f32; ROWS],
    /// The largest score so far.
    tops: [f32; ROWS],
    /// The sum of the probabilities, where that of the largest score is the largest byte.
    totals: [f32; ROWS],
    /// The largest score of the last block.
    block_tops: [f32; ROWS],
    /// What the sums of the last block are to be multiplied with, and what the sums so far.
    pub(crate) weights: [f32; ROWS],
    pub(crate) fades: [f32; ROWS],
    /// The largest scores, and later the sums of the probabilities, of every lane.
    lanes: [f32; ROWS * ROWS],
}

impl Softmax {
    /// Of queries of `size` bytes, each with what a byte of it counts.
    pub(crate) fn new(query_scales: &[f32; ROWS], size: usize) -> Softmax {
        // Scores count in powers of two: 2^(x log2 e) is e^x.
        let root = std::f32::consts::LOG2_E / (size as f32).sqrt();
        // A query of zeros still has to tell positions that are there from those that are not.
        let factors = query_scales.map(|scale| {
            let factor = scale * root;
            if factor < SMALLEST_FACTOR { SMALLEST_FACTOR } else { factor }
        });
        let (zeros, lowest) = ([0.0; ROWS], [LOWEST; ROWS]);
        Softmax {
            factors,
            tops: lowest,
            totals: zeros,
            block_tops: zeros,
            weights: zeros,
            fades: zeros,
            lanes: [0.0; ROWS * ROWS],
        }
    }

    /// The sums of a block of one row to scores, which still want the factor of the row, in place. What stands in whole
    /// chunks behind the last is below any score.
    #[inline(always)]
    pub(crate) unsafe fn score<I: Integers>(&mut self, row: usize, keys: &ScoredKeys, scores: *mut f32) {
        let width = I::Floats::WIDTH;
        // SAFETY: reads and writes the scores below a block in whole chunks; scales and starts are padded to whole panels,
        // and behind these nothing of them is read.
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
                let score =
                    if here == 0 { lowest } else { score::<I>(keys, scores, at).first_or(here.min(width), lowest) };
                score.store(scores.add(at));
                tops[0] = tops[0].larger(score);
            }
            tops[0].larger(tops[1]).larger(tops[2].larger(tops[3])).store(self.lanes::<I::Floats>(row));
        }
    }

    fn lanes<V: Vector>(&mut self, row: usize) -> *mut f32 {
        self.lanes[row * V::WIDTH..][..V::WIDTH].as_mut_ptr()
    }

    /// The largest scores of the block.
    #[inline(always)]
    pub(crate) unsafe fn tops<V: Vector>(&mut self, rows: usize) {
        for row in (0..rows).step_by(V::WIDTH) {
            // SAFETY: the arrays hold whole registers; the caller has the features of V.
            unsafe { self.each::<V, true>(row, rows).store(self.block_tops.as_mut_ptr().add(row)) }
        }
        for (top, factor) in self.block_tops.iter_mut().zip(&self.factors) {
            // No score above the lowest: they are not numbers, and the row is to show it.
            *top = if *top > LOWEST { *top * factor } else { f32::NAN };
        }
    }

    /// The lanes of the rows from `row` on, joined: the largest or the sum.
    #[inline(always)]
    unsafe fn each<V: Vector, const LARGEST: bool>(&self, row: usize, rows: usize) -> V {
        // SAFETY: the lanes of as many rows as a register has numbers; the caller has the features of V.
        unsafe {
            let from = self.lanes.as_ptr().add(row * V::WIDTH);
            match (rows - row == 1, LARGEST) {
                (true, true) => V::splat(V::load(from).largest()),
                (true, false) => V::splat(V::load(from).sum()),
                (false, true) => V::largest_of_each(from),
                (false, false) => V::sum_of_each(from),
            }
        }
    }

    /// The scores of a block of one row to bytes, in chunks `step` apart.
    #[inline(always)]
    pub(crate) unsafe fn weigh<I: Integers, P: Probabilities<I>>(
        &mut self,
        row: usize,
        scores: *const f32,
        count: usize,
        to: *mut u8,
        step: usize,
    ) {
        let width = I::Floats::WIDTH;
        // SAFETY: reads the scores below a block and writes whole chunks of bytes, as the caller has them.
        unsafe {
            let factor = I::Floats::splat(self.factors[row] * P::STEPS);
            let shift = I::Floats::splat(P::largest() - self.block_tops[row] * P::STEPS);
            let mut total = I::splat(0);
            let mut to = to;
            for chunk in (0..count).step_by(CHUNK_BYTES) {
                for part in (chunk..chunk + CHUNK_BYTES).step_by(4 * width) {
                    let mut steps = [shift; 4];
                    for (index, steps) in steps.iter_mut().enumerate() {
                        *steps = I::Floats::load(scores.add(part + index * width)).times_plus(factor, shift);
                    }
                    total = P::store(steps, to.add(part - chunk), total);
                }
                to = to.add(step);
            }
            total.numbers().store(self.lanes::<I::Floats>(row));
        }
    }

    /// Joins the block to those before, all rows at once.
    #[inline(always)]
    pub(crate) unsafe fn join<V: Vector>(&mut self, rows: usize) {
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
                let total = self.each::<V, false>(row, rows).times_plus(weight, total);
                now.store(self.tops.as_mut_ptr().add(row));
                total.store(self.totals.as_mut_ptr().add(row));
                weight.store(self.weights.as_mut_ptr().add(row));
                fade.store(self.fades.as_mut_ptr().add(row));
            }
        }
    }

    /// What makes the sums of a row, with the scale of their channel, the result.
    pub(crate) fn share(&self, row: usize) -> f32 {
        1.0 / self.totals[row]
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
