//! The keys and values of what was heard, which come all at once.

use crate::heads::{Filling, Heads};
use crate::kernels::Kernels;
use crate::memory::AlignedBuffer;
use crate::panels::{Columns, Layout, Part};
use crate::precision::Precision;
use crate::team::{Region, Shares};

/// Keys and values of one window, all heads.
#[derive(Debug)]
pub struct KeysValues {
    pub(crate) kernels: &'static Kernels,
    pub(crate) layout: Layout,
    pub(crate) stored: Stored,
    length: usize,
}

/// What they are kept as.
#[derive(Debug)]
pub(crate) enum Stored {
    Singles { keys: AlignedBuffer<f32>, values: AlignedBuffer<f32> },
    Bytes(Heads),
}

impl Region<'_> {
    /// Room for the keys and values of `capacity` positions of `heads` heads of `head_size` channels.
    ///
    /// # Panics
    /// When there are no heads or no channels, or the precision is not one of attention.
    pub fn keys_values(&mut self, precision: Precision, heads: usize, head_size: usize, capacity: usize) -> KeysValues {
        assert!(heads > 0 && head_size > 0, "{heads} heads of {head_size} channels");
        let kernels = self.kernels();
        let layout = Layout { heads, head_size, capacity, panel: kernels.panel };
        let stored = match precision {
            Precision::F32 => Stored::Singles {
                keys: AlignedBuffer::zeroed(heads * layout.head_keys()),
                values: AlignedBuffer::zeroed(heads * layout.head_values()),
            },
            Precision::F16 | Precision::Int4 => panic!("no keys and values in {precision}"),
            Precision::Int8 => Stored::Bytes(Heads::new(kernels, heads, head_size, capacity, &mut self.team.shelf)),
        };
        KeysValues { kernels, layout, stored, length: 0 }
    }
}

impl KeysValues {
    /// Positions held.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Positions there is room for.
    pub fn capacity(&self) -> usize {
        self.layout.capacity
    }

    /// How many numbers a key or a value has over all heads.
    pub fn width(&self) -> usize {
        self.layout.heads * self.layout.head_size
    }

    /// Replaces all positions: `keys_values` is `[time, 2 * width]`, keys and values side by side.
    ///
    /// # Panics
    /// When it is not whole rows or there is no room for them.
    pub fn fill(&mut self, region: &mut Region<'_>, keys_values: &[f32]) {
        let wide = 2 * self.width();
        let count = keys_values.len();
        assert!(count.is_multiple_of(wide), "{count} numbers are not rows of {wide}");
        self.fill_from(region, keys_values, wide, 0);
    }

    /// The same from the columns behind `first` of rows of `stride` numbers.
    pub(crate) fn fill_from(&mut self, region: &mut Region<'_>, rows: &[f32], stride: usize, first: usize) {
        let (width, size, time) = (self.width(), self.layout.head_size, rows.len() / stride);
        let heads = self.layout.heads;
        let keeping = self.keeping(time);
        region.split_with_scratch(2 * heads, keeping.scratch(), |scratch, block| {
            let (head, part) = (block / 2, if block % 2 == 0 { Part::Keys } else { Part::Values });
            let start = first + head * size + if part == Part::Keys { 0 } else { width };
            let columns = Columns { numbers: &rows[start.min(rows.len())..], stride, positions: time };
            // SAFETY: what is kept lives, and this part of this head is this block's alone.
            unsafe { keeping.put(head, part, columns, scratch) }
        });
    }

    /// What takes over the keys and values of so many positions; all heads must come.
    pub(crate) fn keeping(&mut self, positions: usize) -> Keeping {
        assert!(positions <= self.layout.capacity, "{positions} positions, room for {}", self.layout.capacity);
        self.length = positions;
        match &mut self.stored {
            Stored::Singles { keys, values } => Keeping::Singles {
                layout: self.layout,
                keys: Shares(keys.as_mut_ptr()),
                values: Shares(values.as_mut_ptr()),
            },
            Stored::Bytes(heads) => Keeping::Bytes(heads.filling(positions)),
        }
    }

    /// Makes room, where there is none, for what is described.
    pub(crate) fn ensure(
        slot: Option<KeysValues>,
        region: &mut Region<'_>,
        precision: Precision,
        heads: usize,
        head_size: usize,
        time: usize,
    ) -> KeysValues {
        let kernels = region.kernels();
        let fits = |kept: &KeysValues| {
            let Layout { heads: of, head_size: size, capacity, .. } = kept.layout;
            let alike = matches!(kept.stored, Stored::Bytes(_)) == (precision == Precision::Int8);
            alike && std::ptr::eq(kept.kernels, kernels) && (of, size) == (heads, head_size) && capacity >= time
        };
        match slot {
            Some(kept) if fits(&kept) => kept,
            _ => region.keys_values(precision, heads, head_size, time),
        }
    }
}

/// Takes over keys and values, a part of a head at a time, on any thread.
pub(crate) enum Keeping {
    Singles { layout: Layout, keys: Shares<f32>, values: Shares<f32> },
    Bytes(Filling),
}

impl Keeping {
    /// Numbers of working memory that it takes.
    pub(crate) fn scratch(&self) -> usize {
        match self {
            Keeping::Singles { .. } => 0,
            Keeping::Bytes(filling) => filling.scratch(),
        }
    }

    /// Takes over one head of `part`.
    ///
    /// # Safety
    /// What keeps them must live, with so many heads, and nobody else may touch this head of that part.
    pub(crate) unsafe fn put(&self, head: usize, part: Part, columns: Columns<'_>, scratch: &mut [f32]) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Keeping::Singles { layout, keys, values } => layout.put(keys, values, head, part, columns),
                Keeping::Bytes(filling) => filling.put(head, part, columns, scratch),
            }
        }
    }
}
