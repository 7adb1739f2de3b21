//! Words to instructions. What cannot be read is an error at once: a stream has nothing to find the next operation by.

use super::opcode::Length;
use super::{Direction, Form, HEADER_WORDS, Header, Instruction, Opcode, Operation, Stream, TokenWait, encode};

/// Words of the longest stream that is read, 16 MiB: real ones have a few thousand.
const LONGEST: usize = 4 << 20;

/// Why words are not a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are no whole number of words.
    #[error("{0} bytes are no whole number of 32-bit words")]
    Bytes(usize),
    /// A line that is no word.
    #[error("line {line} is not a word of up to eight hexadecimal digits")]
    Text {
        /// Which line, from 1.
        line: usize,
    },
    /// There is no room for a header.
    #[error("{0} words are too few for the header of a stream, which has {HEADER_WORDS}")]
    Short(usize),
    /// It is longer than any stream.
    #[error("{0} words are more than a stream may have ({LONGEST})")]
    Long(usize),
    /// The version is none that is known.
    #[error("version {major}.{minor} of the format is not known, only 0.1 and 1.0 are")]
    Version {
        /// The first number.
        major: u8,
        /// The second number.
        minor: u8,
    },
    /// A number that is no operation.
    #[error(
        "operation {operation} at word {word}: opcode {opcode:#04x} is not known, so neither is where the next one begins"
    )]
    Opcode {
        /// Which operation, from 0.
        operation: usize,
        /// Where it begins.
        word: usize,
        /// What stands there.
        opcode: u8,
    },
    /// An operation whose length is not known.
    #[error("operation {operation} at word {word}: the length of {} is not known, so neither is where the next one begins", .opcode.name())]
    Length {
        /// Which operation, from 0.
        operation: usize,
        /// Where it begins.
        word: usize,
        /// What stands there.
        opcode: Opcode,
    },
    /// An operation whose length is not what it must be.
    #[error("operation {operation} at word {word}: {} says that it has {bytes} bytes, which cannot be", .opcode.name())]
    Size {
        /// Which operation, from 0.
        operation: usize,
        /// Where it begins.
        word: usize,
        /// What stands there.
        opcode: Opcode,
        /// What it says.
        bytes: u32,
    },
    /// The stream ends within an operation.
    #[error("operation {operation} at word {word}: the stream ends within {}", .opcode.name())]
    Truncated {
        /// Which operation, from 0.
        operation: usize,
        /// Where it begins.
        word: usize,
        /// What stands there.
        opcode: Opcode,
    },
}

/// The words of a file's bytes.
pub fn words_of(bytes: &[u8]) -> Result<Vec<u32>, Malformed> {
    let (words, rest) = bytes.as_chunks();
    if rest.is_empty() {
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    } else {
        Err(Malformed::Bytes(bytes.len()))
    }
}

/// The words of a file that has them as text, a word of eight hexadecimal digits to a line, as some tools write them.
pub fn words_of_text(text: &str) -> Result<Vec<u32>, Malformed> {
    let digits = |line: &str| line.len() <= 8 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(index, line)| match u32::from_str_radix(line, 16) {
            Ok(word) if digits(line) => Ok(word),
            _ => Err(Malformed::Text { line: index + 1 }),
        })
        .collect()
}

/// Reads a stream, to the last word. What its header says of its length is kept and not believed.
pub fn disassemble(words: &[u32]) -> Result<Stream, Malformed> {
    if words.len() > LONGEST {
        return Err(Malformed::Long(words.len()));
    }
    let first = words.first_chunk::<HEADER_WORDS>().ok_or(Malformed::Short(words.len()))?;
    let header = Header::decode(*first).map_err(|(major, minor)| Malformed::Version { major, minor })?;
    let mut operations = Vec::new();
    let mut at = HEADER_WORDS;
    let mut canonical = Vec::new();
    while at < words.len() {
        let reader = Reader { words: &words[at..], operation: operations.len(), word: at, form: header.form };
        let instruction = reader.instruction()?;
        canonical.clear();
        encode::instruction(&instruction, header.form, &mut canonical);
        let differing = canonical.iter().zip(&words[at..]).zip(0..).filter(|((one, other), _)| one != other);
        let residue: Box<[(u32, u32)]> = differing.map(|((one, other), place)| (place, one ^ other)).collect();
        at += canonical.len();
        operations.push(Operation { instruction, residue: (!residue.is_empty()).then_some(residue) });
    }
    Ok(Stream { header, operations })
}

/// The words from an operation on.
struct Reader<'a> {
    words: &'a [u32],
    operation: usize,
    word: usize,
    form: Form,
}

