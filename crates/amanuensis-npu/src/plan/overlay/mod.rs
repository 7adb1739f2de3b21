//! What is in the array: cores and their tiles, where each stream enters or leaves it, and the words by which a stream tells the
//! cores how often to go round.

mod check;
mod recover;
mod reference;

pub use check::OverlayError;
pub use recover::{NotRecovered, recover_ports};
pub use reference::reference;

use super::{Micro, Operands, Rounding, WeightOrder};
use crate::txn::{Channel, Direction, Generation, Tile};

/// What a core holds of the three matrices at a time: m x k, k x n, m x n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileShape {
    /// Rows of the left factor and of the product.
    pub m: usize,
    /// What is summed over.
    pub k: usize,
    /// Columns of the right factor and of the product.
    pub n: usize,
}

/// A stream between the host's memory and the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fifo {
    /// Tiles of the left factor for some rows of cores, which all columns get.
    Activations(u8),
    /// Tiles of the right factor for a column of cores, which all rows get.
    Weights(u8),
    /// Tiles of the product of a column of cores, those of all rows one below the other.
    Results(u8),
}

impl Fifo {
    /// Which way it moves words.
    pub const fn direction(self) -> Direction {
        match self {
            Self::Activations(_) | Self::Weights(_) => Direction::MemoryToStream,
            Self::Results(_) => Direction::StreamToMemory,
        }
    }
}

/// Where a stream enters or leaves the array. Compilers place streams as they like, so this belongs to a build of the overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Port {
    /// Which stream.
    pub fifo: Fifo,
    /// The column of the tile.
    pub column: u8,
    /// The channel, of those in the stream's direction.
    pub channel: u8,
}

impl Port {
    /// The channel.
    pub const fn at(&self) -> Channel {
        Channel { tile: Tile::shim(self.column), direction: self.fifo.direction(), index: self.channel }
    }
}

/// What a runtime parameter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Meaning {
    /// How many tiles are summed for a tile of the product: K / k.
    Depth,
    /// How many tiles of the product the core makes.
    Tiles,
}

/// A word of a core's memory that tells it how often to go round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// Which core.
    pub core: Tile,
    /// Bytes behind the beginning of its memory.
    pub offset: u32,
    /// What it says.
    pub meaning: Meaning,
}

/// A lock behind which a core waits for its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Barrier {
    /// Which core.
    pub core: Tile,
    /// Which of its locks.
    pub lock: u8,
    /// What the lock must be for the core to go on.
    pub open: u32,
}

/// How cores know how often to go round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bounds {
    /// It is in their program: so many tiles are summed, for ever so many tiles of the product.
    Fixed {
        /// Tiles that are summed.
        depth: u32,
    },
    /// The stream tells them.
    Runtime {
        /// The words it writes.
        parameters: Vec<Parameter>,
        /// The locks it opens behind them.
        barriers: Vec<Barrier>,
        /// Whether a core closes its lock when it has read the words. One that does not begins the next
        /// product with the words of the last.
        rearmed: bool,
    },
}

/// A program of the array for matrix products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The devices it is for.
    pub generation: Generation,
    /// Columns of cores.
    pub columns: u8,
    /// Rows of cores.
    pub rows: u8,
    /// Rows of cores that one stream of the left factor feeds.
    pub rows_per_stream: u8,
    /// What a core holds at a time.
    pub tile: TileShape,
    /// What its instruction multiplies.
    pub micro: Micro,
    /// What is multiplied and what comes out.
    pub operands: Operands,
    /// How cores round.
    pub rounding: Rounding,
    /// How the right factor lies in the host's memory.
    pub weights: WeightOrder,
    /// Where the streams enter and leave.
    pub ports: Vec<Port>,
    /// How cores know how often to go round.
    pub bounds: Bounds,
}

impl Overlay {
    /// The cores, row by row within a column.
    pub fn cores(&self) -> impl Iterator<Item = Tile> + use<> {
        let rows = self.rows;
        (0..self.columns).flat_map(move |column| (0..rows).map(move |row| Tile { column, row: row.saturating_add(2) }))
    }

    /// How many streams carry the left factor.
    pub const fn activation_streams(&self) -> u8 {
        match self.rows.checked_div(self.rows_per_stream) {
            Some(streams) => streams,
            None => 0,
        }
    }

    /// The streams that there must be.
    pub fn fifos(&self) -> impl Iterator<Item = Fifo> + use<> {
        let columns = self.columns;
        let left = (0..self.activation_streams()).map(Fifo::Activations);
        left.chain((0..columns).flat_map(|column| [Fifo::Weights(column), Fifo::Results(column)]))
    }

    /// Where a stream enters or leaves.
    pub fn port(&self, fifo: Fifo) -> Option<Port> {
        self.ports.iter().copied().find(|port| port.fifo == fifo)
    }
}
