//! Numbers to bytes: rows of activations, weights, and the keys and values of attention.

use super::pointwise::{magnitudes, taint};
use super::product::{CHUNK, panel};
use super::{Integers, LARGEST, Vector, WIDEST};

/// How many positions ahead keys and values are fetched, which lie pages from each other: no processor does it by itself.
const AHEAD: usize = 8;

/// Bytes in a chunk of cells.
pub(crate) const CHUNK_BYTES: usize = 4 * CHUNK;

/// Channels of the widest head.
const WIDEST_HEAD: usize = 256;

/// A byte in every lane of a cell.
const ONES: i32 = 0x0101_0101;

/// A tile of rows to become the left side of a product of bytes.
///
/// Safe to run when: `from` may be read for `rows` rows of `inner` numbers, `stride` apart; `to` may be written for
/// `rows` times `inner` bytes rounded up to whole chunks, and `scales` for a number per row.
#[derive(Clone, Copy)]
pub(crate) struct Quantize {
    pub(crate) from: *const f32,
    pub(crate) stride: usize,
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) to: *mut u8,
    pub(crate) scales: *mut f32,
}

/// Every row by its own largest magnitude: number = scale * byte.
#[inline(always)]
pub(crate) unsafe fn quantize<I: Integers>(job: &Quantize) {
    // SAFETY: the caller keeps the contract of Quantize and has the features of I.
    unsafe {
        let numbers = |row: usize| std::slice::from_raw_parts(job.from.add(row * job.stride), job.inner);
        let mut rows = Rows::new();
        for first in (0..job.rows).step_by(I::Floats::WIDTH) {
            let here = I::Floats::WIDTH.min(job.rows - first);
            for row in 0..here {
                rows.measure::<I, true>(row, numbers(first + row));
            }
            rows.scale::<I::Floats>(here);
            for row in 0..here {
                let to = job.to.add((first + row) * CHUNK_BYTES);
                to_bytes::<I, true>(numbers(first + row), rows.inverses[row], to, job.rows * CHUNK_BYTES);
                *job.scales.add(first + row) = rows.scales[row];
            }
        }
    }
}

/// Rows whose scales are found together, as many as a register has numbers: one by one, each would wait for the lanes of
/// its largest to be joined, and for a division.
struct Rows {
    /// The largest magnitude in every lane of each.
    largest: [f32; WIDEST * WIDEST],
    /// What a byte counts.
    scales: [f32; WIDEST],
    /// What makes a number a byte.
    inverses: [f32; WIDEST],
}

impl Rows {
    fn new() -> Rows {
        Rows { largest: [0.0; WIDEST * WIDEST], scales: [0.0; WIDEST], inverses: [0.0; WIDEST] }
    }

    /// Finds the largest of a row, which will be on the left side or not.
    #[inline(always)]
    unsafe fn measure<I: Integers, const LEFT: bool>(&mut self, row: usize, numbers: &[f32]) {
        // SAFETY: there is room for a register of every row; the caller has the features of I.
        unsafe {
            let mut largest = magnitudes::<I::Floats>(numbers);
            if !LEFT && I::LARGEST_PAIR != 2 * LARGEST {
                largest = largest.larger(I::Floats::splat(of_pairs::<I>(numbers)));
            }
            largest.store(self.largest.as_mut_ptr().add(row * I::Floats::WIDTH));
        }
    }

    /// Makes scales of what the first so many rows measured. A row of zeros stays one; one of infinities becomes what is
    /// not a number, by its scale.
    #[inline(always)]
    unsafe fn scale<V: Vector>(&mut self, rows: usize) {
        // SAFETY: every array holds a register; the caller has the features of V.
        unsafe {
            let from = self.largest.as_ptr();
            let largest = if rows == 1 { V::splat(V::load(from).largest()) } else { V::largest_of_each(from) };
            let byte = V::splat(LARGEST as f32);
            largest.over(byte).store(self.scales.as_mut_ptr());
            let inverse = byte.over(largest).where_at_least(largest, V::splat(f32::MIN_POSITIVE));
            inverse.store(self.inverses.as_mut_ptr());
        }
    }
}

