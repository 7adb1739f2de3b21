//! The product of a packed tile of rows with packed panels of weights: the inner loop of everything.
//!
//! ```text
//! left   one tile of R rows, [inner / 16][R][16]: sixteen cells of each row, then the next sixteen of each
//! right  panels of 2 vectors, [inner][2 * WIDTH]: for each inner index the cells (or f16) of all outputs of the panel
//! sums   R x (P panels x 2) registers; for each inner index: load 2P vectors, and for each row one cell in all lanes
//! ```
//!
//! A cell is what an [`Arithmetic`] multiplies at once: an f32, or four bytes. Weights in f16 take half a cell.
//!
//! Every sum runs over the inner index from first to last in one accumulator, whatever R and P are. So a row's result
//! does not depend on which rows stand beside it, and a single row gives the same bytes as the same row in a large
//! product.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::pointwise::{gelu_of, rough_gelu_of};
use super::{Arithmetic, Vector};

/// Cells of one row that lie together in a packed tile: a cache line.
pub(crate) const CHUNK: usize = 16;

/// How many inner indices ahead. A step of a full tile takes 24 cycles where one multiply-add is done a cycle; the third
/// cache is 100 to 200 cycles away, memory 400.
const AHEAD: usize = 32;
/// The same where panels are read in order and only once, into the second cache. Measured with two threads, keys and values of 16
/// windows and the first cache: 33 GB/s; 28 with nothing fetched, 27 with four times as far or a quarter. Into the second: see
/// [`Vector::prefetch_far`].
const FAR: usize = 64;

/// Outputs per packed panel.
pub(crate) const fn panel<V: Vector>() -> usize {
    2 * V::WIDTH
}

/// Rows of the largest tile.
pub(crate) const fn tile_rows<V: Vector>() -> usize {
    V::TILE
}

/// What happens to a finished number.
#[derive(Clone, Copy)]
pub(crate) enum Finish {
    /// out = number
    Store,
    /// out = gelu(number)
    Gelu,
    /// out = gelu(number), good to 1e-4: where the number is no better
    RoughGelu,
    /// out += number
    Add,
    /// out = gelu(number) + addend, which has the row stride of out
    GeluPlus(*const f32),
    /// out = number + out * factor of the row
    Fade(*const f32),
    /// out = the sum as it is, an i32; columns fill whole registers
    Raw,
}

/// One tile of rows times a run of panels. A number is the sum, times the scale of its row and that of its column where
/// there are any, plus the bias.
///
/// Safe to run when: `left` holds a packed tile of `rows` (1 to the largest tile) x `inner` cells; `right` holds `panels`
/// panels of `inner` x panel, `panel_stride` cells apart; `starts`, `column_scales` and `bias` are null or hold a number
/// for every column of these panels; `row_scales` (and the factors of the finish) is null or holds one for every row;
/// `out` (and the addend of the finish) may be written (read) at `row * row_stride + column / 16 * chunk_stride + column
/// % 16` for every row and every column below `columns`; and nobody else touches those meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) left: *const u32,
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) right: *const u32,
    pub(crate) panel_stride: usize,
    pub(crate) panels: usize,
    /// Whether the panels are read strictly one behind the other and fetched far ahead: those that come from memory and are
    /// used once. Several side by side would be too many streams for the processor to see, and it would fetch nothing ahead.
    pub(crate) in_order: bool,
    /// What the integer sums of a column start from.
    pub(crate) starts: *const i32,
    pub(crate) row_scales: *const f32,
    pub(crate) column_scales: *const f32,
    pub(crate) bias: *const f32,
    pub(crate) out: *mut f32,
    pub(crate) row_stride: usize,
    /// Distance of sixteen columns: 16 in a plain matrix, more in a packed tile.
    pub(crate) chunk_stride: usize,
    pub(crate) columns: usize,
    pub(crate) finish: Finish,
}

impl Product {
    /// Nothing times nothing into nowhere, for the fields that a product does not need.
    pub(crate) const EMPTY: Product = Product {
        left: std::ptr::null(),
        rows: 0,
        inner: 0,
        right: std::ptr::null(),
        panel_stride: 0,
        panels: 0,
        in_order: false,
        starts: std::ptr::null(),
        row_scales: std::ptr::null(),
        column_scales: std::ptr::null(),
        bias: std::ptr::null(),
        out: std::ptr::null_mut(),
        row_stride: 0,
        chunk_stride: CHUNK,
        columns: 0,
        finish: Finish::Store,
    };
}

