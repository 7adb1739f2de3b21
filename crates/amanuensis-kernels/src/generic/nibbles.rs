//! The product of bytes with weights of four bits.
//!
//! ```text
//! panel   for every group of 32 inputs: [P] scales, then [4][P] cells; P is two registers
//! cell    eight weights of one output: byte b holds input 8j + b in its lower half and input 8j + 4 + b in its upper
//! ```
//!
//! The sums of a group are exact; then they are multiplied with the group's scale and added up as f32. So this needs
//! twice the registers and, with many rows, more time than a product of bytes. With few rows the weights are what takes
//! the time, and these are five eighths of the bytes.

use super::arithmetic::Singles;
use super::product::{CHUNK, Product, Sums, finish, panel};
use super::{Integers, Vector};

/// Inputs that share a scale.
pub(crate) const GROUP: usize = 32;
/// Cells of a group: those of its weights, and one that is its scale.
pub(crate) const GROUP_CELLS: usize = GROUP / 8 + 1;

/// A group's weights, at most as many as it has, to its cells. Returns the sum of the weights as they are now.
///
/// The weight of the largest magnitude becomes -8, so that the whole range is used; the scale may be negative for it.
pub(crate) fn pack(numbers: &[f32], cells: &mut [u32]) -> f32 {
    let largest =
        numbers.iter().fold(0.0_f32, |largest, number| if number.abs() > largest.abs() { *number } else { largest });
    // A weight that is not a number, which no comparison finds, would pass for a zero; so it shows in every result.
    let scale = largest / -8.0 + numbers.iter().sum::<f32>() * 0.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut halves = [0_i32; GROUP];
    for (half, number) in halves.iter_mut().zip(numbers) {
        // The bits below 1.5 * 2^23 are the nearest integer; a call of the C library for each would take most of loading.
        *half = ((number * inverse + 12_582_912.0).to_bits() as i32 - 0x4b40_0000).clamp(-8, 7);
    }
    cells[0] = scale.to_bits();
    for (halves, cell) in halves.chunks_exact(8).zip(&mut cells[1..]) {
        let byte = |place: usize| ((halves[place] + 8) | (halves[4 + place] + 8) << 4) as u8;
        *cell = u32::from_ne_bytes(std::array::from_fn(byte));
    }
    halves.iter().sum::<i32>() as f32 * scale
}

/// The weights of a group, as many as `into` has room for.
pub(crate) fn unpack(cells: &[u32], into: &mut [f32]) {
    let scale = f32::from_bits(cells[0]);
    for (input, number) in into.iter_mut().enumerate() {
        let byte = cells[1 + input / 8].to_ne_bytes()[input % 4];
        let half = if input % 8 < 4 { byte & 15 } else { byte >> 4 };
        *number = (f32::from(half) - 8.0) * scale;
    }
}

/// Run `job`, whose `inner` counts groups, whose `panel_stride` is in cells, and whose `column_scales` are what the f32
/// sums start from: minus what the offset of the left side adds to them.
#[inline(always)]
pub(crate) unsafe fn product_of_nibbles<I: Integers>(job: &Product) {
    // SAFETY: the caller keeps the contract of Product, with the layout above, and has the features of I; every part is
    // of rows and panels that the job has.
    unsafe {
        let mut row = 0;
        while row < job.rows {
            let left = job.rows - row;
            let rows = match (left, I::Floats::REGISTERS) {
                (1, _) => part::<I, 1, 2>(job, row),
                (2..4, _) | (_, ..32) => part::<I, 2, 1>(job, row),
                _ => part::<I, 4, 1>(job, row),
            };
            row += rows;
        }
    }
}

/// `R` rows from `row` on with all panels, `P` at a time where there are so many.
#[inline(always)]
unsafe fn part<I: Integers, const R: usize, const P: usize>(job: &Product, row: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let own = Product {
            rows: R,
            out: job.out.add(row * job.row_stride),
            row_scales: if job.row_scales.is_null() { job.row_scales } else { job.row_scales.add(row) },
            column_scales: std::ptr::null(),
            ..*job
        };
        let mut sums: Sums<I::Floats> = [const { std::mem::MaybeUninit::uninit() }; 24];
        let mut panel = 0;
        while panel < job.panels {
            let panels = if panel + P <= job.panels {
                tile::<I, R, P>(job, row, panel, &mut sums);
                P
            } else {
                tile::<I, R, 1>(job, row, panel, &mut sums);
                1
            };
            finish::<Singles<I::Floats>>(&own, panel, panels, 0..own.rows, &sums);
            panel += panels;
        }
        R
    }
}

/// `sums[(row * P + panel) * 2 + half]`
#[inline(always)]
unsafe fn tile<I: Integers, const R: usize, const P: usize>(
    job: &Product,
    row: usize,
    first: usize,
    out: &mut Sums<I::Floats>,
) {
    let (width, panel) = (I::Floats::WIDTH, panel::<I::Floats>());
    // SAFETY: reads whole groups of the panels, and the cells of these rows that go with them.
    unsafe {
        let mut totals = [[[I::Floats::splat(0.0); 2]; P]; R];
        if !job.column_scales.is_null() {
            for p in 0..P {
                for half in 0..2 {
                    let start = I::Floats::load(job.column_scales.add((first + p) * panel + half * width));
                    for r in 0..R {
                        totals[r][p][half] = start;
                    }
                }
            }
        }
        for group in 0..job.inner {
            let mut sums = [[[I::splat(0); 2]; P]; R];
            let right = job.right.add(first * job.panel_stride + group * GROUP_CELLS * panel);
            for pair in 0..GROUP / 8 {
                let cell = group * (GROUP / 4) + 2 * pair;
                let left = job.left.add((cell / CHUNK * job.rows + row) * CHUNK + cell % CHUNK);
                for p in 0..P {
                    let weights = right.add(p * job.panel_stride + (1 + pair) * panel);
                    for half in 0..2 {
                        let [lower, upper] = I::load(weights.add(half * width).cast()).halves();
                        for r in 0..R {
                            let sum = sums[r][p][half].plus_products(I::left(left.add(r * CHUNK).cast()), lower);
                            sums[r][p][half] = sum.plus_products(I::left(left.add(r * CHUNK + 1).cast()), upper);
                        }
                    }
                }
            }
            for p in 0..P {
                for half in 0..2 {
                    let scale = I::Floats::load(right.add(p * job.panel_stride + half * width).cast());
                    for r in 0..R {
                        totals[r][p][half] = sums[r][p][half].numbers().times_plus(scale, totals[r][p][half]);
                    }
                }
            }
        }
        for r in 0..R {
            for p in 0..P {
                for half in 0..2 {
                    out[(r * P + p) * 2 + half].write(totals[r][p][half]);
                }
            }
        }
    }
}