/// One row to bytes, as a left side stores them or as they are, in whole chunks `step` bytes apart.
#[inline(always)]
unsafe fn to_bytes<I: Integers, const LEFT: bool>(numbers: &[f32], inverse: f32, to: *mut u8, step: usize) {
    let width = I::Floats::WIDTH;
    // SAFETY: reads below the length of the slice, writes whole chunks, as the caller allows.
    unsafe {
        let (inverse, offset) = (I::Floats::splat(inverse), I::splat(if LEFT { I::OFFSET } else { 0 }));
        let mut at = 0;
        let mut to = to;
        while at + CHUNK_BYTES <= numbers.len() {
            for part in (0..CHUNK_BYTES).step_by(4 * width) {
                let from = numbers.as_ptr().add(at + part);
                let mut four = [offset; 4];
                for (index, bytes) in four.iter_mut().enumerate() {
                    *bytes = bytes.plus(I::nearest(I::Floats::load(from.add(index * width)).times(inverse)));
                }
                if LEFT {
                    I::store_left(four, to.add(part));
                } else {
                    for (index, bytes) in four.into_iter().enumerate() {
                        bytes.store_bytes(to.add(part + index * width));
                    }
                }
            }
            at += CHUNK_BYTES;
            to = to.add(step);
        }
        if at < numbers.len() {
            for part in (0..CHUNK_BYTES).step_by(width) {
                let left = numbers.len().saturating_sub(at + part);
                let from = numbers.as_ptr().add((at + part).min(numbers.len()));
                let bytes = I::nearest(I::Floats::load_first(from, left.min(width)).times(inverse)).plus(offset);
                bytes.store_bytes(to.add(part));
            }
        }
    }
}

/// The number that must become 127 so that no two neighbours together become more than pairs of bytes may be. Two that
/// are that much to the bit are not rounded beyond it both, because ties go to the even; the little less is for f32.
#[inline(always)]
fn of_pairs<I: Integers>(numbers: &[f32]) -> f32 {
    // Eight at a time, which the compiler makes registers of. What is not a number is told of elsewhere.
    let mut largest = [0.0_f32; 8];
    let (chunks, rest) = numbers.as_chunks::<16>();
    for chunk in chunks {
        for (lane, largest) in largest.iter_mut().enumerate() {
            let pair = (chunk[2 * lane] + chunk[2 * lane + 1]).abs();
            *largest = if pair > *largest { pair } else { *largest };
        }
    }
    let rest = rest.chunks(2).map(|pair| pair.iter().sum::<f32>().abs());
    rest.chain(largest).fold(0.0, f32::max) * (LARGEST as f32 / (I::LARGEST_PAIR as f32 * (1.0 - 1.0 / 65536.0)))
}

/// The weights of one output to bytes, by their largest magnitude, in whole chunks of `cells`. Returns what a byte counts,
/// and the sum of the bytes where the kernels have an offset.
#[inline(always)]
pub(crate) unsafe fn weights<I: Integers>(numbers: &[f32], cells: &mut [u32]) -> (f32, i32) {
    let whole = numbers.len().next_multiple_of(CHUNK_BYTES) / 4;
    assert!(whole <= cells.len(), "{} cells for {} weights", cells.len(), numbers.len());
    // SAFETY: there is room for whole chunks; the caller has the features of I.
    unsafe {
        let mut row = Rows::new();
        row.measure::<I, false>(0, numbers);
        row.scale::<I::Floats>(1);
        to_bytes::<I, false>(numbers, row.inverses[0], cells.as_mut_ptr().cast(), CHUNK_BYTES);
        let sum = if I::OFFSET == 0 { 0 } else { sum_of_bytes::<I>(&cells[..whole]) };
        // A weight that is not a number would pass for a zero; so it shows in every result.
        (row.scales[0] + taint::<I::Floats>(numbers), sum)
    }
}

/// The keys of one head, to be multiplied with queries.
///
/// Safe to run when: `from` may be read for `positions` rows of `size` numbers, `stride` apart; `cells` may be written for
/// the positions rounded up to panels times `size / 4` cells, rounded up; `scales` and `starts` (if not null) for the
/// rounded positions; `scratch` for [`scratch_of_keys`] numbers.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) from: *const f32,
    pub(crate) stride: usize,
    pub(crate) positions: usize,
    pub(crate) size: usize,
    pub(crate) cells: *mut u32,
    pub(crate) scales: *mut f32,
    pub(crate) starts: *mut i32,
    pub(crate) scratch: *mut f32,
}

/// Numbers of working memory for the keys of a head: their mean, and as many of them as are made bytes together.
pub(crate) const fn scratch_of_keys(size: usize) -> usize {
    (1 + WIDEST) * size.next_multiple_of(CHUNK_BYTES)
}

