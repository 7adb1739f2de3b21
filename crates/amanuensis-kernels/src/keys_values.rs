//! The keys and values a sequence has left behind, in the order the kernels read them.

use crate::heads::Heads;
use crate::kernels::Kernels;
use crate::memory::AlignedBuffer;
use crate::precision::Precision;
use crate::team::Region;

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

impl Layout {
    /// Numbers in the keys of one head.
    pub(crate) fn head_keys(&self) -> usize {
        self.capacity.next_multiple_of(self.panel) * self.head_size
    }

    /// Numbers in the values of one head.
    pub(crate) fn head_values(&self) -> usize {
        self.head_size.next_multiple_of(self.panel) * self.capacity
    }

    pub(crate) fn put_key(&self, head_keys: &mut [f32], position: usize, key: &[f32]) {
        let panel = position / self.panel * self.panel * self.head_size;
        let target = &mut head_keys[panel..panel + self.panel * self.head_size];
        let place = position % self.panel;
        for (side_by_side, from) in target.chunks_exact_mut(self.panel).zip(key) {
            side_by_side[place] = *from;
        }
    }

    pub(crate) fn put_value(&self, head_values: &mut [f32], position: usize, value: &[f32]) {
        for (panel, channels) in value.chunks(self.panel).enumerate() {
            let start = (panel * self.capacity + position) * self.panel;
            head_values[start..start + channels.len()].copy_from_slice(channels);
        }
    }
}

/// Keys and values of one sequence, all heads.
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
    /// Room for the keys and values of `capacity` positions of `heads` heads of `head_size` channels. What is not f32
    /// cannot be appended to, only filled: its scales are those of all positions together.
    ///
    /// # Panics
    /// When there are no heads or no channels, or the precision is not one of attention.
    pub fn keys_values(&mut self, precision: Precision, heads: usize, head_size: usize, capacity: usize) -> KeysValues {
        let kernels = self.kernels();
        match precision {
            Precision::F32 => KeysValues::new(kernels, heads, head_size, capacity),
            Precision::F16 | Precision::Int4 => panic!("no keys and values in {precision}"),
            Precision::Int8 => {
                assert!(heads > 0 && head_size > 0, "{heads} heads of {head_size} channels");
                let layout = Layout { heads, head_size, capacity, panel: kernels.panel };
                let held = Heads::new(kernels, heads, head_size, capacity, &mut self.team.shelf);
                KeysValues { kernels, layout, stored: Stored::Bytes(held), length: 0 }
            }
        }
    }
}

impl KeysValues {
    /// Room for `capacity` positions of `heads` heads of `head_size` channels, as f32.
    ///
    /// # Panics
    /// When there are no heads or no channels.
    pub fn new(kernels: &'static Kernels, heads: usize, head_size: usize, capacity: usize) -> KeysValues {
        assert!(heads > 0 && head_size > 0, "{heads} heads of {head_size} channels");
        let layout = Layout { heads, head_size, capacity, panel: kernels.panel };
        let stored = Stored::Singles {
            keys: AlignedBuffer::zeroed(heads * layout.head_keys()),
            values: AlignedBuffer::zeroed(heads * layout.head_values()),
        };
        KeysValues { kernels, layout, stored, length: 0 }
    }

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

    /// Forget all positions.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Forget all positions from `length` on.
    ///
    /// # Panics
    /// When they are bytes, which are as many as were filled.
    pub fn truncate(&mut self, length: usize) {
        assert!(matches!(self.stored, Stored::Singles { .. }), "keys and values in bytes cannot be shortened");
        self.length = self.length.min(length);
    }

    /// Add one position.
    ///
    /// # Panics
    /// When it is full, or holds bytes, or the rows are not [`width`](KeysValues::width) numbers.
    pub fn append(&mut self, keys: &[f32], values: &[f32]) {
        let width = self.width();
        assert!(keys.len() == width && values.len() == width, "a key and a value have {width} numbers");
        assert!(self.length < self.layout.capacity, "no room for more than {} positions", self.layout.capacity);
        let Layout { heads, head_size, .. } = self.layout;
        let (head_keys, head_values) = (self.layout.head_keys(), self.layout.head_values());
        let Stored::Singles { keys: held_keys, values: held_values } = &mut self.stored else {
            panic!("nothing can be appended to keys and values in bytes");
        };
        for head in 0..heads {
            let channels = head * head_size..(head + 1) * head_size;
            let target = &mut held_keys[head * head_keys..][..head_keys];
            self.layout.put_key(target, self.length, &keys[channels.clone()]);
            let target = &mut held_values[head * head_values..][..head_values];
            self.layout.put_value(target, self.length, &values[channels]);
        }
        self.length += 1;
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

impl Clone for KeysValues {
    fn clone(&self) -> KeysValues {
        let Layout { heads, head_size, capacity, .. } = self.layout;
        if let Stored::Bytes(heads) = &self.stored {
            return KeysValues { stored: Stored::Bytes(heads.clone()), ..*self };
        }
        let mut copy = KeysValues::new(self.kernels, heads, head_size, capacity);
        copy.clone_from(self);
        copy
    }

    /// Copies only the positions held: what reordering the beams of a search costs.
    fn clone_from(&mut self, source: &KeysValues) {
        let (Stored::Singles { keys, values }, Stored::Singles { keys: their_keys, values: their_values }) =
            (&mut self.stored, &source.stored)
        else {
            *self = source.clone();
            return;
        };
        if self.layout != source.layout || !std::ptr::eq(self.kernels, source.kernels) {
            *self = source.clone();
            return;
        }
        let Layout { head_size, capacity, panel, .. } = self.layout;
        let length = source.length;
        let used = length.next_multiple_of(panel) * head_size;
        let head = self.layout.head_keys().max(1);
        for (to, from) in keys.chunks_exact_mut(head).zip(their_keys.chunks_exact(head)) {
            to[..used].copy_from_slice(&from[..used]);
        }
        let column = (capacity * panel).max(1);
        for (to, from) in values.chunks_exact_mut(column).zip(their_values.chunks_exact(column)) {
            to[..length * panel].copy_from_slice(&from[..length * panel]);
        }
        self.length = length;
    }
}

/// Rows in which keys and values lie side by side, at the offsets `keys` and `values`.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) keys: usize,
    pub(crate) values: usize,
    pub(crate) time: usize,
}

/// Bring the keys and values of all positions into the layout, a head at a time on all threads.
pub(crate) fn pack_heads(
    region: &mut Region<'_>,
    layout: Layout,
    source: Source<'_>,
    keys: &mut [f32],
    values: &mut [f32],
) {
    let Layout { head_size, .. } = layout;
    region.rows(keys, layout.head_keys().max(1), 1, |head, keys| {
        for position in 0..source.time {
            let start = position * source.stride + source.keys + head * head_size;
            layout.put_key(keys, position, &source.numbers[start..][..head_size]);
        }
    });
    region.rows(values, layout.head_values().max(1), 1, |head, values| {
        for position in 0..source.time {
            let start = position * source.stride + source.values + head * head_size;
            layout.put_value(values, position, &source.numbers[start..][..head_size]);
        }
    });
}
