//! The product of a packed tile of rows with packed panels of weights: the inner loop of everything.
//!
//! ```text
//! left   one tile of R rows, [inner / 16][R][16]: sixteen numbers of each row, then the next sixteen of each
//! right  panels of 2 vectors, [inner][2 * WIDTH]: for each inner index the numbers of all outputs of the panel
//! sums   R x (P panels x 2) registers; for each inner index: load 2P vectors, and for each row one number in all lanes
//! ```
//!
//! Every sum runs over the inner index from first to last in one accumulator, whatever R and P are. So a row's result
//! does not depend on which rows stand beside it, and a single row gives the same bytes as the same row in a large
//! product.

use super::Vector;
use super::pointwise::gelu_of;

/// Numbers of one row that lie together in a packed tile: a cache line.
pub(crate) const CHUNK: usize = 16;

/// From this many rows on the weights are fetched ahead by hand. With fewer, a step takes so few cycles that the
/// processor's own prefetching runs far enough ahead.
const FETCHING_ROWS: usize = 9;
/// How many inner indices ahead. A step of a full tile takes 24 cycles where one multiply-add is done a cycle; the third
/// cache is 100 to 200 cycles away, memory 400.
const AHEAD: usize = 32;

/// Outputs per packed panel.
pub(crate) const fn panel<V: Vector>() -> usize {
    2 * V::WIDTH
}

/// Rows of the largest tile.
pub(crate) const fn tile_rows<V: Vector>() -> usize {
    V::TILE
}

/// What happens to a finished sum.
#[derive(Clone, Copy)]
pub(crate) enum Finish {
    /// out = sum + bias
    Store,
    /// out = gelu(sum + bias)
    Gelu,
    /// out += sum + bias
    Add,
    /// out = gelu(sum + bias) + addend, which has the row stride of out
    GeluPlus(*const f32),
    /// out = sum * scale of the row
    Scale(*const f32),
}

/// One tile of rows times a run of panels.
///
/// Safe to run when: `left` holds a packed tile of `rows` (1 to the largest tile) x `inner`; `right` holds `panels`
/// panels of `inner` x panel, `panel_stride` numbers apart; `bias` is null or holds a number for every column of these
/// panels; `out` (and the addend of the finish) may be written (read) at `row * row_stride + column / 16 * chunk_stride
/// + column % 16` for every row and every column below `columns`; and nobody else touches those meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) left: *const f32,
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) right: *const f32,
    pub(crate) panel_stride: usize,
    pub(crate) panels: usize,
    pub(crate) bias: *const f32,
    pub(crate) out: *mut f32,
    pub(crate) row_stride: usize,
    /// Distance of sixteen columns: 16 in a plain matrix, more in a packed tile.
    pub(crate) chunk_stride: usize,
    pub(crate) columns: usize,
    pub(crate) finish: Finish,
}

/// The sums of one tile, on their way from the registers to `out`.
type Sums<V> = [V; 24];

/// Run `job` on 32 vector registers: at most 24 sums.
#[inline(always)]
pub(crate) unsafe fn product_many_registers<V: Vector>(job: &Product) {
    // SAFETY: the caller keeps the contract of Product and has the features of V; panel < panels.
    unsafe {
        let mut sums: Sums<V> = [V::splat(0.0); 24];
        let mut panel = 0;
        while panel < job.panels {
            let panels = match job.rows {
                1 => tile::<V, 1, 4>(job, panel, &mut sums),
                2 => tile::<V, 2, 4>(job, panel, &mut sums),
                3 => tile::<V, 3, 2>(job, panel, &mut sums),
                4 => tile::<V, 4, 2>(job, panel, &mut sums),
                5 => tile::<V, 5, 2>(job, panel, &mut sums),
                6 => tile::<V, 6, 2>(job, panel, &mut sums),
                7 => tile::<V, 7, 1>(job, panel, &mut sums),
                8 => tile::<V, 8, 1>(job, panel, &mut sums),
                9 => tile::<V, 9, 1>(job, panel, &mut sums),
                10 => tile::<V, 10, 1>(job, panel, &mut sums),
                11 => tile::<V, 11, 1>(job, panel, &mut sums),
                12 => tile::<V, 12, 1>(job, panel, &mut sums),
                rows => unreachable!("a tile of {rows} rows"),
            };
            finish(job, panel, panels, &sums);
            panel += panels;
        }
    }
}

/// Run `job` on 16 vector registers: at most 12 sums.
#[inline(always)]
pub(crate) unsafe fn product_few_registers<V: Vector>(job: &Product) {
    // SAFETY: the caller keeps the contract of Product and has the features of V; panel < panels.
    unsafe {
        let mut sums: Sums<V> = [V::splat(0.0); 24];
        let mut panel = 0;
        while panel < job.panels {
            let panels = match job.rows {
                1 => tile::<V, 1, 4>(job, panel, &mut sums),
                2 => tile::<V, 2, 2>(job, panel, &mut sums),
                3 => tile::<V, 3, 2>(job, panel, &mut sums),
                4 => tile::<V, 4, 1>(job, panel, &mut sums),
                5 => tile::<V, 5, 1>(job, panel, &mut sums),
                6 => tile::<V, 6, 1>(job, panel, &mut sums),
                rows => unreachable!("a tile of {rows} rows"),
            };
            finish(job, panel, panels, &sums);
            panel += panels;
        }
    }
}