/// Every key by its own largest magnitude, after the mean of all keys has been taken off.
///
/// What is common to all keys adds the same to every score of a query, and softmax does not see it; but it would take
/// up most of the bytes' range.
#[inline(always)]
pub(crate) unsafe fn keys<I: Integers>(job: &Keys) {
    let panel = panel::<I::Floats>();
    let cells = job.size.div_ceil(4);
    // SAFETY: the caller keeps the contract of Keys and has the features of I.
    unsafe {
        let (width, size) = (I::Floats::WIDTH, job.size);
        let row = size.next_multiple_of(CHUNK_BYTES);
        let mut bytes = [0_u32; WIDEST * WIDEST_HEAD / 4];
        assert!(row <= WIDEST_HEAD, "a head of {size} channels");
        let (mean, centred) = std::slice::from_raw_parts_mut(job.scratch, scratch_of_keys(size)).split_at_mut(row);
        // Zero, or what is not a number if any key holds such: then all scores are such.
        let taint = mean_of_keys::<I::Floats>(job, mean);
        let mut rows = Rows::new();
        for first in (0..job.positions).step_by(width) {
            let keys = width.min(job.positions - first);
            for key in 0..keys {
                centre::<I::Floats>(job, first + key, mean, &mut centred[key * row..][..row]);
                rows.measure::<I, false>(key, &centred[key * row..][..size]);
            }
            rows.scale::<I::Floats>(keys);
            for key in 0..keys {
                *job.scales.add(first + key) = rows.scales[key] + taint;
                let to = bytes[key * row / 4..].as_mut_ptr().cast();
                to_bytes::<I, false>(&centred[key * row..][..size], rows.inverses[key], to, CHUNK_BYTES);
            }
            let to = job.cells.add(first / panel * panel * cells + first % panel);
            lay_out::<I>(&bytes, row / 4, keys, cells, to);
            if !job.starts.is_null() {
                let mut sum = I::splat(0);
                for cell in 0..cells {
                    sum = sum.plus_products(I::left(&ONES), I::load(to.add(cell * panel).cast()));
                }
                sum.store(job.starts.add(first));
                (0..width).for_each(|key| *job.starts.add(first + key) *= -I::OFFSET);
            }
        }
        for position in job.positions..job.positions.next_multiple_of(panel) {
            let to = job.cells.add(position / panel * panel * cells + position % panel);
            (0..cells).for_each(|cell| *to.add(cell * panel) = 0);
            *job.scales.add(position) = 0.0;
            if !job.starts.is_null() {
                *job.starts.add(position) = 0;
            }
        }
    }
}

/// The mean of all keys, and zero, or what is not a number if it is none.
#[inline(always)]
unsafe fn mean_of_keys<V: Vector>(job: &Keys, mean: &mut [f32]) -> f32 {
    // SAFETY: reads the numbers of each key, writes whole registers of the mean, as the caller has them.
    unsafe {
        let count = V::splat(1.0 / job.positions.max(1) as f32);
        let mut taint = 0.0;
        for channel in (0..job.size).step_by(V::WIDTH) {
            let mut sums = [V::splat(0.0); 4];
            let fours = job.positions / 4 * 4;
            for position in (0..fours).step_by(4) {
                for of in 0..4 {
                    sums[of] = sums[of].plus(number_of_key(job, position + of, channel));
                }
            }
            for position in fours..job.positions {
                sums[0] = sums[0].plus(number_of_key(job, position, channel));
            }
            let sum = sums[0].plus(sums[1]).plus(sums[2].plus(sums[3])).times(count);
            sum.store(mean.as_mut_ptr().add(channel));
            taint += sum.sum() * 0.0;
        }
        taint
    }
}

/// A register of a key, whose memory some keys on is asked for.
#[inline(always)]
unsafe fn number_of_key<V: Vector>(job: &Keys, position: usize, channel: usize) -> V {
    // SAFETY: reads below the size.
    unsafe {
        let from = job.from.add(position * job.stride + channel);
        V::prefetch(from.wrapping_add(AHEAD * job.stride));
        if channel + V::WIDTH <= job.size { V::load(from) } else { V::load_first(from, job.size - channel) }
    }
}

/// A key without the mean.
#[inline(always)]
unsafe fn centre<V: Vector>(job: &Keys, position: usize, mean: &[f32], to: &mut [f32]) {
    for channel in (0..job.size).step_by(V::WIDTH) {
        // SAFETY: mean and `to` are whole registers.
        unsafe {
            let number = number_of_key::<V>(job, position, channel);
            number.minus(V::load(mean.as_ptr().add(channel))).store(to.as_mut_ptr().add(channel));
        }
    }
}

