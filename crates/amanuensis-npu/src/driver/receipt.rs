//! Proof that commands were seen to complete, and by whom.

use std::time::Duration;

use super::device::Generation;

/// Who did the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An NPU.
    Hardware(Generation),
    /// The driver in memory with a machine of its own: nothing that this says is about an NPU.
    Emulated,
}

impl Origin {
    /// Whether an NPU did it.
    pub fn is_hardware(self) -> bool {
        matches!(self, Self::Hardware(_))
    }
}

/// A command, or a chain of them, was seen to complete. Only the layer that saw it makes one, and it says itself whether that
/// was an NPU: what came of the driver in memory can never say so.
///
/// ```compile_fail
/// use amanuensis_npu::driver::{Generation, Origin, Receipt};
/// let origin = Origin::Hardware(Generation::Xdna2);
/// let wall = std::time::Duration::ZERO;
/// let forged = Receipt { origin, generation: 1, sequence: 0, commands: 1, operations: 1, bytes: 0, wall };
/// ```
///
/// It is not proof that the work was done: firmware has been seen to say COMPLETED and touch nothing. That is what
/// [canaries](crate::trust) are for.
#[must_use = "a receipt says where the work was done"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    origin: Origin,
    generation: u64,
    sequence: u64,
    commands: u32,
    operations: u64,
    bytes: u64,
    wall: Duration,
}

/// What a receipt is made of.
pub(super) struct Seen {
    pub(super) origin: Origin,
    pub(super) generation: u64,
    pub(super) sequence: u64,
    pub(super) commands: u32,
    pub(super) operations: u64,
    pub(super) bytes: u64,
    pub(super) wall: Duration,
}

impl Receipt {
    /// For the fence, which saw it.
    pub(super) fn issue(seen: Seen) -> Self {
        let Seen { origin, generation, sequence, commands, operations, bytes, wall } = seen;
        Self { origin, generation, sequence, commands, operations, bytes, wall }
    }

    /// Who did it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The context that it was done in, counted from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The driver's number for it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Commands: more than one for a chain.
    pub fn commands(&self) -> u32 {
        self.commands
    }

    /// Multiplications and additions that its maker said it consists of.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Bytes of the buffers that it was given.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// From submitting it until it was seen to be complete.
    pub fn wall(&self) -> Duration {
        self.wall
    }

    /// Operations that an NPU did: none, whatever was done, where it was emulated.
    pub fn hardware_operations(&self) -> u64 {
        if self.origin.is_hardware() { self.operations } else { 0 }
    }

    /// Operations that were emulated.
    pub fn emulated_operations(&self) -> u64 {
        self.operations - self.hardware_operations()
    }
}
