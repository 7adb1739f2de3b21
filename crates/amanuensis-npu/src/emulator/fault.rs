//! What can go wrong with a stream that is executed.

use crate::plan::OverlayError;
use crate::txn::{Channel, Malformed, Opcode, Tile};

/// What went wrong, and at which operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The operation, from 0; none before the first and behind the last.
    pub operation: Option<usize>,
    /// What.
    pub wrong: Wrong,
}

impl Fault {
    pub(super) const fn of(operation: Option<usize>, wrong: Wrong) -> Self {
        Self { operation, wrong }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.operation {
            Some(operation) => write!(f, "operation {operation}: {}", self.wrong),
            None => write!(f, "{}", self.wrong),
        }
    }
}

impl std::error::Error for Fault {}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// An earlier stream failed on this array.
    #[error("the array failed before and was not set up again")]
    Lost,
    /// The overlay cannot exist.
    #[error("the overlay: {0}")]
    Overlay(OverlayError),
    /// The words are no stream.
    #[error("{0}")]
    Malformed(Malformed),
    /// The header is of another device, or its counts are wrong.
    #[error("the header: {0}")]
    Header(&'static str),
    /// An operation that the emulator has not.
    #[error("{} is not emulated", .0.name())]
    Operation(Opcode),
    /// A register that the emulator has not, or that there is not.
    #[error("a write to {0:#010x}, which is not emulated")]
    Register(u32),
    /// A wait that the emulator has not, or for a channel that there is not.
    #[error("a wait for {0}: only for streams that leave the array is it emulated")]
    Wait(Channel),
    /// A descriptor that cannot be worked off.
    #[error("descriptor {id} of {tile}: {says}")]
    Descriptor {
        /// Whose it is.
        tile: Tile,
        /// Which one.
        id: u8,
        /// What is wrong.
        says: &'static str,
    },
    /// A descriptor is changed or pushed while it may be worked off.
    #[error("descriptor {id} of {tile} is used again before what it moved was waited for")]
    InFlight {
        /// Whose it is.
        tile: Tile,
        /// Which one.
        id: u8,
    },
    /// A patch for no descriptor.
    #[error("a patch of {0:#010x}, which is no address of a descriptor")]
    Patch(u32),
    /// An argument that the command has not.
    #[error("argument {argument} of {arguments}")]
    Argument {
        /// Which one.
        argument: u32,
        /// How many there are.
        arguments: usize,
    },
    /// An offset without what must be added to it, or with it where it must not.
    #[error(
        "argument {argument}: offset {offset:#x}, from the sixth argument on 0x80000000 must be in it, before it must not"
    )]
    Fold {
        /// Which argument.
        argument: u32,
        /// The offset in the stream.
        offset: u64,
    },
    /// A transfer leaves its argument.
    #[error("argument {argument}: words {first} to {last} of {words}")]
    Bounds {
        /// Which argument.
        argument: u32,
        /// The first word.
        first: u64,
        /// The one behind the last.
        last: u64,
        /// How many there are.
        words: usize,
    },
    /// A transfer reads the same words so often that it cannot be meant.
    #[error("argument {argument}: {words} words are read in one push")]
    Volume {
        /// Which argument.
        argument: u32,
        /// How many.
        words: u64,
    },
    /// A word of a result is written twice.
    #[error("argument {argument}: word {word} is written twice")]
    Twice {
        /// Which argument.
        argument: u32,
        /// Which word.
        word: u64,
    },
    /// Words are read and written at the same time.
    #[error("argument {argument}: words from {word} on are read and written at the same time")]
    Race {
        /// Which argument.
        argument: u32,
        /// From which word on.
        word: u64,
    },
    /// A push to a channel that no stream is on, or a queue's word with bits that mean nothing.
    #[error("a push to {0}, where no stream of the overlay is")]
    Unmapped(Channel),
    /// Too many pushes that were not waited for.
    #[error("{0} has four pushes to work off and gets a fifth")]
    QueueFull(Channel),
    /// A token without anybody to take it.
    #[error("{0} sends a token and was not told to whom")]
    Controller(Channel),
    /// A token that is never sent.
    #[error("nothing that was pushed to {0} will send the token that is waited for")]
    NoToken(Channel),
    /// A wait that never ends.
    #[error("deadlock: {channel} still needs {words} words, {why}")]
    Deadlock {
        /// What is waited for.
        channel: Channel,
        /// Words that are missing.
        words: u64,
        /// What does not come.
        why: String,
    },
    /// A core is let go without its parameters.
    #[error("the core of {0} is let go before all its parameters were written")]
    NoParameters(Tile),
    /// Parameters are changed while a core may read them.
    #[error("a parameter of the core of {0} is written while the core is at work")]
    ParameterRace(Tile),
    /// A core did not close its barrier.
    #[error("the core of {0} went on with the parameters of the product before: it did not close its barrier")]
    Stale(Tile),
    /// The cores of a column sum different numbers of tiles.
    #[error("the cores of column {0} were told to sum different numbers of tiles")]
    Disagree(u8),
    /// The stream ends and something is still to come.
    #[error("the stream ends and {channel} still has {words} words to move")]
    Unfinished {
        /// Which channel.
        channel: Channel,
        /// Words that are left.
        words: u64,
    },
    /// The stream ends and a core waits for more.
    #[error("the stream ends and the core of {core} still has {tiles} tiles to make")]
    TilesLeft {
        /// Which core.
        core: Tile,
        /// How many.
        tiles: u32,
    },
}
