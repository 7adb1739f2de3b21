//! What can go wrong between here and the device.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::kernel::Errno;

/// Why something could not be done. Each says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The node could not be opened.
    #[error("{} cannot be opened: {why}; {advice}", path.display())]
    Open {
        /// The node.
        path: PathBuf,
        /// What the system says.
        why: String,
        /// What to do.
        advice: &'static str,
    },
    /// Another driver answers there.
    #[error("{} is a device of the driver {found:?}, not of {}; name the NPU's node", path.display(), crate::uapi::DRIVER_NAME)]
    OtherDriver {
        /// The node.
        path: PathBuf,
        /// How its driver calls itself.
        found: String,
    },
    /// A call failed.
    #[error("{call}: {errno} while {doing}{hint}")]
    Call {
        /// The call.
        call: &'static str,
        /// The error.
        errno: Errno,
        /// What it was for.
        doing: &'static str,
        /// What is probably the reason, or nothing.
        hint: &'static str,
    },
    /// The device is gone.
    #[error("the NPU is gone (ENODEV, during {call}); reload the driver or restart the machine")]
    Lost {
        /// The call that said so.
        call: &'static str,
    },
    /// The context that this belongs to has ended.
    #[error("it belongs to context {generation}, which has ended ({reason}); prepare it again in a new context")]
    Stale {
        /// The context.
        generation: u64,
        /// Why it ended.
        reason: String,
    },
    /// It belongs to another context.
    #[error("it belongs to context {there} and cannot be used in context {here}; prepare it there")]
    Foreign {
        /// The context it was given to.
        here: u64,
        /// Its own.
        there: u64,
    },
    /// It is being used by a command.
    #[error("a buffer of {size} bytes is used by a command that has not finished; wait for its fence first")]
    InUse {
        /// Size of the buffer.
        size: usize,
    },
    /// A range is outside.
    #[error("bytes {at}..{} of a buffer of {size} bytes", at.saturating_add(*length))]
    Outside {
        /// First byte.
        at: usize,
        /// Bytes wanted.
        length: usize,
        /// Bytes there are.
        size: usize,
    },
    /// The device heap has no room.
    #[error(
        "{wanted} bytes do not fit into the device heap ({free} of {size} free in {pieces} pieces); drop instruction streams that are not used"
    )]
    HeapFull {
        /// Bytes wanted.
        wanted: usize,
        /// Bytes free.
        free: usize,
        /// Bytes of the heap's part.
        size: usize,
        /// Pieces in which they are free.
        pieces: usize,
    },
    /// The driver put something where firmware cannot use it.
    #[error(
        "the driver gave {what} the address {address:#x}, where {rule}; this driver is not understood, please report its version"
    )]
    Misplaced {
        /// What it is.
        what: &'static str,
        /// Where it is.
        address: u64,
        /// What would be right.
        rule: &'static str,
    },
    /// The context's units are not what this needs.
    #[error("{what}; a context is configured once, with all of its overlays, before commands are made")]
    Units {
        /// What is wrong.
        what: String,
    },
    /// Too much is under way.
    #[error("{limit} commands are under way in this context, which is its limit; wait for a fence first")]
    QueueFull {
        /// The limit.
        limit: usize,
    },
    /// A command cannot be written as a packet.
    #[error("a command cannot be made: {0}")]
    Packet(#[from] super::packet::PacketError),
    /// It is not done yet.
    #[error("command {sequence} is not done after {waited:?}; wait again, or end the context")]
    Deadline {
        /// The command.
        sequence: u64,
        /// How long was waited.
        waited: Duration,
    },
    /// It ended, and not well.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl DriverError {
    /// Whether the context cannot be used any more after this.
    pub fn ends_context(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Failed(_) | Self::Stale { .. })
    }

    pub(super) fn call(call: &'static str, errno: Errno, doing: &'static str) -> Self {
        Self::hinted(call, errno, doing, "")
    }

    pub(super) fn hinted(call: &'static str, errno: Errno, doing: &'static str, hint: &'static str) -> Self {
        if errno == Errno::ENODEV { Self::Lost { call } } else { Self::Call { call, errno, doing, hint } }
    }
}

