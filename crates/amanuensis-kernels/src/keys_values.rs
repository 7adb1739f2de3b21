//! The keys and values of what was heard, which come all at once.

use crate::heads::Heads;
use crate::kernels::Kernels;
use crate::memory::AlignedBuffer;
use crate::panels::{Layout, Source, pack_heads};
use crate::precision::Precision;
use crate::team::Region;

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

    /// Replace all positions: `keys_values` is `[time, 2 * width]`, keys and values side by side.
    ///
    /// # Panics
    /// When it is not whole rows or there is no room for them.
    pub fn fill(&mut self, region: &mut Region<'_>, keys_values: &[f32]) {
        let width = self.width();
        let count = keys_values.len();
        assert!(count.is_multiple_of(2 * width), "{count} numbers are not rows of {width} keys and {width} values");
        let time = count / (2 * width);
        assert!(time <= self.layout.capacity, "{time} positions, room for {}", self.layout.capacity);
        let source = Source { numbers: keys_values, stride: 2 * width, keys: 0, values: width, time };
        match &mut self.stored {
            Stored::Singles { keys, values } => pack_heads(region, self.layout, source, keys, values),
            Stored::Bytes(heads) => heads.fill(region, source),
        }
        self.length = time;
    }
}
