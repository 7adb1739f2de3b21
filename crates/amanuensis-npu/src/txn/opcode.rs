//! The operations that exist, and which of them have a length that is known.

/// How long an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// It is decoded into an instruction of its own.
    Decoded,
    /// A word of it says its length in bytes: which one in the classic form, and which one in the optimised.
    Told(usize, usize),
    /// Nothing that was read says.
    Unknown,
}

macro_rules! opcodes {
    ($($variant:ident = $code:literal, $name:literal, $length:expr;)*) => {
        /// An operation's number. Those that this crate never emits are named too.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the table names each of them")]
        pub enum Opcode { $($variant = $code,)* }

        impl Opcode {
            /// Every operation that is known.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub(super) const fn length(self) -> Length {
                match self { $(Self::$variant => $length,)* }
            }
        }
    };
}

opcodes! {
    Write = 0x00, "WRITE", Length::Decoded;
    BlockWrite = 0x01, "BLOCKWRITE", Length::Decoded;
    BlockSet = 0x02, "BLOCKSET", Length::Told(3, 2);
    MaskWrite = 0x03, "MASKWRITE", Length::Decoded;
    MaskPoll = 0x04, "MASKPOLL", Length::Decoded;
    Noop = 0x05, "NOOP", Length::Decoded;
    Preempt = 0x06, "PREEMPT", Length::Decoded;
    MaskPollBusy = 0x07, "MASKPOLL_BUSY", Length::Unknown;
    LoadPdi = 0x08, "LOADPDI", Length::Decoded;
    LoadPmStart = 0x09, "LOAD_PM_START", Length::Unknown;
    CreateScratchpad = 0x0A, "CREATE_SCRATCHPAD", Length::Unknown;
    UpdateStateTable = 0x0B, "UPDATE_STATE_TABLE", Length::Unknown;
    UpdateRegister = 0x0C, "UPDATE_REG", Length::Unknown;
    UpdateScratch = 0x0D, "UPDATE_SCRATCH", Length::Unknown;
    ConfigureShimDma = 0x0E, "CONFIG_SHIMDMA_BD", Length::Unknown;
    DmaBuffer = 0x0F, "DMABUF_BD", Length::Unknown;
    Wait = 0x80, "TCT", Length::Decoded;
    Patch = 0x81, "DDR_PATCH", Length::Decoded;
    ReadRegisters = 0x82, "READ_REGS", Length::Told(1, 1);
    RecordTimer = 0x83, "RECORD_TIMER", Length::Told(1, 1);
    MergeSync = 0x84, "MERGE_SYNC", Length::Told(1, 1);
}

impl Opcode {
    /// The number in a stream.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The operation of a number.
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|opcode| opcode.code() == code)
    }
}
