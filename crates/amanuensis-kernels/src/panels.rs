//! Keys and values as numbers, in the order the kernels read them, and the attention of a tile of rows to those of one head.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use crate::generic::product::{CHUNK, Product, pack_tile, packed_tile};
use crate::kernels::Kernels;
use crate::memory::Number;
use crate::team::Shares;

/// Where things lie.
///
/// ```text
/// keys    [head][capacity / P][head size][P]    P positions side by side: the weights of queries x keys
/// values  [head][head size / P][capacity][P]    P channels side by side: the weights of scores x values
/// ```
///
/// P is the panel of the kernels, so both products of attention are the product of the linear layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) heads: usize,
    pub(crate) head_size: usize,
    pub(crate) capacity: usize,
    pub(crate) panel: usize,
}

/// What keys and values are kept as.
pub(crate) trait Kept: Number + Default {
    /// The product with panels of them.
    fn product(kernels: &Kernels) -> unsafe fn(&Product);

    /// Makes them of f32, each the nearest there is.
    fn of(numbers: &[f32], into: &mut [Self]);
}

impl Kept for f32 {
    fn product(kernels: &Kernels) -> unsafe fn(&Product) {
        kernels.product
    }

    fn of(numbers: &[f32], into: &mut [f32]) {
        into.copy_from_slice(numbers);
    }
}

/// f16, by its bits.
impl Kept for u16 {
    fn product(kernels: &Kernels) -> unsafe fn(&Product) {
        kernels.product_of_halves
    }

    fn of(numbers: &[f32], into: &mut [u16]) {
        into.reinterpret_cast_mut::<f16>().convert_from_f32_slice(numbers);
    }
}

impl Layout {
    /// Numbers in the keys of one head.
    pub(crate) fn head_keys(&self) -> usize {
        self.capacity.next_multiple_of(self.panel) * self.head_size
    }

    /// Numbers in the values of one head.
    pub(crate) fn head_values(&self) -> usize {
        self.head_size.next_multiple_of(self.panel) * self.capacity
    }

    /// The keys and values of one head.
    pub(crate) fn head<'a, T>(&self, keys: &'a [T], values: &'a [T], head: usize) -> (&'a [T], &'a [T]) {
        let (of_keys, of_values) = (self.head_keys(), self.head_values());
        (&keys[head * of_keys..][..of_keys], &values[head * of_values..][..of_values])
    }

    pub(crate) fn put_key<T: Kept>(&self, head_keys: &mut [T], position: usize, key: &[f32]) {
        let panel = position / self.panel * self.panel * self.head_size;
        let target = &mut head_keys[panel..panel + self.panel * self.head_size];
        let place = position % self.panel;
        for (rows, numbers) in target.chunks_mut(CHUNK * self.panel).zip(key.chunks(CHUNK)) {
            let mut kept = [T::default(); CHUNK];
            T::of(numbers, &mut kept[..numbers.len()]);
            for (side_by_side, number) in rows.chunks_exact_mut(self.panel).zip(kept) {
                side_by_side[place] = number;
            }
        }
    }

    pub(crate) fn put_value<T: Kept>(&self, head_values: &mut [T], position: usize, value: &[f32]) {
        for (panel, channels) in value.chunks(self.panel).enumerate() {
            let start = (panel * self.capacity + position) * self.panel;
            T::of(channels, &mut head_values[start..start + channels.len()]);
        }
    }
}

/// The keys, or the values, of one head: a row for every position, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    /// From the first number of the first row on.
    pub(crate) numbers: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) positions: usize,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Keys,
    Values,
}

impl Layout {
    /// Brings one head of `part` into its place.
    ///
    /// # Safety
    /// `keys` and `values` must be those of this layout, and nobody else may touch this head of that part.
    pub(crate) unsafe fn put<T: Kept>(
        &self,
        keys: &Shares<T>,
        values: &Shares<T>,
        head: usize,
        part: Part,
        columns: Columns<'_>,
    ) {
        let rows = (0..columns.positions).map(|row| &columns.numbers[row * columns.stride..][..self.head_size]);
        match part {
            Part::Keys => {
                let size = self.head_keys();
                // SAFETY: there are so many numbers for each head, and this one is the caller's alone.
                let keys = unsafe { std::slice::from_raw_parts_mut(keys.get().add(head * size), size) };
                rows.enumerate().for_each(|(position, key)| self.put_key(keys, position, key));
            }
            Part::Values => {
                let size = self.head_values();
                // SAFETY: as above.
                let values = unsafe { std::slice::from_raw_parts_mut(values.get().add(head * size), size) };
                rows.enumerate().for_each(|(position, value)| self.put_value(values, position, value));
            }
        }
    }
}

