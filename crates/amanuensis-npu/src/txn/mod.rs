//! Instruction streams ("TXN"): what the host sends the array's controller for each run. Words become instructions and
//! instructions words without a bit lost, so that a stream of somebody else's can be read, judged and written again.

mod decode;
mod descriptor;
mod encode;
mod header;
mod instruction;
mod lint;
mod listing;
mod opcode;
mod registers;

pub use decode::{Malformed, disassemble, words_of, words_of_text};
pub use descriptor::{Descriptor, Dimension, Iteration, Packet, Pattern, Run};
pub use encode::assemble;
pub use header::{Form, Generation, HEADER_WORDS, Header};
pub use instruction::{Instruction, Push, TokenWait};
pub use lint::{Expectations, Finding, Rule, Severity, lint};
pub use listing::{Listing, listing};
pub use opcode::Opcode;
pub use registers::{Channel, Direction, Place, Register, Tile, TileKind};

/// Arguments that a command can carry: its payload has 19 words, 5 of which are the opcode, the stream's address and its length.
pub const MOST_ARGUMENTS: u32 = 7;
/// Arguments whose address the firmware moves into the array's view of memory; for later ones the stream does it.
pub const TRANSLATED_ARGUMENTS: u32 = 5;
/// What the firmware adds to the first arguments, and a stream adds to the offset of the later ones.
pub const ADDRESS_FOLD: u64 = 0x8000_0000;
/// The controller that takes tokens: what a channel's control register holds in the bits of [`CONTROLLER_MASK`].
pub const CONTROLLER: u32 = 0xF00;
/// The bits of a channel's control register that name the controller.
pub const CONTROLLER_MASK: u32 = 0x1F00;
/// Pushes that a channel's queue holds.
pub const QUEUE_DEPTH: usize = 4;
/// Most passes of one push.
pub const MOST_PASSES: usize = 256;

/// A stream: its header and its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// What stands before the operations.
    pub header: Header,
    /// What is done, in order.
    pub operations: Vec<Operation>,
}

/// An instruction as it stands in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What is done.
    pub instruction: Instruction,
    /// Bits that say nothing and are nevertheless set: place among the operation's words, and bits that differ from zero padding.
    /// Tools leave garbage there; it is kept so that writing gives back what was read.
    pub residue: Option<Box<[(u32, u32)]>>,
}

impl From<Instruction> for Operation {
    fn from(instruction: Instruction) -> Self {
        Self { instruction, residue: None }
    }
}

impl Stream {
    /// A stream of these instructions, with a header that fits them.
    pub fn new(generation: Generation, form: Form, instructions: Vec<Instruction>) -> Self {
        let operations: Vec<Operation> = instructions.into_iter().map(Operation::from).collect();
        let words: usize = operations.iter().map(|operation| operation.instruction.words(form)).sum();
        let header = Header {
            form,
            rows: generation.rows(),
            generation: generation.code(),
            columns: generation.columns(),
            memory_rows: 1,
            residue: 0,
            operations: u32::try_from(operations.len()).unwrap_or(u32::MAX),
            bytes: u32::try_from((words + HEADER_WORDS) * 4).unwrap_or(u32::MAX),
        };
        Self { header, operations }
    }

    /// The instructions in order.
    pub fn instructions(&self) -> impl Iterator<Item = &Instruction> {
        self.operations.iter().map(|operation| &operation.instruction)
    }
}