/// The sums of `R` rows with P panels from `panel` on (with few rows one panel has too few sums to hide the latency of
/// an addition), or with one where fewer than P are left. Returns how many panels it took.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize, const P: usize>(job: &Product, panel: usize, sums: &mut Sums<V>) -> usize {
    // SAFETY: panel + P <= panels, resp. panel < panels.
    unsafe {
        if panel + P <= job.panels {
            sum_tile::<V, R, P>(job, panel, sums);
            P
        } else {
            sum_tile::<V, R, 1>(job, panel, sums);
            1
        }
    }
}

/// `sums[(row * P + panel) * 2 + half]`
#[inline(always)]
unsafe fn sum_tile<V: Vector, const R: usize, const P: usize>(job: &Product, panel: usize, out: &mut Sums<V>) {
    let width = panel_width::<V>();
    // SAFETY: reads inner x R of the tile and inner x P panels of the weights, as the contract allows.
    unsafe {
        let mut sums = [[[V::splat(0.0); 2]; P]; R];
        let mut left = job.left;
        let mut right = job.right.add(panel * job.panel_stride);
        let mut remaining = job.inner;
        while remaining >= CHUNK {
            for k in 0..CHUNK {
                step::<V, R, P>(left.add(k), right.add(k * width), job.panel_stride, &mut sums);
            }
            left = left.add(R * CHUNK);
            right = right.add(CHUNK * width);
            remaining -= CHUNK;
        }
        for k in 0..remaining {
            step::<V, R, P>(left.add(k), right.add(k * width), job.panel_stride, &mut sums);
        }
        for row in 0..R {
            for p in 0..P {
                out[(row * P + p) * 2] = sums[row][p][0];
                out[(row * P + p) * 2 + 1] = sums[row][p][1];
            }
        }
    }
}

const fn panel_width<V: Vector>() -> usize {
    panel::<V>()
}

/// One inner index of the tile.
#[inline(always)]
unsafe fn step<V: Vector, const R: usize, const P: usize>(
    left: *const f32,
    right: *const f32,
    panel_stride: usize,
    sums: &mut [[[V; 2]; P]; R],
) {
    // SAFETY: one number of each row and one index of each panel, as the caller has them.
    unsafe {
        if R >= FETCHING_ROWS {
            for line in (0..panel::<V>()).step_by(CHUNK) {
                V::prefetch(right.wrapping_add(AHEAD * panel::<V>() + line));
            }
        }
        let mut weights = [[V::splat(0.0); 2]; P];
        for p in 0..P {
            weights[p] = [V::load(right.add(p * panel_stride)), V::load(right.add(p * panel_stride + V::WIDTH))];
        }
        for row in 0..R {
            let number = V::splat(*left.add(row * CHUNK));
            for p in 0..P {
                sums[row][p][0] = number.times_plus(weights[p][0], sums[row][p][0]);
                sums[row][p][1] = number.times_plus(weights[p][1], sums[row][p][1]);
            }
        }
    }
}

/// Bias, activation, residual; then out. Once for all tile shapes: in registers and unrolled it would be most of the
/// code and none of the time.
#[inline(always)]
unsafe fn finish<V: Vector>(job: &Product, panel: usize, panels: usize, sums: &Sums<V>) {
    for vector in 0..2 * panels {
        let column = panel * panel_width::<V>() + vector * V::WIDTH;
        if column >= job.columns {
            return;
        }
        let count = job.columns - column;
        // SAFETY: the bias covers whole panels; out and the addend are touched only below `columns`.
        unsafe {
            let bias = if job.bias.is_null() { V::splat(0.0) } else { V::load(job.bias.add(column)) };
            for row in 0..job.rows {
                let offset = row * job.row_stride + column / CHUNK * job.chunk_stride + column % CHUNK;
                let out = job.out.add(offset);
                let sum = sums[row * 2 * panels + vector].plus(bias);
                let result = match job.finish {
                    Finish::Store => sum,
                    Finish::Gelu => gelu_of(sum),
                    Finish::Add => sum.plus(first::<V>(out, count)),
                    Finish::GeluPlus(addend) => gelu_of(sum).plus(first::<V>(addend.add(offset), count)),
                    Finish::Scale(scales) => sum.times(V::splat(*scales.add(row))),
                };
                if count >= V::WIDTH { result.store(out) } else { result.store_first(out, count) }
            }
        }
    }
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
