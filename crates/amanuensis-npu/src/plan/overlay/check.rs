//! Whether an overlay can exist: it comes from a file that somebody else wrote.

use super::super::{Element, WeightOrder};
use super::{Bounds, Fifo, Meaning, Overlay};
use crate::txn::{Descriptor, Tile};

/// Bytes of a core's memory that tiles may fill: 64 KiB less the stack and the parameters.
const CORE_MEMORY: usize = 63 * 1024;
/// Bytes of a core's memory.
const CORE_BYTES: u32 = 0x1_0000;

/// What is wrong with an overlay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    /// More columns than the device has, or rows, or none.
    #[error("{columns} columns of {rows} rows of cores, {per_stream} rows to a stream: {name} has {most} columns of 4")]
    Array {
        /// Its columns.
        columns: u8,
        /// Its rows.
        rows: u8,
        /// Rows for each stream of the left factor.
        per_stream: u8,
        /// The device.
        name: &'static str,
        /// The device's columns.
        most: u8,
    },
    /// Numbers that no core multiplies so.
    #[error("no core makes {} from {}", .output.name(), .input.name())]
    Operands {
        /// What goes in.
        input: Element,
        /// What comes out.
        output: Element,
    },
    /// A side of a tile that cannot be moved or multiplied.
    #[error("tile side {side} is {size}: it must be a multiple of {multiple} and at most {most}")]
    Tile {
        /// m, k or n.
        side: &'static str,
        /// How long it is.
        size: usize,
        /// What it must be a multiple of.
        multiple: usize,
        /// How long it may be.
        most: usize,
    },
    /// Tiles that a core has no room for.
    #[error("the tiles of a core need {bytes} bytes, {CORE_MEMORY} are there")]
    Memory {
        /// What they need.
        bytes: usize,
    },
    /// A stream with no port, or two.
    #[error("{fifo:?} has {ports} ports, it must have one")]
    Ports {
        /// Which stream.
        fifo: Fifo,
        /// How many it has.
        ports: usize,
    },
    /// A port that the device has not, or that is taken, or whose stream there is not.
    #[error("the port of {fifo:?} is column {column}, channel {channel}: there is none, or another stream has it")]
    Port {
        /// Which stream.
        fifo: Fifo,
        /// Its column.
        column: u8,
        /// Its channel.
        channel: u8,
    },
    /// A core that is not told how often to go round, or twice.
    #[error("{core} has {found} words for {meaning:?}, it must have one")]
    Parameters {
        /// Which core.
        core: Tile,
        /// What is missing.
        meaning: Meaning,
        /// How many there are.
        found: usize,
    },
    /// A parameter that is not in a core's memory, or two at one place.
    #[error("a parameter of {core} at {offset:#x}: there is no such core, no such word, or it has another meaning too")]
    ParameterPlace {
        /// Which core.
        core: Tile,
        /// Where.
        offset: u32,
    },
    /// A core with no barrier or two, or with one that there is not.
    #[error("{core} has {found} barriers with a lock below 16 that opens at another value than 0, it must have one")]
    Barrier {
        /// Which core.
        core: Tile,
        /// How many there are.
        found: usize,
    },
    /// No tiles are summed.
    #[error("the cores sum 0 tiles")]
    Depth,
}

impl Overlay {
    /// Checks that the overlay can exist.
    pub fn check(&self) -> Result<(), OverlayError> {
        self.check_array()?;
        self.check_tile()?;
        self.check_ports()?;
        self.check_bounds()
    }

    fn check_array(&self) -> Result<(), OverlayError> {
        let most = self.generation.columns();
        let columns = (1..=most).contains(&self.columns);
        let rows = (1..=4).contains(&self.rows);
        if columns && rows && self.rows_per_stream != 0 && self.rows.is_multiple_of(self.rows_per_stream) {
            return Ok(());
        }
        let (name, per_stream) = (self.generation.name(), self.rows_per_stream);
        Err(OverlayError::Array { columns: self.columns, rows: self.rows, per_stream, name, most })
    }