/// The sums of one tile, on their way from the registers to `out`: `[row][panel][half]`. Not set to zero for every tile:
/// it is written before it is read, and a product may be as short as sixteen steps.
pub(crate) type Sums<S> = [MaybeUninit<S>; 24];

/// Run `job` on the registers there are.
#[inline(always)]
pub(crate) unsafe fn product<A: Arithmetic>(job: &Product) {
    // SAFETY: the caller keeps the contract of Product and has the features of A; panel < panels.
    unsafe {
        let mut sums: Sums<A::Sum> = [const { MaybeUninit::uninit() }; 24];
        let mut panel = 0;
        while panel < job.panels {
            let panels = if A::Floats::REGISTERS == 32 {
                tile_of_24_sums::<A>(job, panel, &mut sums)
            } else {
                tile_of_12_sums::<A>(job, panel, &mut sums)
            };
            finish::<A>(job, panel, panels, 0..job.rows, &sums);
            panel += panels;
        }
    }
}

/// The sums of the job's rows with some panels from `panel` on; returns with how many.
#[inline(always)]
unsafe fn tile_of_24_sums<A: Arithmetic>(job: &Product, panel: usize, sums: &mut Sums<A::Sum>) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        match job.rows {
            1 => tile::<A, 1, 4>(job, panel, sums),
            2 => tile::<A, 2, 4>(job, panel, sums),
            3 => tile::<A, 3, 2>(job, panel, sums),
            4 => tile::<A, 4, 2>(job, panel, sums),
            5 => tile::<A, 5, 2>(job, panel, sums),
            6 => tile::<A, 6, 2>(job, panel, sums),
            7 => tile::<A, 7, 1>(job, panel, sums),
            8 => tile::<A, 8, 1>(job, panel, sums),
            9 => tile::<A, 9, 1>(job, panel, sums),
            10 => tile::<A, 10, 1>(job, panel, sums),
            11 => tile::<A, 11, 1>(job, panel, sums),
            12 => tile::<A, 12, 1>(job, panel, sums),
            rows => unreachable!("a tile of {rows} rows"),
        }
    }
}

/// As [`tile_of_24_sums`], with sixteen registers.
#[inline(always)]
unsafe fn tile_of_12_sums<A: Arithmetic>(job: &Product, panel: usize, sums: &mut Sums<A::Sum>) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        match job.rows {
            1 => tile::<A, 1, 4>(job, panel, sums),
            2 => tile::<A, 2, 2>(job, panel, sums),
            3 => tile::<A, 3, 2>(job, panel, sums),
            4 => tile::<A, 4, 1>(job, panel, sums),
            5 => tile::<A, 5, 1>(job, panel, sums),
            6 => tile::<A, 6, 1>(job, panel, sums),
            rows => unreachable!("a tile of {rows} rows"),
        }
    }
}

/// The sums of `R` rows with P panels from `panel` on (with few rows one panel has too few sums to hide the latency of
/// an addition), or with two or one where fewer than P are left. Returns how many panels it took.
#[inline(always)]
unsafe fn tile<A: Arithmetic, const R: usize, const P: usize>(
    job: &Product,
    panel: usize,
    sums: &mut Sums<A::Sum>,
) -> usize {
    // SAFETY: panel + P <= panels, resp. panel < panels.
    unsafe {
        if job.in_order {
            sum_tile::<A, R, 1, true>(job, panel, sums);
            1
        } else if panel + P <= job.panels {
            sum_tile::<A, R, P, false>(job, panel, sums);
            P
        } else if P > 2 && panel + 2 <= job.panels {
            sum_tile::<A, R, 2, false>(job, panel, sums);
            2
        } else {
            sum_tile::<A, R, 1, false>(job, panel, sums);
            1
        }
    }
}

