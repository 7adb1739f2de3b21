//! Where tiles have their registers: an address is column, row and a place within the tile.

use std::fmt;

/// A tile of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// Its column.
    pub column: u8,
    /// Its row: 0 reaches the host's memory, 1 is memory, cores are above.
    pub row: u8,
}

/// What a tile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileKind {
    /// It reaches the host's memory.
    Shim,
    /// It is memory.
    Memory,
    /// It computes.
    Core,
}

/// Which way a channel moves words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Out of the array: "S2MM".
    StreamToMemory,
    /// Into the array: "MM2S".
    MemoryToStream,
}

/// A channel of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    /// Whose it is.
    pub tile: Tile,
    /// Which way it moves words.
    pub direction: Direction,
    /// Its number among those of that direction.
    pub index: u8,
}

/// A register, named by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Register {
    /// A word of a buffer descriptor.
    Descriptor {
        /// Which descriptor.
        id: u8,
        /// Which word of it.
        word: u8,
    },
    /// A channel's control register.
    Control {
        /// Which way the channel moves words.
        direction: Direction,
        /// Which channel.
        channel: u8,
    },
    /// A channel's queue.
    Queue {
        /// Which way the channel moves words.
        direction: Direction,
        /// Which channel.
        channel: u8,
    },
    /// A lock.
    Lock {
        /// Which lock.
        id: u8,
    },
    /// Data memory.
    Memory {
        /// Bytes behind its beginning.
        offset: u32,
    },
    /// Something else of the tile.
    Unnamed,
}

/// Where an address points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The tile.
    pub tile: Tile,
    /// Bytes behind the tile's beginning.
    pub offset: u32,
    /// What is there.
    pub register: Register,
}

/// Where a kind of tile has what.
struct Map {
    descriptors: u32,
    descriptor_count: u32,
    descriptor_words: u32,
    stream_to_memory: u32,
    memory_to_stream: u32,
    channels: u32,
    locks: u32,
    lock_count: u32,
    memory: u32,
}

const SHIM: Map = Map {
    descriptors: 0x1D000,
    descriptor_count: 16,
    descriptor_words: 8,
    stream_to_memory: 0x1D200,
    memory_to_stream: 0x1D210,
    channels: 2,
    locks: 0x14000,
    lock_count: 16,
    memory: 0,
};
const MEMORY: Map = Map {
    descriptors: 0xA0000,
    descriptor_count: 48,
    descriptor_words: 8,
    stream_to_memory: 0xA0600,
    memory_to_stream: 0xA0630,
    channels: 6,
    locks: 0xC0000,
    lock_count: 64,
    memory: 0x80000,
};
const CORE: Map = Map {
    descriptors: 0x1D000,
    descriptor_count: 16,
    descriptor_words: 6,
    stream_to_memory: 0x1DE00,
    memory_to_stream: 0x1DE10,
    channels: 2,
    locks: 0x1F000,
    lock_count: 16,
    memory: 0x10000,
};

const COLUMN_SHIFT: u32 = 25;
const ROW_SHIFT: u32 = 20;
const OFFSET_MASK: u32 = (1 << ROW_SHIFT) - 1;
const DESCRIPTOR_STRIDE: u32 = 0x20;
const CHANNEL_STRIDE: u32 = 8;
const LOCK_STRIDE: u32 = 0x10;

impl Tile {
    /// The tile of a column that reaches the host's memory.
    pub const fn shim(column: u8) -> Self {
        Self { column, row: 0 }
    }

    /// What the tile is; `None` above the array.
    pub const fn kind(self) -> Option<TileKind> {
        match self.row {
            0 => Some(TileKind::Shim),
            1 => Some(TileKind::Memory),
            2..=5 => Some(TileKind::Core),
            _ => None,
        }
    }

    /// The address of a place in the tile.
    pub const fn address(self, offset: u32) -> u32 {
        (self.column as u32) << COLUMN_SHIFT | (self.row as u32) << ROW_SHIFT | offset & OFFSET_MASK
    }

    /// The address of a descriptor's word.
    pub fn descriptor(self, id: u8, word: u8) -> u32 {
        let map = self.map().unwrap_or(&SHIM);
        self.address(map.descriptors + DESCRIPTOR_STRIDE * u32::from(id) + 4 * u32::from(word))
    }

    /// The address of a lock.
    pub fn lock(self, id: u8) -> u32 {
        let map = self.map().unwrap_or(&SHIM);
        self.address(map.locks + LOCK_STRIDE * u32::from(id))
    }

    fn map(self) -> Option<&'static Map> {
        self.kind().map(|kind| match kind {
            TileKind::Shim => &SHIM,
            TileKind::Memory => &MEMORY,
            TileKind::Core => &CORE,
        })
    }
}

impl Channel {
    /// The address of its control register.
    pub fn control(self) -> u32 {
        let map = self.tile.map().unwrap_or(&SHIM);
        let base = match self.direction {
            Direction::StreamToMemory => map.stream_to_memory,
            Direction::MemoryToStream => map.memory_to_stream,
        };
        self.tile.address(base + CHANNEL_STRIDE * u32::from(self.index))
    }

    /// The address of its queue.
    pub fn queue(self) -> u32 {
        self.control() + 4
    }
}

impl Place {
    /// Where an address points; `None` where there is no tile, or not at the beginning of a register.
    pub fn of(address: u32) -> Option<Self> {
        let tile = Tile { column: (address >> COLUMN_SHIFT) as u8, row: (address >> ROW_SHIFT & 31) as u8 };
        let offset = address & OFFSET_MASK;
        let map = tile.map()?;
        let within = |base: u32, bytes: u32| offset.checked_sub(base).filter(|inner| *inner < bytes);
        let channel_of = |base| within(base, CHANNEL_STRIDE * map.channels);
        let register = if !offset.is_multiple_of(4) {
            return None;
        } else if let Some(inner) = within(map.descriptors, DESCRIPTOR_STRIDE * map.descriptor_count) {
            let word = inner % DESCRIPTOR_STRIDE / 4;
            if word >= map.descriptor_words {
                return None;
            }
            Register::Descriptor { id: (inner / DESCRIPTOR_STRIDE) as u8, word: word as u8 }
        } else if let Some(inner) = channel_of(map.stream_to_memory) {
            channel_register(Direction::StreamToMemory, inner)
        } else if let Some(inner) = channel_of(map.memory_to_stream) {
            channel_register(Direction::MemoryToStream, inner)
        } else if let Some(inner) = within(map.locks, LOCK_STRIDE * map.lock_count) {
            if !inner.is_multiple_of(LOCK_STRIDE) {
                return None;
            }
            Register::Lock { id: (inner / LOCK_STRIDE) as u8 }
        } else if offset < map.memory {
            Register::Memory { offset }
        } else {
            Register::Unnamed
        };
        Some(Self { tile, offset, register })
    }

    /// The channel of a control register or a queue.
    pub fn channel(&self) -> Option<Channel> {
        match self.register {
            Register::Control { direction, channel } | Register::Queue { direction, channel } => {
                Some(Channel { tile: self.tile, direction, index: channel })
            }
            _ => None,
        }
    }
}

fn channel_register(direction: Direction, inner: u32) -> Register {
    let channel = (inner / CHANNEL_STRIDE) as u8;
    if inner.is_multiple_of(CHANNEL_STRIDE) {
        Register::Control { direction, channel }
    } else {
        Register::Queue { direction, channel }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StreamToMemory => "S2MM",
            Self::MemoryToStream => "MM2S",
        })
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile ({}, {})", self.column, self.row)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} channel {}", self.tile, self.direction, self.index)
    }
}
