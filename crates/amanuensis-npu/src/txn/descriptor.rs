//! Buffer descriptors of the tiles that reach the host's memory: eight words that say which words of it are moved, in which order.

/// A dimension that wraps: so many steps of so many words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dimension {
    /// Steps before the next dimension takes one; 0 never wraps.
    pub wrap: u16,
    /// Words of a step, at least 1.
    pub stride: u32,
}

/// How passes differ: each begins so many words further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iteration {
    /// Where the first pass stands.
    pub current: u8,
    /// Passes until it begins again, 1 to 64. One stays where it is.
    pub size: u8,
    /// Words of a step, at least 1.
    pub stride: u32,
}

/// What is written before the data for a stream that is switched by packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packet {
    /// Whether there is such a word.
    pub enabled: bool,
    /// Descriptors that may be worked off out of order.
    pub out_of_order: u8,
    /// The packet's number.
    pub id: u8,
    /// The packet's kind.
    pub kind: u8,
}

/// A descriptor, field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Words of one pass.
    pub length: u32,
    /// Where the data lies: 48 bits, put there by a patch.
    pub base: u64,
    /// Packets.
    pub packet: Packet,
    /// The innermost dimension and the one around it.
    pub dimensions: [Dimension; 2],
    /// Words of a step of the third dimension, which has no wrap: the length ends it.
    pub outer_stride: u32,
    /// How long a burst may be; 2 is the longest.
    pub burst: u8,
    /// How caches are used; 2 is what everybody writes.
    pub cache: u8,
    /// How passes differ.
    pub iteration: Iteration,
    /// The descriptor that is worked off behind this one.
    pub next: Option<u8>,
    /// Whether it may be used.
    pub valid: bool,
    /// The locks that are taken and given, as the last word has them.
    pub locks: u32,
    /// Bits that must be zero, or that nobody sets: of the words 2 to 7.
    pub reserved: [u32; 6],
}

/// Bits of the words 2 to 7 that are fields here.
const FIELDS: [u32; 6] = [0x7FFF_FFFF, 0x3FFF_FFFF, 0xFFFF_FFFF, 0x0F0F_FFFF, 0xFFFF_FFFF, 0x7FFD_FFEF];
const LOCKS: u32 = 0x01FD_FFEF;
/// The number of the next descriptor, which means nothing where none follows.
const NEXT: u32 = 15 << 27;
const STRIDE: u32 = 0xF_FFFF;

impl Descriptor {
    /// Words of a descriptor.
    pub const WORDS: usize = 8;
    /// Most steps of a dimension that wraps.
    pub const MOST_STEPS: usize = 1023;
    /// Longest step of a dimension, in words.
    pub const LONGEST_STRIDE: usize = 1 << 20;
    /// Most passes that differ.
    pub const MOST_ITERATIONS: usize = 64;

    /// So many words in a row.
    pub const fn linear(length: u32, base: u64) -> Self {
        Self {
            length,
            base,
            packet: Packet { enabled: false, out_of_order: 0, id: 0, kind: 0 },
            dimensions: [Dimension { wrap: 0, stride: 1 }; 2],
            outer_stride: 1,
            burst: 2,
            cache: 2,
            iteration: Iteration { current: 0, size: 1, stride: 1 },
            next: None,
            valid: true,
            locks: 0,
            reserved: [0; 6],
        }
    }

    /// The fields of the words.
    pub fn decode(words: &[u32; Self::WORDS]) -> Self {
        let [length, low, upper, inner, middle, outer, passes, last] = *words;
        let stride = |word: u32| (word & STRIDE) + 1;
        let dimension = |word: u32| Dimension { wrap: (word >> 20 & 0x3FF) as u16, stride: stride(word) };
        let iteration =
            Iteration { current: (passes >> 26) as u8, size: (passes >> 20 & 63) as u8 + 1, stride: stride(passes) };
        let packet = Packet {
            enabled: upper >> 30 & 1 == 1,
            out_of_order: (upper >> 24 & 63) as u8,
            id: (upper >> 19 & 31) as u8,
            kind: (upper >> 16 & 7) as u8,
        };
        let mut reserved = [upper, inner, middle, outer, passes, last];
        reserved.iter_mut().zip(FIELDS).for_each(|(word, fields)| *word &= !fields);
        let chained = last >> 26 & 1 == 1;
        if !chained {
            reserved[5] |= last & NEXT;
        }
        Self {
            length,
            base: u64::from(low) | u64::from(upper & 0xFFFF) << 32,
            packet,
            dimensions: [dimension(inner), dimension(middle)],
            outer_stride: stride(outer),
            burst: (middle >> 30) as u8,
            cache: (outer >> 24 & 15) as u8,
            iteration,
            next: chained.then_some((last >> 27 & 15) as u8),
            valid: last >> 25 & 1 == 1,
            locks: last & LOCKS,
            reserved,
        }
    }