impl Reader<'_> {
    fn instruction(&self) -> Result<Instruction, Malformed> {
        let first = self.words[0];
        let code = first as u8;
        let (operation, word) = (self.operation, self.word);
        let opcode = Opcode::of_code(code).ok_or(Malformed::Opcode { operation, word, opcode: code })?;
        let classic = self.form == Form::Classic;
        Ok(match opcode {
            Opcode::Write if classic => {
                let [_, _, address, _, value, bytes] = self.take(opcode)?;
                self.sized(opcode, bytes, 24)?;
                Instruction::Write { address, value }
            }
            Opcode::Write => {
                let [_, address, value] = self.take(opcode)?;
                Instruction::Write { address, value }
            }
            Opcode::MaskWrite if classic => {
                let [_, _, address, _, value, mask, bytes] = self.take(opcode)?;
                self.sized(opcode, bytes, 28)?;
                Instruction::MaskWrite { address, value, mask }
            }
            Opcode::MaskWrite => {
                let [_, address, value, mask] = self.take(opcode)?;
                Instruction::MaskWrite { address, value, mask }
            }
            Opcode::MaskPoll if classic => {
                let [_, _, address, _, value, mask, bytes, _] = self.take(opcode)?;
                self.sized(opcode, bytes, 32)?;
                Instruction::MaskPoll { address, value, mask }
            }
            Opcode::MaskPoll => {
                let [_, address, value, mask] = self.take(opcode)?;
                Instruction::MaskPoll { address, value, mask }
            }
            Opcode::BlockWrite if classic => {
                let [_, _, address, bytes] = self.take(opcode)?;
                Instruction::BlockWrite { address, data: self.told(opcode, bytes, 4)?.to_vec() }
            }
            Opcode::BlockWrite => {
                let [_, address, bytes] = self.take(opcode)?;
                Instruction::BlockWrite { address, data: self.told(opcode, bytes, 3)?.to_vec() }
            }
            Opcode::Noop => Instruction::Noop,
            Opcode::Preempt => Instruction::Preempt { level: (first >> 8) as u8 },
            Opcode::LoadPdi => {
                let [_, size, low, high] = self.take(opcode)?;
                Instruction::LoadPdi { id: (first >> 16) as u16, size, address: whole(low, high) }
            }
            Opcode::Wait => {
                let [_, bytes, which, how_many] = self.take(opcode)?;
                self.sized(opcode, bytes, 16)?;
                Instruction::Wait(token(which, how_many))
            }
            Opcode::Patch if classic => {
                let [_, bytes, _, _, _, _, register, _, argument, _, low, high] = self.take(opcode)?;
                self.sized(opcode, bytes, 48)?;
                Instruction::Patch { register, argument, plus: whole(low, high) }
            }
            Opcode::Patch => {
                let [_, bytes, register, argument, low, high] = self.take(opcode)?;
                self.sized(opcode, bytes, 24)?;
                Instruction::Patch { register, argument: argument & 255, plus: whole(low, high) }
            }
            _ => {
                let Length::Told(in_classic, in_optimised) = opcode.length() else {
                    return Err(Malformed::Length { operation, word, opcode });
                };
                let place = if classic { in_classic } else { in_optimised };
                let bytes = *self.words.get(place).ok_or(Malformed::Truncated { operation, word, opcode })?;
                self.told(opcode, bytes, place + 1)?;
                Instruction::Other { opcode, data: self.told(opcode, bytes, 1)?.to_vec() }
            }
        })
    }

    fn take<const N: usize>(&self, opcode: Opcode) -> Result<[u32; N], Malformed> {
        let truncated = Malformed::Truncated { operation: self.operation, word: self.word, opcode };
        self.words.first_chunk::<N>().copied().ok_or(truncated)
    }

    fn sized(&self, opcode: Opcode, bytes: u32, must_be: u32) -> Result<(), Malformed> {
        let wrong = Malformed::Size { operation: self.operation, word: self.word, opcode, bytes };
        if bytes == must_be { Ok(()) } else { Err(wrong) }
    }

    /// The words behind the first ones of an operation that says its own length.
    fn told(&self, opcode: Opcode, bytes: u32, first: usize) -> Result<&[u32], Malformed> {
        let (operation, word) = (self.operation, self.word);
        let size = Malformed::Size { operation, word, opcode, bytes };
        let words = (bytes / 4) as usize;
        // A block of no words does nothing but can be written; an operation shorter than its own header cannot.
        if !bytes.is_multiple_of(4) || words < first {
            return Err(size);
        }
        self.words.get(first..words).ok_or(Malformed::Truncated { operation, word, opcode })
    }
}

fn whole(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn token(which: u32, how_many: u32) -> TokenWait {
    let [direction, row, column, _] = which.to_le_bytes();
    let [_, rows, columns, channel] = how_many.to_le_bytes();
    let direction = if direction & 1 == 1 { Direction::MemoryToStream } else { Direction::StreamToMemory };
    TokenWait { column, row, columns, rows, direction, channel }
}