    fn check_tile(&self) -> Result<(), OverlayError> {
        let (tile, micro, operands) = (self.tile, self.micro, self.operands);
        if !operands.exist() {
            return Err(OverlayError::Operands { input: operands.input, output: operands.output });
        }
        let input = operands.input.per_word() as usize;
        let output = operands.output.per_word() as usize;
        // Lines of m and k rows are a wrap of a descriptor; lines of k and n elements are another.
        let rows = usize::from(self.rows);
        let sides = [
            ("m", tile.m, [micro.r, 1, 1], Descriptor::MOST_STEPS / rows),
            ("k", tile.k, [micro.s, input, 1], Descriptor::MOST_STEPS),
            ("n", tile.n, [micro.t, input, output], Descriptor::MOST_STEPS),
        ];
        for (side, size, multiples, most) in sides {
            let multiple = multiples.into_iter().find(|multiple| *multiple == 0 || !size.is_multiple_of(*multiple));
            if size == 0 || size > most || multiple.is_some() {
                return Err(OverlayError::Tile { side, size, multiple: multiple.unwrap_or(1), most });
            }
        }
        // Packed blocks are put into rows word by word.
        if self.weights == WeightOrder::MicroTiles && !micro.t.is_multiple_of(input) {
            return Err(OverlayError::Tile { side: "t", size: micro.t, multiple: input, most: tile.n });
        }
        let (inside, outside) = (operands.input.bytes() as usize, 4);
        let bytes = 2 * inside * tile.k * (tile.m + tile.n) + outside * tile.m * tile.n;
        if bytes > CORE_MEMORY { Err(OverlayError::Memory { bytes }) } else { Ok(()) }
    }

    fn check_ports(&self) -> Result<(), OverlayError> {
        for fifo in self.fifos() {
            let ports = self.ports.iter().filter(|port| port.fifo == fifo).count();
            if ports != 1 {
                return Err(OverlayError::Ports { fifo, ports });
            }
        }
        for (index, port) in self.ports.iter().enumerate() {
            let taken = self.ports[..index].iter().any(|other| other.at() == port.at());
            let there = port.column < self.generation.columns() && port.channel < 2;
            if taken || !there || !self.fifos().any(|fifo| fifo == port.fifo) {
                return Err(OverlayError::Port { fifo: port.fifo, column: port.column, channel: port.channel });
            }
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), OverlayError> {
        let (parameters, barriers) = match &self.bounds {
            Bounds::Fixed { depth: 0 } => return Err(OverlayError::Depth),
            Bounds::Fixed { .. } => return Ok(()),
            Bounds::Runtime { parameters, barriers, .. } => (parameters, barriers),
        };
        for core in self.cores() {
            for meaning in [Meaning::Depth, Meaning::Tiles] {
                let found = parameters.iter().filter(|one| (one.core, one.meaning) == (core, meaning)).count();
                if found != 1 {
                    return Err(OverlayError::Parameters { core, meaning, found });
                }
            }
            let found = barriers.iter().filter(|one| one.core == core && one.lock < 16 && one.open != 0).count();
            if found != 1 || barriers.iter().filter(|one| one.core == core).count() != 1 {
                return Err(OverlayError::Barrier { core, found });
            }
        }
        for (index, one) in parameters.iter().enumerate() {
            let twice = parameters[..index].iter().any(|other| (other.core, other.offset) == (one.core, one.offset));
            let there =
                one.offset < CORE_BYTES && one.offset.is_multiple_of(4) && self.cores().any(|core| core == one.core);
            if twice || !there {
                return Err(OverlayError::ParameterPlace { core: one.core, offset: one.offset });
            }
        }
        match barriers.iter().find(|one| !self.cores().any(|core| core == one.core)) {
            Some(stray) => Err(OverlayError::Barrier { core: stray.core, found: 0 }),
            None => Ok(()),
        }
    }

    /// Whether the right factor must be packed before it is used.
    pub const fn packs_weights(&self) -> bool {
        !matches!(self.weights, WeightOrder::Matrix)
    }
}