/// Numbers of working memory for one tile: packed queries, a strip of scores, a scale per row.
pub(crate) fn scratch_size(kernels: &Kernels, head_size: usize, longest: usize) -> usize {
    packed_tile(kernels.tile, head_size) + strip_size(kernels, kernels.tile, longest) + kernels.tile
}

fn strip_size(kernels: &Kernels, rows: usize, longest: usize) -> usize {
    rows * longest.next_multiple_of(kernels.panel.max(CHUNK))
}

/// One tile of rows of one head.
///
/// The scores of a tile against all positions are one strip, packed as the left side of the product with the values:
/// 12 rows x 1500 positions are 72 KB, so it stays in the second cache, and the largest score of each row is known
/// before the first exponential. No rescaling, and no `[time, time]` matrix.
pub(crate) struct Attend<'a, T> {
    pub(crate) kernels: &'static Kernels,
    /// From the first number of the first row of this head on.
    pub(crate) queries: &'a [f32],
    pub(crate) query_stride: usize,
    pub(crate) rows: usize,
    pub(crate) layout: Layout,
    pub(crate) keys: &'a [T],
    pub(crate) values: &'a [T],
    pub(crate) lengths: &'a [usize],
}

impl<T: Kept> Attend<'_, T> {
    /// # Safety
    /// `out` must be valid for `rows` rows of head-size numbers, `out_stride` apart, and nobody else may touch them.
    pub(crate) unsafe fn run(
        &self,
        scratch: &mut [f32],
        out: *mut f32,
        out_stride: usize,
        scores: impl FnOnce(&[f32]),
    ) {
        let Attend { kernels, rows, layout: Layout { head_size, capacity, panel, .. }, .. } = *self;
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        if longest == 0 {
            // Rows that may see nothing are sums over nothing.
            for row in 0..rows {
                // SAFETY: the caller's promise: `rows` rows of head-size numbers, `out_stride` apart.
                unsafe { std::ptr::write_bytes(out.add(row * out_stride), 0, head_size) }
            }
            return;
        }
        let (queries, scratch) = scratch.split_at_mut(packed_tile(kernels.tile, head_size));
        let (scales, scratch) = scratch.split_at_mut(kernels.tile);
        let strip = &mut scratch[..strip_size(kernels, rows, longest)];
        let panels = longest.div_ceil(panel);
        // The strides of panels are told in cells of four bytes.
        let cells = |numbers: usize| numbers * size_of::<T>() / size_of::<u32>();
        let product = T::product(kernels);
        assert!(longest <= capacity && self.lengths.len() == rows && rows <= kernels.tile);
        assert!(self.keys.len() == self.layout.head_keys() && self.values.len() == self.layout.head_values());
        pack_tile(self.queries, self.query_stride, rows, head_size, 1.0 / (head_size as f32).sqrt(), queries);
        // SAFETY: `queries` was just packed; the keys have `panels` whole panels of head_size x panel because `longest`
        // is within the capacity; the strip has room for all columns of these panels. The kernels run here because they
        // exist.
        unsafe {
            product(&Product {
                left: queries.as_ptr().cast(),
                rows,
                inner: head_size,
                right: self.keys.as_ptr().cast(),
                panel_stride: cells(head_size * panel),
                panels,
                out: strip.as_mut_ptr(),
                row_stride: CHUNK,
                chunk_stride: rows * CHUNK,
                columns: panels * panel,
                ..Product::EMPTY
            });
        }
        scores(strip);
        // SAFETY: a Kernels exists only where its instructions do.
        unsafe { (kernels.softmax)(strip, rows, self.lengths, scales) }
        // SAFETY: the strip is a packed tile of `rows` x `longest`; the values have capacity x panel numbers per panel of
        // channels, `longest` is within it; `out` is the caller's promise; there is a scale for every row.
        unsafe {
            product(&Product {
                left: strip.as_ptr().cast(),
                rows,
                inner: longest,
                right: self.values.as_ptr().cast(),
                panel_stride: cells(capacity * panel),
                panels: head_size.div_ceil(panel),
                row_scales: scales.as_ptr(),
                out,
                row_stride: out_stride,
                columns: head_size,
                ..Product::EMPTY
            });
        }
    }
}
