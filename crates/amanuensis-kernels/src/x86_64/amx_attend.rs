//! Attention in bytes where the processor multiplies tiles: softmax of sixteen rows, and beneath it products for others.
//!
//! ```text
//! step       0       1       2       3      ...     rows 0-15 and 16-31 in turns, the next keys after every two steps
//! values             0       1       2              products of the step before
//! softmax    0       1       2       3              in registers
//! scores     1       2       3       4              products for the next step
//! ```
//!
//! A product of tiles takes sixteen cycles, and what is stored of it has to wait for it. One behind the other, products and
//! softmax wait for each other, and the attention of whisper-base takes a fifth longer. So a product is issued after every
//! few rows of softmax, is stored behind the next, and what it writes is not read before the next step.

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T1, _mm_prefetch};
use std::mem::MaybeUninit;

use super::avx512::{Whole as Signed, Wide};
use super::avx512_vbmi::LookedUp;
use super::avx512_vnni::Whole as Unsigned;
use crate::generic::attend::{Attend, BLOCK};
use crate::generic::product::{CHUNK, panel};
use crate::generic::quantize::{CHUNK_BYTES, Quantize, quantize};
use crate::generic::softmax::{ROWS, Softmax};
use crate::generic::{Integers, Vector};

/// Channels of a head: one chunk, in all Whisper models.
pub(super) const SIZE: usize = CHUNK_BYTES;

/// Keys, or channels, of a panel.
const PANEL: usize = panel::<Wide>();

/// Cells of a chunk of a panel.
const PANEL_CHUNK: usize = CHUNK * PANEL;

/// Chunks of the probabilities of a block.
const CHUNKS: usize = BLOCK / CHUNK_BYTES;

/// How many rows on queries are fetched: two threads take tiles in turns.
const AHEAD: usize = 4 * ROWS;

/// Working memory, of two halves: the first sixteen rows and those behind them.
#[repr(C, align(64))]
struct Working {
    queries: [[[u8; SIZE]; ROWS]; 2],
    scores: [[[f32; BLOCK]; ROWS]; 2],
    /// As the left side of a product.
    probabilities: [[[[u8; CHUNK_BYTES]; ROWS]; CHUNKS]; 2],
    /// Values times the probabilities of a block.
    weighed: [[i32; SIZE]; ROWS],
    /// The same of all blocks.
    sums: [[[f32; SIZE]; ROWS]; 2],
}

/// Attention of more than a dozen rows.
///
/// The tiles are shaped for two times sixteen rows; heads have [`SIZE`] channels, and no scores are kept. Values may be read
/// for whole chunks of positions.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,avx512vbmi,avx2,fma")]
pub(super) unsafe fn attend(job: &Attend) {
    let mut working = MaybeUninit::<Working>::uninit();
    let working = working.as_mut_ptr();
    // SAFETY: the caller keeps the contract of Attend. Every part of the working memory is written before it is read, but for
    // queries behind the last, whose results nobody reads.
    unsafe {
        (&raw mut (*working).sums).write_bytes(0, 1);
        let mut softmax = [0, 1].map(|half| {
            let mut scales = [0.0; ROWS];
            quantize::<Signed>(&Quantize {
                from: job.queries.wrapping_add(half * ROWS * job.query_stride),
                stride: job.query_stride,
                rows: job.rows.saturating_sub(half * ROWS).min(ROWS),
                inner: SIZE,
                to: (&raw mut (*working).queries[half]).cast(),
                scales: scales.as_mut_ptr(),
            });
            Softmax::new(&scales, SIZE)
        });
        let steps = 2 * job.length.div_ceil(BLOCK);
        load_queries(working);
        let first = Scores::of(job, working, 0);
        for part in 0..Scores::PARTS {
            first.part(part);
        }
        first.end();
        for step in 0..steps {
            let (half, other) = (step % 2, 1 - step % 2);
            let first = step / 2 * BLOCK;
            let here = BLOCK.min(job.length - first);
            let scores = (&raw mut (*working).scores[half]).cast::<f32>();
            let probabilities = (&raw mut (*working).probabilities[half]).cast::<u8>();
            let keys = job.scored_keys(first, here);
            let values = (step > 0).then(|| Values::of(job, working, step - 1));
            for row in 0..ROWS {
                softmax[half].score::<Signed>(row, &keys, scores.add(row * BLOCK));
                if let (Some(values), 0) = (&values, row % (ROWS / Values::PARTS)) {
                    values.part(row * Values::PARTS / ROWS);
                }
            }
            fetch(job, step);
            softmax[half].tops::<Wide>(ROWS);
            if let Some(values) = &values {
                values.end();
            }
            let next = (step + 1 < steps).then(|| Scores::of(job, working, step + 1));
            for row in 0..ROWS {
                let to = probabilities.add(row * CHUNK_BYTES);
                softmax[half].weigh::<Unsigned, LookedUp>(row, scores.add(row * BLOCK), here, to, ROWS * CHUNK_BYTES);
                if let (Some(next), 0) = (&next, row % (ROWS / Scores::PARTS)) {
                    next.part(row * Scores::PARTS / ROWS);
                }
            }
            softmax[half].join::<Wide>(ROWS);
            if let Some(next) = &next {
                next.end();
            }
            if step > 0 {
                fade(working, other, &softmax[other]);
            }
        }
        let last = Values::of(job, working, steps - 1);
        for part in 0..Values::PARTS {
            last.part(part);
        }
        last.end();
        fade(working, 1, &softmax[1]);
        for row in 0..job.rows {
            let (half, at) = (row / ROWS, row % ROWS);
            job.write::<Wide>(row, (*working).sums[half][at].as_ptr(), softmax[half].share(at));
        }
    }
}

