//! Keys and values in bytes: those of all heads, of a sequence that comes as a whole.

use crate::generic::attend::{Attend, BLOCK, scratch};
use crate::generic::product::CHUNK;
use crate::generic::quantize::{Keys, Values, scratch_of_keys};
use crate::kernels::Kernels;
use crate::memory::{AlignedBuffer, Shelf};
use crate::panels::{Columns, Part};
use crate::team::Shares;

/// Keys and values of a sequence as bytes.
///
/// ```text
/// keys    [head][capacity / P][head size / 4][P]    P positions side by side, four channels in a cell; a scale for each
/// values  [head][head size / P][capacity / 4][P]    P channels side by side, four positions in a cell; a scale for each
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Heads {
    kernels: &'static Kernels,
    heads: usize,
    size: usize,
    capacity: usize,
    length: usize,
    keys: AlignedBuffer<u32>,
    key_scales: AlignedBuffer<f32>,
    /// What sums start from, where the kernels store left sides with an offset.
    key_starts: AlignedBuffer<i32>,
    values: AlignedBuffer<u32>,
    value_scales: AlignedBuffer<f32>,
    /// The same for every block of positions, where they store them without.
    value_starts: AlignedBuffer<i32>,
}

impl Heads {
    /// Room for `capacity` positions.
    pub(crate) fn new(
        kernels: &'static Kernels,
        heads: usize,
        size: usize,
        capacity: usize,
        shelf: &mut Shelf,
    ) -> Heads {
        // Whole panels of keys, whole cells of values.
        let capacity = capacity.next_multiple_of(kernels.panel.max(4));
        let channels = size.next_multiple_of(kernels.panel);
        let (raised, level) = if kernels.offset == 0 { (0, heads) } else { (heads, 0) };
        Heads {
            kernels,
            heads,
            size,
            capacity,
            length: 0,
            keys: shelf.zeroed(heads * capacity * size.div_ceil(4)),
            key_scales: shelf.zeroed(heads * capacity),
            key_starts: shelf.zeroed(raised * capacity),
            // What is multiplied in whole chunks reads a chunk of a panel behind the last.
            values: shelf.zeroed(heads * channels * (capacity / 4) + CHUNK * kernels.panel),
            value_scales: shelf.zeroed(heads * channels),
            value_starts: shelf.zeroed(level * capacity.div_ceil(BLOCK) * channels),
        }
    }

    fn channels(&self) -> usize {
        self.size.next_multiple_of(self.kernels.panel)
    }

    /// What takes over the keys and values of so many positions; all heads must come.
    ///
    /// # Panics
    /// When there is no room for them.
    pub(crate) fn filling(&mut self, positions: usize) -> Filling {
        assert!(positions <= self.capacity, "{positions} positions, room for {}", self.capacity);
        self.length = positions;
        let shares = |starts: &mut AlignedBuffer<i32>| (!starts.is_empty()).then(|| Shares(starts.as_mut_ptr()));
        Filling {
            kernels: self.kernels,
            size: self.size,
            positions,
            capacity: self.capacity,
            channels: self.channels(),
            keys: Shares(self.keys.as_mut_ptr()),
            key_scales: Shares(self.key_scales.as_mut_ptr()),
            key_starts: shares(&mut self.key_starts),
            values: Shares(self.values.as_mut_ptr()),
            value_scales: Shares(self.value_scales.as_mut_ptr()),
            value_starts: shares(&mut self.value_starts),
        }
    }

    /// Numbers of working memory that a tile takes.
    pub(crate) fn scratch(&self) -> usize {
        scratch(self.size.max(self.channels()))
    }