/// Keys in bytes, `row` cells from one to the next, to columns of a panel, which begins at `to`.
#[inline(always)]
unsafe fn lay_out<I: Integers>(bytes: &[u32], row: usize, keys: usize, cells: usize, to: *mut u32) {
    let (width, panel) = (I::Floats::WIDTH, panel::<I::Floats>());
    let mut first = 0;
    // SAFETY: the caller has the cells of as many columns as a register has numbers; a whole square of them lies within
    // the rows.
    unsafe {
        while keys == width && first + width <= cells {
            I::transpose(bytes[first..].as_ptr().cast(), row, to.add(first * panel).cast(), panel);
            first += width;
        }
        for key in 0..keys {
            for cell in first..cells {
                *to.add(cell * panel + key) = bytes[key * row + cell];
            }
        }
    }
}

/// The sum of signed bytes, in whole chunks of cells.
#[inline(always)]
unsafe fn sum_of_bytes<I: Integers>(cells: &[u32]) -> i32 {
    let mut lanes = [0i32; CHUNK];
    // SAFETY: reads whole registers of `cells`, whose length is a multiple of a chunk; a register is at most a chunk.
    unsafe {
        let mut sum = I::splat(0);
        for at in (0..cells.len()).step_by(I::Floats::WIDTH) {
            sum = sum.plus_products(I::left(&ONES), I::load(cells.as_ptr().add(at).cast()));
        }
        sum.store(lanes.as_mut_ptr());
    }
    lanes.iter().sum()
}

/// The values of one head, to be multiplied with the bytes of probabilities.
///
/// Safe to run when: `from` may be read for `positions` rows of `size` numbers, `stride` apart; `cells` may be written for
/// `size` rounded up to panels times `capacity / 4`, which is at least the positions rounded up to fours; `scales` for the
/// rounded size; `starts`, if not null, for it times the blocks of `block` positions; `block` is a multiple of four.
#[derive(Clone, Copy)]
pub(crate) struct Values {
    pub(crate) from: *const f32,
    pub(crate) stride: usize,
    pub(crate) positions: usize,
    pub(crate) size: usize,
    pub(crate) capacity: usize,
    pub(crate) block: usize,
    pub(crate) cells: *mut u32,
    pub(crate) scales: *mut f32,
    pub(crate) starts: *mut i32,
}

/// Every channel by its own largest magnitude; four positions of a channel are a cell.
#[inline(always)]
pub(crate) unsafe fn values<I: Integers>(job: &Values) {
    let (width, panel) = (I::Floats::WIDTH, panel::<I::Floats>());
    let channels = job.size.next_multiple_of(panel);
    // SAFETY: the caller keeps the contract of Values and has the features of I. Where a register reaches beyond the
    // size or the positions, nothing is read there.
    unsafe {
        for channel in (0..channels).step_by(width) {
            let here = job.size.saturating_sub(channel).min(width);
            let load = |position: usize| {
                if position < job.positions && here == width {
                    I::Floats::load(job.from.add(position * job.stride + channel))
                } else if position < job.positions && here > 0 {
                    I::Floats::load_first(job.from.add(position * job.stride + channel), here)
                } else {
                    I::Floats::splat(0.0)
                }
            };
            let mut tops = [I::Floats::splat(0.0); 4];
            for position in (0..job.positions).step_by(4) {
                for (of, top) in tops.iter_mut().enumerate() {
                    I::Floats::prefetch(job.from.wrapping_add((position + of + AHEAD) * job.stride + channel));
                    *top = top.larger(load(position + of).magnitude());
                }
            }
            let largest = tops[0].larger(tops[1]).larger(tops[2].larger(tops[3]));
            // A channel of zeros has the smallest scale instead of none, so that nothing is divided by zero.
            let largest = largest.larger(I::Floats::splat(f32::MIN_POSITIVE));
            let inverse = I::Floats::splat(LARGEST as f32).over(largest);
            largest.times(I::Floats::splat(1.0 / LARGEST as f32)).store(job.scales.add(channel));
            let to = job.cells.add(channel / panel * panel * (job.capacity / 4) + channel % panel);
            for block in (0..job.positions).step_by(job.block) {
                let mut sum = I::splat(0);
                for position in (block..(block + job.block).min(job.positions)).step_by(4) {
                    let byte = |of: usize| I::nearest(load(position + of).times(inverse));
                    let cells = I::cells([byte(0), byte(1), byte(2), byte(3)]);
                    cells.store(to.add(position / 4 * panel).cast());
                    sum = sum.plus_products(I::left(&ONES), cells);
                }
                if !job.starts.is_null() {
                    let start = job.starts.add(block / job.block * channels + channel);
                    sum.store(start);
                    for lane in 0..width {
                        *start.add(lane) *= 128 - I::OFFSET;
                    }
                }
            }
        }
    }
}
