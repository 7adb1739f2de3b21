//! Keys and values in bytes: those of all heads, filled at once.

use crate::generic::attend::{Attend, BLOCK, scratch};
use crate::generic::product::CHUNK;
use crate::generic::quantize::{Keys, Values, scratch_of_keys};
use crate::kernels::Kernels;
use crate::memory::{AlignedBuffer, Shelf};
use crate::panels::Source;
use crate::team::{Region, Shares};

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

    /// Makes room, where there is none, for what is described.
    pub(crate) fn ensure(
        slot: &mut Option<Heads>,
        kernels: &'static Kernels,
        heads: usize,
        size: usize,
        time: usize,
        shelf: &mut Shelf,
    ) {
        let fits = |held: &Heads| {
            std::ptr::eq(held.kernels, kernels) && (held.heads, held.size) == (heads, size) && held.capacity >= time
        };
        if !slot.as_ref().is_some_and(fits) {
            *slot = Some(Heads::new(kernels, heads, size, time, shelf));
        }
    }

    fn channels(&self) -> usize {
        self.size.next_multiple_of(self.kernels.panel)
    }

    /// Takes over keys and values of all positions, those of a head on one thread.
    pub(crate) fn fill(&mut self, region: &mut Region<'_>, source: Source<'_>) {
        let Heads { kernels, heads, size, capacity, .. } = *self;
        let (channels, cells) = (self.channels(), size.div_ceil(4));
        let last = (source.time.max(1) - 1) * source.stride + source.keys.max(source.values) + heads * size;
        assert!(source.time <= capacity && (source.time == 0 || last <= source.numbers.len()));
        self.length = source.time;
        let keys = (Shares(self.keys.as_mut_ptr()), Shares(self.key_scales.as_mut_ptr()));
        let key_starts = (!self.key_starts.is_empty()).then_some(Shares(self.key_starts.as_mut_ptr()));
        let values = (Shares(self.values.as_mut_ptr()), Shares(self.value_scales.as_mut_ptr()));
        let value_starts = (!self.value_starts.is_empty()).then_some(Shares(self.value_starts.as_mut_ptr()));
        let blocks = capacity.div_ceil(BLOCK);
        region.split_with_scratch(2 * heads, scratch_of_keys(size), |scratch, block| {
            let (head, of_values) = (block / 2, block % 2 == 1);
            // SAFETY: the source was checked to hold all positions of all heads; the buffers were made for `capacity`
            // positions, and the part of each head is written by one block. The kernels run here because they exist.
            unsafe {
                if of_values {
                    (kernels.values)(&Values {
                        from: source.numbers.as_ptr().add(source.values + head * size),
                        stride: source.stride,
                        positions: source.time,
                        size,
                        capacity,
                        block: BLOCK,
                        cells: values.0.get().add(head * channels * (capacity / 4)),
                        scales: values.1.get().add(head * channels),
                        starts: match &value_starts {
                            Some(starts) => starts.get().add(head * blocks * channels),
                            None => std::ptr::null_mut(),
                        },
                    });
                } else {
                    (kernels.keys)(&Keys {
                        from: source.numbers.as_ptr().add(source.keys + head * size),
                        stride: source.stride,
                        positions: source.time,
                        size,
                        cells: keys.0.get().add(head * capacity * cells),
                        scales: keys.1.get().add(head * capacity),
                        starts: match &key_starts {
                            Some(starts) => starts.get().add(head * capacity),
                            None => std::ptr::null_mut(),
                        },
                        scratch: scratch.as_mut_ptr(),
                    });
                }
            }
        });
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