/// Asks, two rows a step, for the memory that the tile will write, and for the queries of one that this thread will have
/// soon: they come while others are weighed.
#[inline(always)]
unsafe fn fetch(job: &Attend, step: usize) {
    if step >= ROWS {
        return;
    }
    for row in 2 * step..2 * step + 2 {
        let out = job.out.wrapping_add(row * job.out_stride);
        let queries = job.queries.wrapping_add((AHEAD + row) * job.query_stride);
        for channel in (0..SIZE).step_by(CHUNK) {
            // SAFETY: the processor has the instructions; what they are told of need not exist.
            unsafe {
                _mm_prefetch::<_MM_HINT_ET0>(out.wrapping_add(channel).cast());
                _mm_prefetch::<_MM_HINT_T1>(queries.wrapping_add(channel).cast());
            }
        }
    }
}

/// Loads the queries of both halves, which stay in tiles 4 and 5.
unsafe fn load_queries(working: *const Working) {
    // SAFETY: sixteen rows of each; the shapes are loaded.
    unsafe {
        asm!(
            "tileloadd tmm4, [{first} + {line}*1]",
            "tileloadd tmm5, [{second} + {line}*1]",
            first = in(reg) &raw const (*working).queries[0],
            second = in(reg) &raw const (*working).queries[1],
            line = in(reg) SIZE,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// The products of the queries of a step with its keys.
struct Scores {
    half: usize,
    keys: *const u32,
    out: *mut f32,
    /// Tiles of keys there are.
    parts: usize,
}

impl Scores {
    /// A tile of keys each.
    const PARTS: usize = BLOCK / CHUNK;

    unsafe fn of(job: &Attend, working: *mut Working, step: usize) -> Scores {
        let (half, first) = (step % 2, step / 2 * BLOCK);
        // SAFETY: the step is one of the job's.
        unsafe {
            Scores {
                half,
                keys: job.keys.add(first / PANEL * PANEL_CHUNK),
                out: (&raw mut (*working).scores[half]).cast(),
                parts: 2 * BLOCK.min(job.length - first).div_ceil(PANEL),
            }
        }
    }

    /// Multiplies a part, and stores the one before, which is ready by now.
    #[inline(always)]
    unsafe fn part(&self, part: usize) {
        macro_rules! multiply {
            ($queries:literal, $sums:literal) => {
                asm!(
                    "tileloadd tmm6, [{keys} + {panel_row}*1]",
                    concat!("tilezero ", $sums),
                    concat!("tdpbssd ", $sums, ", ", $queries, ", tmm6"),
                    keys = in(reg) self.keys.add(part / 2 * PANEL_CHUNK + part % 2 * CHUNK),
                    panel_row = in(reg) 4 * PANEL,
                    options(nostack, preserves_flags, readonly),
                )
            };
        }
        if part >= self.parts {
            return;
        }
        // SAFETY: reads half a panel of keys; the queries are loaded.
        unsafe {
            if part > 0 {
                self.store(part - 1);
            }
            match (self.half, part % 2) {
                (0, 0) => multiply!("tmm4", "tmm0"),
                (0, _) => multiply!("tmm4", "tmm1"),
                (_, 0) => multiply!("tmm5", "tmm0"),
                (_, _) => multiply!("tmm5", "tmm1"),
            }
        }
    }

    /// Stores the last part.
    #[inline(always)]
    unsafe fn end(&self) {
        // SAFETY: it was multiplied.
        unsafe { self.store(self.parts - 1) }
    }

    #[inline(always)]
    unsafe fn store(&self, part: usize) {
        // SAFETY: writes CHUNK scores of every row.
        unsafe { store_tile(part, self.out.add(part * CHUNK).cast(), 4 * BLOCK) }
    }
}

/// Stores one of two tiles of sums: those of even parts are in tile 0, of odd ones in tile 1.
#[inline(always)]
unsafe fn store_tile(part: usize, out: *mut i32, row: usize) {
    // SAFETY: the caller has the room; the shapes are loaded.
    unsafe {
        if part.is_multiple_of(2) {
            asm!("tilestored [{out} + {row}*1], tmm0", out = in(reg) out, row = in(reg) row, options(nostack, preserves_flags));
        } else {
            asm!("tilestored [{out} + {row}*1], tmm1", out = in(reg) out, row = in(reg) row, options(nostack, preserves_flags));
        }
    }
}

/// The products of the probabilities of a step with its values.
struct Values {
    probabilities: *const u8,
    values: *const u32,
    panel_stride: usize,
    out: *mut i32,
    /// Chunks of positions there are.
    chunks: usize,
}

impl Values {
    /// A tile of channels each.
    const PARTS: usize = SIZE / CHUNK;

    unsafe fn of(job: &Attend, working: *mut Working, step: usize) -> Values {
        let (half, first) = (step % 2, step / 2 * BLOCK);
        // SAFETY: the step is one of the job's.
        unsafe {
            Values {
                probabilities: (&raw const (*working).probabilities[half]).cast(),
                values: job.values.add(first / 4 * PANEL),
                panel_stride: job.capacity / 4 * PANEL,
                out: (&raw mut (*working).weighed).cast(),
                chunks: BLOCK.min(job.length - first).div_ceil(CHUNK_BYTES),
            }
        }
    }

    /// As the parts of scores.
    #[inline(always)]
    unsafe fn part(&self, part: usize) {
        macro_rules! multiply {
            ($sums:literal) => {
                asm!(
                    concat!("tilezero ", $sums),
                    "2:",
                    "tileloadd tmm7, [{probabilities} + {line}*1]",
                    "tileloadd tmm6, [{values} + {panel_row}*1]",
                    concat!("tdpbusd ", $sums, ", tmm7, tmm6"),
                    "add {probabilities}, {CHUNK_OF_ROWS}",
                    "add {values}, {PANEL_CHUNK}",
                    "dec {chunks}",
                    "jnz 2b",
                    probabilities = inout(reg) self.probabilities => _,
                    line = in(reg) CHUNK_BYTES,
                    values = inout(reg) self.values.add(part / 2 * self.panel_stride + part % 2 * CHUNK) => _,
                    panel_row = in(reg) 4 * PANEL,
                    chunks = inout(reg) self.chunks => _,
                    CHUNK_OF_ROWS = const ROWS * CHUNK_BYTES,
                    PANEL_CHUNK = const 4 * PANEL_CHUNK,
                    options(nostack, readonly),
                )
            };
        }
        // SAFETY: reads sixteen rows of probabilities and whole chunks of half a panel of values, of which those behind the
        // last have probabilities of zero.
        unsafe {
            if part > 0 {
                self.store(part - 1);
            }
            if part.is_multiple_of(2) { multiply!("tmm0") } else { multiply!("tmm1") }
        }
    }

    /// Stores the last part.
    #[inline(always)]
    unsafe fn end(&self) {
        // SAFETY: it was multiplied.
        unsafe { self.store(Self::PARTS - 1) }
    }

    #[inline(always)]
    unsafe fn store(&self, part: usize) {
        // SAFETY: writes CHUNK sums of every row.
        unsafe { store_tile(part, self.out.add(part * CHUNK), 4 * SIZE) }
    }
}

/// Adds what was weighed last to the sums of a half.
#[inline(always)]
unsafe fn fade(working: *mut Working, half: usize, softmax: &Softmax) {
    // SAFETY: the working memory is written; the caller has the features of these registers.
    unsafe {
        for row in 0..ROWS {
            let (weight, fade) = (Wide::splat(softmax.weights[row]), Wide::splat(softmax.fades[row]));
            for channel in (0..SIZE).step_by(Wide::WIDTH) {
                let weighed = Unsigned::load((&raw const (*working).weighed[row][channel]).cast());
                let sum = (&raw mut (*working).sums[half][row][channel]).cast::<f32>();
                Wide::load(sum).times_plus(fade, weighed.numbers().times(weight)).store(sum);
            }
        }
    }
}
