//! What can be said in a stream.

use super::{Direction, Form, Opcode};

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// A register gets a value.
    Write {
        /// Which register.
        address: u32,
        /// What it gets.
        value: u32,
    },
    /// Registers in a row get values.
    BlockWrite {
        /// The first of them.
        address: u32,
        /// What they get.
        data: Vec<u32>,
    },
    /// Some bits of a register get values.
    MaskWrite {
        /// Which register.
        address: u32,
        /// What the bits get.
        value: u32,
        /// Which bits.
        mask: u32,
    },
    /// Nothing goes on until some bits of a register have values.
    MaskPoll {
        /// Which register.
        address: u32,
        /// What the bits must be.
        value: u32,
        /// Which bits.
        mask: u32,
    },
    /// Nothing is done.
    Noop,
    /// Others may have the array now.
    Preempt {
        /// How much of the state must be kept.
        level: u8,
    },
    /// Another configuration is loaded.
    LoadPdi {
        /// Its number.
        id: u16,
        /// Its bytes.
        size: u32,
        /// Where it lies.
        address: u64,
    },
    /// Nothing goes on until a channel has sent a token.
    Wait(TokenWait),
    /// The address of an argument is put into a buffer descriptor.
    Patch {
        /// The descriptor's second word.
        register: u32,
        /// Which argument.
        argument: u32,
        /// Bytes behind its beginning.
        plus: u64,
    },
    /// One of the operations that are only named.
    Other {
        /// Which one.
        opcode: Opcode,
        /// Its words behind the first.
        data: Vec<u32>,
    },
}

/// Which tokens are waited for: one of each of these tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenWait {
    /// The first column.
    pub column: u8,
    /// The first row.
    pub row: u8,
    /// How many columns.
    pub columns: u8,
    /// How many rows.
    pub rows: u8,
    /// Which kind of channel.
    pub direction: Direction,
    /// Which channel of that kind.
    pub channel: u8,
}

impl Instruction {
    /// The operation's number.
    pub const fn opcode(&self) -> Opcode {
        match self {
            Self::Write { .. } => Opcode::Write,
            Self::BlockWrite { .. } => Opcode::BlockWrite,
            Self::MaskWrite { .. } => Opcode::MaskWrite,
            Self::MaskPoll { .. } => Opcode::MaskPoll,
            Self::Noop => Opcode::Noop,
            Self::Preempt { .. } => Opcode::Preempt,
            Self::LoadPdi { .. } => Opcode::LoadPdi,
            Self::Wait(_) => Opcode::Wait,
            Self::Patch { .. } => Opcode::Patch,
            Self::Other { opcode, .. } => *opcode,
        }
    }

    /// How many words it takes.
    pub fn words(&self, form: Form) -> usize {
        let (classic, optimised) = match self {
            Self::Write { .. } => (6, 3),
            Self::BlockWrite { data, .. } => (4 + data.len(), 3 + data.len()),
            Self::MaskWrite { .. } => (7, 4),
            Self::MaskPoll { .. } => (8, 4),
            Self::Noop | Self::Preempt { .. } => (1, 1),
            Self::LoadPdi { .. } | Self::Wait(_) => (4, 4),
            Self::Patch { .. } => (12, 6),
            Self::Other { data, .. } => (1 + data.len(), 1 + data.len()),
        };
        if form == Form::Classic { classic } else { optimised }
    }
}

/// What is written to a channel's queue: a descriptor to work through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// Which descriptor.
    pub descriptor: u8,
    /// How many times, 1 to 256.
    pub passes: u16,
    /// Whether a token is sent at the end.
    pub token: bool,
}

impl Push {
    /// The push of a word, and the bits of it that mean nothing.
    pub const fn decode(word: u32) -> (Self, u32) {
        let push =
            Self { descriptor: (word & 15) as u8, passes: (word >> 16 & 255) as u16 + 1, token: word >> 31 == 1 };
        (push, word & 0x7F00_FFF0)
    }

    /// The word of a push.
    pub const fn encode(self) -> u32 {
        self.descriptor as u32 & 15 | (self.passes.saturating_sub(1) as u32 & 255) << 16 | (self.token as u32) << 31
    }
}