/// `sums[(row * P + panel) * 2 + half]`
#[inline(always)]
unsafe fn sum_tile<A: Arithmetic, const R: usize, const P: usize, const FETCH: bool>(
    job: &Product,
    panel: usize,
    out: &mut Sums<A::Sum>,
) {
    let width = panel_width::<A::Floats>();
    // SAFETY: reads inner x R of the tile and inner x P panels of the weights, as the contract allows.
    unsafe {
        let mut sums = [[[A::start(std::ptr::null()); 2]; P]; R];
        if !job.starts.is_null() {
            for p in 0..P {
                for half in 0..2 {
                    let start = A::start(job.starts.add((panel + p) * width + half * A::Floats::WIDTH));
                    for row in 0..R {
                        sums[row][p][half] = start;
                    }
                }
            }
        }
        let mut left = job.left;
        let mut right = job.right.add(panel * job.panel_stride);
        let mut remaining = job.inner;
        while remaining >= CHUNK {
            for k in 0..CHUNK {
                step::<A, R, P, FETCH>(left.add(k), right.add(k * A::PANEL), job.panel_stride, &mut sums);
            }
            left = left.add(R * CHUNK);
            right = right.add(CHUNK * A::PANEL);
            remaining -= CHUNK;
        }
        for k in 0..remaining {
            step::<A, R, P, FETCH>(left.add(k), right.add(k * A::PANEL), job.panel_stride, &mut sums);
        }
        for row in 0..R {
            for p in 0..P {
                out[(row * P + p) * 2].write(sums[row][p][0]);
                out[(row * P + p) * 2 + 1].write(sums[row][p][1]);
            }
        }
    }
}

const fn panel_width<V: Vector>() -> usize {
    panel::<V>()
}

/// One inner index of the tile.
#[inline(always)]
unsafe fn step<A: Arithmetic, const R: usize, const P: usize, const FETCH: bool>(
    left: *const u32,
    right: *const u32,
    panel_stride: usize,
    sums: &mut [[[A::Sum; 2]; P]; R],
) {
    // SAFETY: one cell of each row and one index of each panel, as the caller has them.
    unsafe {
        if FETCH {
            for line in (0..A::PANEL).step_by(CHUNK) {
                A::Floats::prefetch_far(right.wrapping_add(FAR * A::PANEL + line).cast());
            }
        } else if R >= A::FETCHING_ROWS {
            for line in (0..A::PANEL).step_by(CHUNK) {
                A::Floats::prefetch(right.wrapping_add(AHEAD * A::PANEL + line).cast());
            }
        }
        let mut weights = [[A::weights(right); 2]; P];
        for p in 0..P {
            let right = right.add(p * panel_stride);
            weights[p] = [A::weights(right), A::weights(right.add(A::PANEL / 2))];
        }
        for row in 0..R {
            let cell = A::left(left.add(row * CHUNK));
            for p in 0..P {
                sums[row][p][0] = A::add(sums[row][p][0], cell, weights[p][0]);
                sums[row][p][1] = A::add(sums[row][p][1], cell, weights[p][1]);
            }
        }
    }
}

/// Scales, bias, activation, residual; then out. Once for all tile shapes: in registers and unrolled it would be most of
/// the code and none of the time.
#[inline(always)]
pub(crate) unsafe fn finish<A: Arithmetic>(
    job: &Product,
    panel: usize,
    panels: usize,
    rows: Range<usize>,
    sums: &[MaybeUninit<A::Sum>],
) {
    let width = A::Floats::WIDTH;
    for number in 0..panels {
        let column = (panel + number) * panel_width::<A::Floats>();
        let (sums, step) = (&sums[2 * number..], 2 * panels);
        let left = job.columns.saturating_sub(column);
        // SAFETY: the sums of these rows and panels were written; the caller has the features of A.
        unsafe {
            if left >= 2 * width {
                Strip::<A, 2> { job, sums, step, column, rows: rows.clone() }.finish();
                continue;
            }
            for half in 0..2 {
                let (sums, column) = (&sums[half..], column + half * width);
                let strip = Strip::<A, 1> { job, sums, step, column, rows: rows.clone() };
                match left.saturating_sub(half * width) {
                    0 => return,
                    count if count < width => strip.finish_as(job.finish, count),
                    _ => strip.finish(),
                }
            }
        }
    }
}

/// `N` registers of columns of some rows, side by side: the sums of all rows, `step` apart, and the first of the columns.
struct Strip<'a, A: Arithmetic, const N: usize> {
    job: &'a Product,
    sums: &'a [MaybeUninit<A::Sum>],
    step: usize,
    column: usize,
    rows: Range<usize>,
}