    /// The words of the fields.
    pub fn encode(&self) -> [u32; Self::WORDS] {
        let stride = |words: u32| words.saturating_sub(1) & STRIDE;
        let dimension = |one: Dimension| (u32::from(one.wrap) & 0x3FF) << 20 | stride(one.stride);
        let packet = u32::from(self.packet.enabled) << 30
            | u32::from(self.packet.out_of_order & 63) << 24
            | u32::from(self.packet.id & 31) << 19
            | u32::from(self.packet.kind & 7) << 16;
        let passes = u32::from(self.iteration.current & 63) << 26
            | u32::from(self.iteration.size.saturating_sub(1) & 63) << 20
            | stride(self.iteration.stride);
        let next = self.next.map_or(0, |id| u32::from(id & 15) << 27 | 1 << 26);
        let mut words = [
            self.length,
            self.base as u32,
            (self.base >> 32) as u32 & 0xFFFF | packet,
            dimension(self.dimensions[0]),
            dimension(self.dimensions[1]) | u32::from(self.burst & 3) << 30,
            stride(self.outer_stride) | u32::from(self.cache & 15) << 24,
            passes,
            next | u32::from(self.valid) << 25 | self.locks & LOCKS,
        ];
        words[2..].iter_mut().zip(self.reserved).for_each(|(word, bits)| *word |= bits);
        words
    }

    /// Which words of a buffer are moved by a push, from a word of the buffer on.
    pub fn pattern(&self, start: u64, passes: u16) -> Pattern {
        let [inner, middle] = self.dimensions;
        let inner_steps = if inner.wrap == 0 { self.length } else { u32::from(inner.wrap) };
        let lines = if middle.wrap == 0 { u32::MAX } else { u32::from(middle.wrap) };
        Pattern {
            start,
            length: self.length,
            inner_steps,
            inner_stride: inner.stride,
            lines,
            line_stride: middle.stride,
            plane_stride: self.outer_stride,
            iteration: self.iteration,
            passes,
        }
    }
}

/// The words that a push moves, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    start: u64,
    length: u32,
    inner_steps: u32,
    inner_stride: u32,
    lines: u32,
    line_stride: u32,
    plane_stride: u32,
    iteration: Iteration,
    passes: u16,
}

/// Words in a row, or so many words apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first word of the buffer.
    pub start: u64,
    /// How many.
    pub count: u32,
    /// How far apart, 1 for neighbours.
    pub step: u32,
}

impl Pattern {
    /// Words of one pass.
    pub const fn length(&self) -> u32 {
        self.length
    }

    /// How many passes there are.
    pub const fn passes(&self) -> u16 {
        self.passes
    }

    /// Whether every pass moves the same words.
    pub const fn same_each_pass(&self) -> bool {
        self.iteration.size == 1
    }

    /// The first word and the one behind the last; both the start where nothing is moved.
    pub fn extent(&self) -> (u64, u64) {
        if self.length == 0 || self.inner_steps == 0 {
            return (self.start, self.start);
        }
        let last = |steps: u64, stride: u32| steps.saturating_sub(1) * u64::from(stride);
        let lines = u64::from(self.length).div_ceil(u64::from(self.inner_steps));
        let planes = lines.div_ceil(u64::from(self.lines));
        let inner = u64::from(self.inner_steps.min(self.length));
        let within = last(inner, self.inner_stride)
            + last(lines.min(u64::from(self.lines)), self.line_stride)
            + last(planes, self.plane_stride);
        let farthest = (0..self.passes.min(64)).map(|pass| self.pass_offset(pass)).max().unwrap_or(0);
        let nearest = (0..self.passes.min(64)).map(|pass| self.pass_offset(pass)).min().unwrap_or(0);
        (self.start + nearest, self.start + farthest + within + 1)
    }

    fn pass_offset(&self, pass: u16) -> u64 {
        let place = (u64::from(self.iteration.current) + u64::from(pass)) % u64::from(self.iteration.size.max(1));
        place * u64::from(self.iteration.stride)
    }

    /// The runs of a pass.
    pub fn runs(&self, pass: u16) -> impl Iterator<Item = Run> + use<> {
        let pattern = *self;
        let base = pattern.start + pattern.pass_offset(pass);
        let lines = if pattern.inner_steps == 0 { 0 } else { pattern.length.div_ceil(pattern.inner_steps) };
        (0..lines).map(move |line| {
            let (plane, row) = (line / pattern.lines, line % pattern.lines);
            let start = base
                + u64::from(row) * u64::from(pattern.line_stride)
                + u64::from(plane) * u64::from(pattern.plane_stride);
            let left = pattern.length - line * pattern.inner_steps;
            Run { start, count: pattern.inner_steps.min(left), step: pattern.inner_stride }
        })
    }
}
