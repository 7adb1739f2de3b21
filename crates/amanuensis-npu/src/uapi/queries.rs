//! What GET_INFO answers with.

use super::layout::layouts;

layouts! {
    /// Version of the array.
    ArrayVersion[8] {
        /// Major.
        major: u32,
        /// Minor.
        minor: u32,
    }

    /// One kind of tile.
    TileMetadata[16] {
        /// Rows of this kind.
        rows: u16,
        /// The first of them.
        first_row: u16,
        /// DMA channels of a tile.
        channels: u16,
        /// Locks of a tile.
        locks: u16,
        /// Event registers of a tile.
        events: u16,
        /// Nothing.
        pad: [u16; 3],
    }

    /// The array.
    ArrayMetadata[64] {
        /// Bytes of a column's address space.
        column_size: u32,
        /// Columns, those without shim DMA included.
        columns: u16,
        /// Rows.
        rows: u16,
        /// Its version.
        version: ArrayVersion,
        /// Core tiles.
        core: TileMetadata,
        /// Memory tiles.
        memory: TileMetadata,
        /// Shim tiles.
        shim: TileMetadata,
    }

    /// One clock.
    Clock[24] {
        /// Its name, filled with zeros.
        name: [u8; 16],
        /// MHz now.
        megahertz: u32,
        /// Nothing.
        pad: u32,
    }

    /// The two clocks.
    Clocks[48] {
        /// The one of the controllers.
        controller: Clock,
        /// The one of the array (the H clock).
        array: Clock,
    }

    /// The firmware's version.
    FirmwareVersion[16] {
        /// Major.
        major: u32,
        /// Minor.
        minor: u32,
        /// Patch level.
        patch: u32,
        /// Build.
        build: u32,
    }

    /// The power mode.
    PowerMode[8] {
        /// 0 default, 1 low, 2 medium, 3 high, 4 turbo.
        mode: u8,
        /// Nothing.
        pad: [u8; 7],
    }

    /// What there is of the device and what is taken.
    ResourceInfo[40] {
        /// Highest array clock, MHz.
        clock_limit: u64,
        /// Highest rate of operations, 10^12 per second.
        tops_limit: u64,
        /// Contexts that can exist at a time.
        context_limit: u64,
        /// Rate of operations that is asked for.
        tops: u64,
        /// Contexts that exist.
        contexts: u64,
    }
}