/// How a command ended that did not complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("command {sequence} ended as {state}{}{}", position(*member), health.as_ref().map_or(String::new(), |health| format!(": {health}")))]
pub struct Failure {
    /// The command.
    pub sequence: u64,
    /// The state that its packet says.
    pub state: CommandState,
    /// Which command of a chain it was.
    pub member: Option<usize>,
    /// What firmware says about it.
    pub health: Option<Health>,
}

fn position(member: Option<usize>) -> String {
    member.map_or(String::new(), |member| format!(" in command {member} of its chain"))
}

/// The state in a packet's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandState {
    /// Not submitted.
    New,
    /// It was seen to complete. That is no proof that it did anything.
    Completed,
    /// It failed.
    Error,
    /// It was given up because something else failed.
    Abort,
    /// It took too long: the driver gives up after two seconds.
    Timeout,
    /// Any other number.
    Other(u32),
}

impl CommandState {
    /// The state in a header.
    pub fn of_header(header: u32) -> Self {
        match header & 0xF {
            1 => Self::New,
            4 => Self::Completed,
            5 => Self::Error,
            6 => Self::Abort,
            8 => Self::Timeout,
            other => Self::Other(other),
        }
    }

    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            Self::New => 1,
            Self::Completed => 4,
            Self::Error => 5,
            Self::Abort => 6,
            Self::Timeout => 8,
            Self::Other(number) => number,
        }
    }
}

impl fmt::Display for CommandState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("NEW (it was never run)"),
            Self::Completed => f.write_str("COMPLETED"),
            Self::Error => f.write_str("ERROR"),
            Self::Abort => f.write_str("ABORT"),
            Self::Timeout => f.write_str("TIMEOUT"),
            Self::Other(number) => write!(f, "state {number}"),
        }
    }
}

/// What firmware says of a context that did not finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The operation of the instruction stream that was executed last; none where firmware does not know it.
    pub last_operation: Option<u32>,
    /// The context's program counter.
    pub program_counter: u32,
    /// Kind of a fatal error, 0 for none.
    pub fatal: u32,
    /// Kind of a firmware exception.
    pub exception: u32,
    /// Where it happened.
    pub exception_counter: u32,
    /// In which module.
    pub module: u32,
}

impl Health {
    /// Words of the report: version, generation, and the six above.
    pub(super) const WORDS: usize = 8;

    /// Reads the report that the driver leaves behind a packet's header. Only version 1 for this family is known.
    pub fn read(payload: &[u32]) -> Option<Self> {
        let [1, 0, operation, program_counter, fatal, exception, exception_counter, module] = *payload.first_chunk()?
        else {
            return None;
        };
        let last_operation = (operation != u32::MAX).then_some(operation);
        Some(Self { last_operation, program_counter, fatal, exception, exception_counter, module })
    }

    /// The report as the driver writes it.
    pub fn write(&self) -> [u32; Self::WORDS] {
        let operation = self.last_operation.unwrap_or(u32::MAX);
        [1, 0, operation, self.program_counter, self.fatal, self.exception, self.exception_counter, self.module]
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last_operation {
            Some(operation) => write!(f, "the last operation executed was {operation} of its stream")?,
            None => f.write_str("firmware does not know which operation was executed last")?,
        }
        write!(f, ", program counter {:#x}", self.program_counter)?;
        if (self.fatal, self.exception) != (0, 0) {
            let Self { fatal, exception, exception_counter, module, .. } = self;
            write!(f, ", fatal error {fatal}, exception {exception} at {exception_counter:#x} in module {module}")?;
        }
        Ok(())
    }
}
