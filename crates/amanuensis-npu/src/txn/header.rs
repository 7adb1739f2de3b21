//! The four words before the operations.

/// Words of the header.
pub const HEADER_WORDS: usize = 4;

/// A generation of devices, as far as streams differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// Phoenix and Hawk Point: 4 columns that can be used.
    Npu1,
    /// Strix, Strix Halo, Krackan, Gorgon: 8 columns.
    Npu2,
}

impl Generation {
    /// Every generation.
    pub const ALL: [Self; 2] = [Self::Npu1, Self::Npu2];

    /// The number that a header names it by.
    pub const fn code(self) -> u8 {
        match self {
            Self::Npu1 => 3,
            Self::Npu2 => 4,
        }
    }

    /// The generation of a number.
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|generation| generation.code() == code)
    }

    /// Columns of tiles that a program can use.
    pub const fn columns(self) -> u8 {
        match self {
            Self::Npu1 => 4,
            Self::Npu2 => 8,
        }
    }

    /// Rows of tiles: one that reaches the host's memory, one of memory, four of cores.
    pub const fn rows(self) -> u8 {
        6
    }

    /// What it is called in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Npu1 => "npu1",
            Self::Npu2 => "npu2",
        }
    }
}

/// How instructions are laid out in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Version 0.1, what mlir-aie writes and this crate emits.
    Classic,
    /// Version 1.0, the same with shorter instructions.
    Optimised,
}

impl Form {
    /// Major and minor version.
    pub const fn version(self) -> (u8, u8) {
        match self {
            Self::Classic => (0, 1),
            Self::Optimised => (1, 0),
        }
    }

    fn of_version(major: u8, minor: u8) -> Option<Self> {
        [Self::Classic, Self::Optimised].into_iter().find(|form| form.version() == (major, minor))
    }
}

/// The header. Counts are what it says, not what is true: the lint compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// How the instructions are laid out.
    pub form: Form,
    /// Rows of the device.
    pub rows: u8,
    /// Number of the generation ([`Generation::of_code`]).
    pub generation: u8,
    /// Columns of the partition.
    pub columns: u8,
    /// Rows of memory tiles.
    pub memory_rows: u8,
    /// The upper half of the second word, which says nothing.
    pub residue: u16,
    /// Operations that are said to follow.
    pub operations: u32,
    /// Bytes that the stream is said to have, with the header.
    pub bytes: u32,
}

impl Header {
    pub(super) fn decode(words: [u32; HEADER_WORDS]) -> Result<Self, (u8, u8)> {
        let [major, minor, generation, rows] = words[0].to_le_bytes();
        let [columns, memory_rows, ..] = words[1].to_le_bytes();
        let form = Form::of_version(major, minor).ok_or((major, minor))?;
        let residue = (words[1] >> 16) as u16;
        Ok(Self { form, rows, generation, columns, memory_rows, residue, operations: words[2], bytes: words[3] })
    }

    pub(super) fn encode(&self) -> [u32; HEADER_WORDS] {
        let (major, minor) = self.form.version();
        [
            u32::from_le_bytes([major, minor, self.generation, self.rows]),
            u32::from(self.columns) | u32::from(self.memory_rows) << 8 | u32::from(self.residue) << 16,
            self.operations,
            self.bytes,
        ]
    }
}
