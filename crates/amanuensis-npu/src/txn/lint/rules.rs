//! The rules, one line each.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Other tools' streams have it and run; this crate's have not.
    Note,
    /// The stream cannot do what is meant.
    Error,
}

macro_rules! rules {
    ($($variant:ident, $severity:ident, $says:literal;)*) => {
        /// What can be found in a stream.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the table says each of them")]
        pub enum Rule { $($variant,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// How bad it is to break it.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What it says.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }
        }
    };
}

rules! {
    Rows, Error, "a device has 6 rows, one of them memory";
    Generation, Error, "the generation is one that is known";
    Columns, Error, "a partition has a column and no more than the device";
    OperationCount, Error, "the header says how many operations there are";
    ByteCount, Error, "the header says how many bytes there are";
    Padding, Note, "bits that mean nothing are zero";
    NotEmitted, Note, "an operation that this crate neither emits nor runs";
    NoTile, Error, "an address points to a register of a tile of the partition";
    UnknownRegister, Note, "a register is one whose meaning is known";
    OtherTile, Note, "only tiles that reach the host's memory are given descriptors and pushes";
    PartialDescriptor, Error, "a block is one whole descriptor";
    DescriptorBits, Error, "reserved bits of a descriptor are zero";
    DescriptorPolicy, Note, "a descriptor has long bursts, the usual cache, no packets, locks or successors";
    DescriptorInvalid, Error, "a descriptor says that it may be used";
    DescriptorShape, Error, "a descriptor's length is a whole number of its lines, and not zero";
    UnusedStep, Note, "a step that is never taken is written as one word";
    DescriptorInFlight, Error, "a descriptor is not changed while it may be worked off";
    DescriptorUnused, Note, "a descriptor that is written is pushed";
    BaseWord, Note, "the address that a patch overwrites is zero or the patch's offset";
    PatchTarget, Error, "a patch goes to the address of a descriptor that is written";
    PatchTwice, Error, "a descriptor is patched once for each time it is written";
    PatchMissing, Error, "a descriptor that is pushed was patched";
    PatchArgument, Error, "a patch names an argument that there is";
    PatchFold, Error, "from the sixth argument on the stream itself adds 0x80000000 to the offset, before it does not and offsets are smaller";
    PatchAlignment, Error, "an offset is a multiple of 4 and fits 48 bits";
    PushBits, Error, "reserved bits of a push are zero";
    PushUnwritten, Error, "a descriptor that is pushed was written";
    PushPasses, Error, "passes that differ are as many as the descriptor's iterations";
    ControllerWord, Error, "a control register is only told which controller takes tokens";
    ControllerFollowed, Error, "a channel that is told its controller is pushed next, with a token";
    ControllerMissing, Error, "a channel that sends a token was told its controller";
    ControllerAnew, Note, "a channel is told its controller before each token";
    WaitShape, Error, "a wait names channels that there are";
    WaitForever, Error, "a token that is waited for is sent";
    WaitMissing, Note, "a token that is sent is waited for";
    QueueWait, Error, "what leaves the array is waited for";
}

/// A rule that is broken, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// Which operation, from 0; none for the header or the whole stream.
    pub operation: Option<usize>,
    /// What stands there.
    pub detail: String,
}

impl Finding {
    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        self.rule.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.severity() == Severity::Error { "error" } else { "note" })?;
        if let Some(operation) = self.operation {
            write!(f, " at operation {operation}")?;
        }
        write!(f, ": {}: {}", self.rule.says(), self.detail)
    }
}