impl<A: Arithmetic, const N: usize> Strip<'_, A, N> {
    /// All columns of it.
    #[inline(always)]
    unsafe fn finish(&self) {
        let width = A::Floats::WIDTH;
        // SAFETY: the caller's promise.
        unsafe {
            // What is asked here is not asked for every row: inlined with a constant, all that depends on it is gone.
            match self.job.finish {
                Finish::Store => self.finish_as(Finish::Store, width),
                Finish::Gelu => self.finish_as(Finish::Gelu, width),
                Finish::RoughGelu => self.finish_as(Finish::RoughGelu, width),
                Finish::Add => self.finish_as(Finish::Add, width),
                Finish::GeluPlus(addend) => self.finish_as(Finish::GeluPlus(addend), width),
                Finish::Fade(factors) => self.finish_as(Finish::Fade(factors), width),
                Finish::Raw => self.finish_as(Finish::Raw, width),
            }
        }
    }

    /// The first `count` columns of each register, all unless it is the last.
    #[inline(always)]
    unsafe fn finish_as(&self, finish: Finish, count: usize) {
        let job = self.job;
        // In registers: what is written might lie in the job, for all that the compiler knows.
        let Product { out, row_scales, row_stride, chunk_stride, .. } = *job;
        let column = |register: usize| self.column + register * A::Floats::WIDTH;
        let mut places = [0; N];
        // SAFETY: the sums were written; scales and bias cover whole panels; out and the addend are touched only below
        // `columns`.
        unsafe {
            let mut bias = [load_or::<A::Floats>(0.0, job.bias, column(0)); N];
            let mut scales = [load_or::<A::Floats>(1.0, job.column_scales, column(0)); N];
            for register in 0..N {
                places[register] = column(register) / CHUNK * chunk_stride + column(register) % CHUNK;
                bias[register] = load_or::<A::Floats>(0.0, job.bias, column(register));
                scales[register] = load_or::<A::Floats>(1.0, job.column_scales, column(register));
            }
            for row in self.rows.clone() {
                let of_row = A::Floats::splat(if row_scales.is_null() { 1.0 } else { *row_scales.add(row) });
                for register in 0..N {
                    let offset = row * row_stride + places[register];
                    let out = out.add(offset);
                    let sum = self.sums.get_unchecked(row * self.step + register).assume_init();
                    let number = A::number(sum).times_plus(scales[register].times(of_row), bias[register]);
                    let result = match finish {
                        Finish::Store => number,
                        Finish::Raw => {
                            A::keep(sum, out.cast());
                            continue;
                        }
                        Finish::Gelu => gelu_of(number),
                        Finish::RoughGelu => rough_gelu_of(number),
                        Finish::Add => number.plus(first::<A::Floats>(out, count)),
                        Finish::GeluPlus(addend) => gelu_of(number).plus(first::<A::Floats>(addend.add(offset), count)),
                        Finish::Fade(factors) => {
                            first::<A::Floats>(out, count).times_plus(A::Floats::splat(*factors.add(row)), number)
                        }
                    };
                    if count >= A::Floats::WIDTH { result.store(out) } else { result.store_first(out, count) }
                }
            }
        }
    }
}

/// The numbers from `column` on, or all the same where there are none.
#[inline(always)]
unsafe fn load_or<V: Vector>(otherwise: f32, numbers: *const f32, column: usize) -> V {
    // SAFETY: the caller has a vector of numbers there unless the pointer is null, and the features of V.
    unsafe { if numbers.is_null() { V::splat(otherwise) } else { V::load(numbers.add(column)) } }
}

/// The first `count` numbers, or a whole vector if there are more.
#[inline(always)]
unsafe fn first<V: Vector>(from: *const f32, count: usize) -> V {
    // SAFETY: the caller has `count` numbers and the features of V.
    unsafe { if count >= V::WIDTH { V::load(from) } else { V::load_first(from, count) } }
}

/// Pack `rows` rows of `inner` numbers, `stride` apart, each times `scale`, as the left side of a product.
/// `packed` needs `packed_tile(rows, inner)` numbers; those that pad the last chunk are set to zero.
pub(crate) fn pack_tile(input: &[f32], stride: usize, rows: usize, inner: usize, scale: f32, packed: &mut [f32]) {
    for row in 0..rows {
        let source = &input[row * stride..row * stride + inner];
        for (chunk, numbers) in source.chunks(CHUNK).enumerate() {
            let target = &mut packed[(chunk * rows + row) * CHUNK..][..CHUNK];
            if numbers.len() == CHUNK {
                for k in 0..CHUNK {
                    target[k] = numbers[k] * scale;
                }
            } else {
                target.fill(0.0);
                for (to, from) in target.iter_mut().zip(numbers) {
                    *to = from * scale;
                }
            }
        }
    }
}

/// How many numbers a packed tile takes.
pub(crate) fn packed_tile(rows: usize, inner: usize) -> usize {
    rows * inner.next_multiple_of(CHUNK)
}