    /// One tile of queries of one head over all positions.
    ///
    /// # Safety
    /// `out` must be valid for a row of head-size numbers for every row, `out_stride` apart, and `kept`, unless null, for
    /// the positions held for every row, `kept_stride` apart; nobody else may touch them.
    pub(crate) unsafe fn attend(&self, head: usize, tile: &Tile<'_>, scratch: &mut [f32]) {
        let Heads { kernels, size, capacity, length, .. } = *self;
        let Tile { queries, query_stride, rows, out, out_stride, kept, kept_stride } = *tile;
        if length == 0 {
            for row in 0..rows {
                // SAFETY: the caller's promise.
                unsafe { std::ptr::write_bytes(out.add(row * out_stride), 0, size) }
            }
            return;
        }
        let (channels, blocks) = (self.channels(), capacity.div_ceil(BLOCK));
        assert!(head < self.heads && rows > 0 && rows <= kernels.tile_of_bytes && scratch.len() >= self.scratch());
        assert!(queries.len() >= (rows - 1) * query_stride + size);
        let starts = |starts: &[i32], at: usize| {
            if starts.is_empty() { std::ptr::null() } else { starts[at..].as_ptr() }
        };
        // SAFETY: keys and values of this head were filled for `length` positions; queries and working memory were just
        // checked; `out` and `kept` are the caller's promise. The kernels run here because they exist.
        unsafe {
            (kernels.attend)(&Attend {
                queries: queries.as_ptr(),
                query_stride,
                rows,
                size,
                length,
                keys: self.keys[head * capacity * size.div_ceil(4)..].as_ptr(),
                key_scales: self.key_scales[head * capacity..].as_ptr(),
                key_starts: starts(&self.key_starts, head * capacity),
                values: self.values[head * channels * (capacity / 4)..].as_ptr(),
                capacity,
                value_scales: self.value_scales[head * channels..].as_ptr(),
                value_starts: starts(&self.value_starts, head * blocks * channels),
                out,
                out_stride,
                kept,
                kept_stride,
                scratch: scratch.as_mut_ptr(),
            });
        }
    }
}

/// Takes over keys and values, a part of a head at a time, on any thread.
pub(crate) struct Filling {
    kernels: &'static Kernels,
    size: usize,
    positions: usize,
    capacity: usize,
    channels: usize,
    keys: Shares<u32>,
    key_scales: Shares<f32>,
    key_starts: Option<Shares<i32>>,
    values: Shares<u32>,
    value_scales: Shares<f32>,
    value_starts: Option<Shares<i32>>,
}

impl Filling {
    /// Numbers of working memory that it takes.
    pub(crate) fn scratch(&self) -> usize {
        scratch_of_keys(self.size)
    }

    /// Takes over one head of `part`.
    ///
    /// # Safety
    /// What is filled must live, with so many heads, and nobody else may touch this head of that part.
    pub(crate) unsafe fn put(&self, head: usize, part: Part, columns: Columns<'_>, scratch: &mut [f32]) {
        let Filling { kernels, size, positions, capacity, channels, .. } = *self;
        let Columns { numbers, stride, positions: given } = columns;
        let last = positions.checked_sub(1).map_or(0, |last| last * stride + size);
        assert!(given == positions && last <= numbers.len() && scratch.len() >= self.scratch());
        let starts = |starts: &Option<Shares<i32>>, at: usize| {
            // SAFETY: the buffer has so many for each head.
            starts.as_ref().map_or(std::ptr::null_mut(), |starts| unsafe { starts.get().add(at) })
        };
        // SAFETY: the numbers were checked to hold all positions; the buffers were made for `capacity` positions, and this part
        // of this head is the caller's alone. The kernels run here because they exist.
        unsafe {
            match part {
                Part::Keys => (kernels.keys)(&Keys {
                    from: numbers.as_ptr(),
                    stride,
                    positions,
                    size,
                    cells: self.keys.get().add(head * capacity * size.div_ceil(4)),
                    scales: self.key_scales.get().add(head * capacity),
                    starts: starts(&self.key_starts, head * capacity),
                    scratch: scratch.as_mut_ptr(),
                }),
                Part::Values => (kernels.values)(&Values {
                    from: numbers.as_ptr(),
                    stride,
                    positions,
                    size,
                    capacity,
                    block: BLOCK,
                    cells: self.values.get().add(head * channels * (capacity / 4)),
                    scales: self.value_scales.get().add(head * channels),
                    starts: starts(&self.value_starts, head * capacity.div_ceil(BLOCK) * channels),
                }),
            }
        }
    }
}

/// Some rows of queries of one head, and where their results go.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a> {
    /// From the first number of the first row of this head on.
    pub(crate) queries: &'a [f32],
    pub(crate) query_stride: usize,
    pub(crate) rows: usize,
    pub(crate) out: *mut f32,
    pub(crate) out_stride: usize,
    pub(crate) kept: *mut f32,
    pub(crate) kept_stride: usize,
}
