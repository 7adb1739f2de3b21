//! CDO: commands that write registers. A header of five words (4, `CDO\0`, version, length in words, checksum) and commands of
//! `payload words << 16 | opcode`; with 255 the next word is the length.

use super::reading::{ContainerError, slice, word};

const HEADER_WORDS: usize = 5;
const IDENTIFICATION: u32 = 0x004F_4443;
const VERSION: u32 = 0x0200;
/// A length that says that the next word is the length.
const LONG: u32 = 255;

const MASK_WRITE: u16 = 0x102;
const WRITE: u16 = 0x103;
const DMA_WRITE: u16 = 0x105;
const NOP: u16 = 0x111;

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Writes a register.
    Write {
        /// Its address.
        address: u32,
        /// The value.
        value: u32,
    },
    /// Writes some bits of a register.
    MaskWrite {
        /// Its address.
        address: u32,
        /// The bits.
        mask: u32,
        /// Their value.
        value: u32,
    },
    /// Writes many words.
    DmaWrite {
        /// Where the first goes.
        address: u64,
        /// Their bytes.
        data: &'a [u8],
    },
    /// Does nothing; it aligns what follows.
    Nop {
        /// Words that are left out.
        words: u32,
    },
    /// Anything else.
    Other {
        /// What it is.
        opcode: u16,
        /// Its words' bytes.
        payload: &'a [u8],
    },
}

/// A CDO that was read. It borrows the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cdo<'a> {
    /// Whether the header's checksum is that of its words: the inverse of their sum. Nothing here depends on it.
    pub checksum_agrees: bool,
    body: &'a [u8],
}

impl<'a> Cdo<'a> {
    /// Reads one, and goes through its commands once: what is iterated later is known to be whole.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ContainerError> {
        let what = "the header of the CDO";
        let header = [0, 1, 2, 3, 4].map(|index| word(bytes, what, index * 4));
        let [rest, identification, version, length, checksum] = header;
        let (rest, identification, version, length, checksum) = (rest?, identification?, version?, length?, checksum?);
        if (rest, identification) != (HEADER_WORDS as u32 - 1, IDENTIFICATION) {
            let found = format!("{rest:#x} {identification:#x}");
            return Err(ContainerError::Kind { what: "CDO", found, expected: "4 and \"CDO\"" });
        }
        if version != VERSION {
            let found = format!("version {version:#x}");
            return Err(ContainerError::Kind { what: "CDO", found, expected: "version 0x200" });
        }
        let sum = [rest, identification, version, length].iter().fold(0u32, |sum, word| sum.wrapping_add(*word));
        let body = slice(bytes, "the commands of the CDO", (HEADER_WORDS * 4) as u64, u64::from(length) * 4)?;
        let cdo = Self { checksum_agrees: checksum == !sum, body };
        let mut rest = body;
        while !rest.is_empty() {
            (_, rest) = split(rest, body.len() - rest.len())?;
        }
        Ok(cdo)
    }

    /// Its commands, in order.
    pub fn commands(&self) -> impl Iterator<Item = Command<'a>> + use<'a> {
        let body = self.body;
        let mut rest = body;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (command, left) = split(rest, body.len() - rest.len()).ok()?;
            rest = left;
            Some(command)
        })
    }
}

/// The first command, and what follows.
fn split(bytes: &[u8], at: usize) -> Result<(Command<'_>, &[u8]), ContainerError> {
    let what = "a command of the CDO";
    let head = word(bytes, what, 0)?;
    let opcode = head as u16;
    let (mut length, mut start) = (head >> 16 & 0xFF, 4);
    if length == LONG {
        (length, start) = (word(bytes, what, 4)?, 8);
    }
    let outside = |size: u64| ContainerError::Outside { what, at: at as u64, size, available: bytes.len() as u64 };
    let payload =
        slice(bytes, what, start as u64, u64::from(length) * 4).map_err(|_| outside(u64::from(length) * 4))?;
    let number = |index: usize| word(payload, what, index * 4).map_err(|_| outside(4 + index as u64 * 4));
    let command = match opcode {
        WRITE => Command::Write { address: number(0)?, value: number(1)? },
        MASK_WRITE => Command::MaskWrite { address: number(0)?, mask: number(1)?, value: number(2)? },
        DMA_WRITE => {
            let address = u64::from(number(0)?) << 32 | u64::from(number(1)?);
            Command::DmaWrite { address, data: &payload[8..] }
        }
        NOP => Command::Nop { words: length },
        opcode => Command::Other { opcode, payload },
    };
    Ok((command, &bytes[start + payload.len()..]))
}

/// Writes a CDO. Data that are no whole words are filled up with zeros.
pub fn write(commands: &[Command<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for command in commands {
        let payload = payload(command);
        let (opcode, words) = (opcode(command), payload.len() as u32 / 4);
        if words < LONG {
            body.extend((words << 16 | u32::from(opcode)).to_le_bytes());
        } else {
            body.extend((LONG << 16 | u32::from(opcode)).to_le_bytes());
            body.extend(words.to_le_bytes());
        }
        body.extend(payload);
    }
    let header = [HEADER_WORDS as u32 - 1, IDENTIFICATION, VERSION, body.len() as u32 / 4];
    let sum = header.iter().fold(0u32, |sum, word| sum.wrapping_add(*word));
    let mut bytes: Vec<u8> = header.into_iter().chain([!sum]).flat_map(u32::to_le_bytes).collect();
    bytes.extend(body);
    bytes
}

fn opcode(command: &Command<'_>) -> u16 {
    match command {
        Command::Write { .. } => WRITE,
        Command::MaskWrite { .. } => MASK_WRITE,
        Command::DmaWrite { .. } => DMA_WRITE,
        Command::Nop { .. } => NOP,
        Command::Other { opcode, .. } => *opcode,
    }
}

fn payload(command: &Command<'_>) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut bytes = match command {
        Command::Write { address, value } => words(&[*address, *value]),
        Command::MaskWrite { address, mask, value } => words(&[*address, *mask, *value]),
        Command::DmaWrite { address, data } => {
            let mut bytes = words(&[(address >> 32) as u32, *address as u32]);
            bytes.extend_from_slice(data);
            bytes
        }
        Command::Nop { words } => vec![0; *words as usize * 4],
        Command::Other { payload, .. } => payload.to_vec(),
    };
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
