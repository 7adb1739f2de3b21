//! A stream in words, for people.

use std::fmt;

use super::{
    Channel, Descriptor, Generation, HEADER_WORDS, Instruction, Place, Push, Register, Stream, Tile, TileKind,
};

/// A stream that can be printed: a line for each operation, and one more for what a descriptor says.
pub struct Listing<'a>(&'a Stream);

/// The listing of a stream.
pub const fn listing(stream: &Stream) -> Listing<'_> {
    Listing(stream)
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = &self.0.header;
        let (major, minor) = header.form.version();
        let device = Generation::of_code(header.generation).map_or("unknown generation", Generation::name);
        writeln!(
            f,
            "version {major}.{minor}, {device} ({}), {} columns, {} rows, {} operations, {} bytes",
            header.generation, header.columns, header.rows, header.operations, header.bytes
        )?;
        let mut word = HEADER_WORDS;
        for (index, operation) in self.0.operations.iter().enumerate() {
            let instruction = &operation.instruction;
            write!(f, "{index:5} @{word:<6} {:10} ", instruction.opcode().name())?;
            say(instruction, f)?;
            if let Some(residue) = &operation.residue {
                write!(f, "  [{} words with bits that mean nothing]", residue.len())?;
            }
            writeln!(f)?;
            word += instruction.words(header.form);
        }
        Ok(())
    }
}

fn say(instruction: &Instruction, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match instruction {
        Instruction::Write { address, value } => match Place::of(*address) {
            Some(place)
                if matches!(place.register, Register::Queue { .. }) && place.tile.kind() == Some(TileKind::Shim) =>
            {
                let (push, _) = Push::decode(*value);
                write!(f, "{}: push descriptor {}", Named(*address), push.descriptor)?;
                if push.passes > 1 {
                    write!(f, ", {} passes", push.passes)?;
                }
                if push.token { f.write_str(", then a token") } else { Ok(()) }
            }
            _ => write!(f, "{} = {value:#x}", Named(*address)),
        },
        Instruction::BlockWrite { address, data } => block(*address, data, f),
        Instruction::MaskWrite { address, value, mask } => {
            write!(f, "{} = {value:#x} in the bits {mask:#x}", Named(*address))
        }
        Instruction::MaskPoll { address, value, mask } => {
            write!(f, "until {} is {value:#x} in the bits {mask:#x}", Named(*address))
        }
        Instruction::Noop => f.write_str("nothing"),
        Instruction::Preempt { level } => write!(f, "others may run, level {level}"),
        Instruction::LoadPdi { id, size, address } => write!(f, "configuration {id}: {size} bytes at {address:#x}"),
        Instruction::Wait(wait) => {
            let channel = Channel {
                tile: Tile { column: wait.column, row: wait.row },
                direction: wait.direction,
                index: wait.channel,
            };
            write!(f, "for a token of {channel}")?;
            if (wait.columns, wait.rows) != (1, 1) {
                write!(f, " and of the others in {} columns and {} rows", wait.columns, wait.rows)?;
            }
            Ok(())
        }
        Instruction::Patch { register, argument, plus } => {
            write!(f, "{} = argument {argument} + {plus:#x}", Named(*register))
        }
        Instruction::Other { data, .. } => write!(f, "{} words, never emitted by this crate", data.len() + 1),
    }
}

fn block(address: u32, data: &[u32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let whole = Place::of(address).filter(|place| {
        matches!(place.register, Register::Descriptor { word: 0, .. }) && place.tile.kind() == Some(TileKind::Shim)
    });
    match (whole, <&[u32; Descriptor::WORDS]>::try_from(data)) {
        (Some(place), Ok(words)) => {
            let Register::Descriptor { id, .. } = place.register else { return Ok(()) };
            write!(f, "{}: descriptor {id}: {}", place.tile, Descriptor::decode(words))
        }
        _ => {
            write!(f, "{}: {} words", Named(address), data.len())?;
            data.iter().take(8).try_for_each(|word| write!(f, " {word:08x}"))?;
            if data.len() > 8 { f.write_str(" ...") } else { Ok(()) }
        }
    }
}

/// An address by what is there.
struct Named(u32);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = Place::of(self.0) else { return write!(f, "{:#010x}", self.0) };
        match (place.register, place.channel()) {
            (Register::Control { .. }, Some(channel)) => write!(f, "{channel} control"),
            (Register::Queue { .. }, Some(channel)) => write!(f, "{channel} queue"),
            (Register::Descriptor { id, word }, _) => write!(f, "{} descriptor {id} word {word}", place.tile),
            (Register::Lock { id }, _) => write!(f, "{} lock {id}", place.tile),
            (Register::Memory { offset }, _) => write!(f, "{} memory {offset:#x}", place.tile),
            _ => write!(f, "{} register {:#x}", place.tile, place.offset),
        }
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} words at {:#x}", self.length, self.base)?;
        let [inner, middle] = self.dimensions;
        if inner.wrap != 0 {
            write!(f, ", {} x {} words apart", inner.wrap, inner.stride)?;
        }
        if middle.wrap != 0 {
            write!(f, ", {} x {} apart, then {} apart", middle.wrap, middle.stride, self.outer_stride)?;
        }
        if self.iteration.size > 1 {
            write!(f, ", {} passes {} apart", self.iteration.size, self.iteration.stride)?;
        }
        if self.packet.enabled {
            write!(f, ", packet {} of kind {}", self.packet.id, self.packet.kind)?;
        }
        if let Some(next) = self.next {
            write!(f, ", then descriptor {next}")?;
        }
        if self.locks != 0 {
            write!(f, ", locks {:#x}", self.locks)?;
        }
        if self.valid { Ok(()) } else { f.write_str(", not valid") }
    }
}
