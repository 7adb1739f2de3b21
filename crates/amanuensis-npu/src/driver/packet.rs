//! Command packets: words that a command buffer holds and that driver and firmware read.
//!
//! Word 0 is `state[3:0] | extra masks[11:10] | count[22:12] | opcode[27:23] | type[31:28]`; the count is of the words behind it.

use crate::uapi::{
    ARGUMENT_LIMIT, COMMAND_SIZE, OPCODE_CHAIN, OPCODE_START_UNIT, PACKET_TYPE, RUN_STREAM, UNITS_LIMIT,
};

/// State of a packet that has not run.
const NEW: u32 = 1;
/// Words of a chain before its handles: count, submit index, error index and three that are reserved.
const CHAIN_HEAD: usize = 6;

/// Commands that a chain may have at first. Firmware copies them into 4 KiB: 60 of the older slots with 15 payload words, 36 of
/// the newer. The larger is tried, and halved when the driver refuses.
pub const CHAIN_LIMIT: usize = 60;

/// Why there is no packet for something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Too many buffers.
    #[error("{count} buffers are given and a packet holds {ARGUMENT_LIMIT}; put several matrices into one buffer")]
    Arguments {
        /// How many there are.
        count: usize,
    },
    /// No such unit.
    #[error("compute unit {unit} of at most {UNITS_LIMIT}")]
    Unit {
        /// The unit.
        unit: u32,
    },
    /// A stream that cannot be one.
    #[error("an instruction stream of {words} words")]
    Stream {
        /// Its length.
        words: usize,
    },
    /// A chain that is empty or too long.
    #[error("a chain of {count} commands; it has 1 to {CHAIN_LIMIT}")]
    Chain {
        /// Its length.
        count: usize,
    },
}

/// The head of a packet.
fn header(opcode: u32, count: usize) -> u32 {
    PACKET_TYPE << 28 | opcode << 23 | (count as u32) << 12 | NEW
}

/// A packet that has one compute unit run an instruction stream over buffers.
pub fn start_unit(unit: u32, stream: u64, words: usize, arguments: &[u64]) -> Result<Vec<u32>, PacketError> {
    if unit as usize >= UNITS_LIMIT {
        return Err(PacketError::Unit { unit });
    }
    if arguments.len() > ARGUMENT_LIMIT {
        return Err(PacketError::Arguments { count: arguments.len() });
    }
    let length = u32::try_from(words).ok().filter(|words| *words > 0).ok_or(PacketError::Stream { words })?;
    let mut packet = vec![0, 1 << unit];
    packet.extend(halves(RUN_STREAM));
    packet.extend(halves(stream));
    packet.push(length);
    packet.extend(arguments.iter().copied().flat_map(halves));
    packet[0] = header(OPCODE_START_UNIT, packet.len() - 1);
    Ok(packet)
}

/// A packet that runs others, by their handles.
pub fn chain(handles: &[u32]) -> Result<Vec<u32>, PacketError> {
    let count = handles.len();
    if !(1..=CHAIN_LIMIT).contains(&count) {
        return Err(PacketError::Chain { count });
    }
    let mut packet = vec![0, count as u32, 0, 0, 0, 0, 0];
    packet.extend(handles.iter().flat_map(|handle| halves(u64::from(*handle))));
    packet[0] = header(OPCODE_CHAIN, packet.len() - 1);
    Ok(packet)
}

/// Low and high word.
fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// What a driver reads in a command buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// See [`start_unit`].
    Start {
        /// Units that may run it, one bit each.
        units: u32,
        /// Address of the stream.
        stream: u64,
        /// Its words.
        words: u32,
        /// Addresses of the buffers.
        arguments: Vec<u64>,
    },
    /// See [`chain`].
    Chain {
        /// Handles of the commands.
        handles: Vec<u32>,
    },
}

impl Packet {
    /// Reads one; the error says what is wrong with it.
    pub fn read(words: &[u32]) -> Result<Self, String> {
        let header = *words.first().ok_or("no header")?;
        let (state, count, opcode) = (header & 0xF, (header >> 12 & 0x7FF) as usize, header >> 23 & 0x1F);
        if state != NEW {
            return Err(format!("state {state} where {NEW} (new) is needed"));
        }
        if header >> 28 != PACKET_TYPE {
            return Err(format!("type {} where {PACKET_TYPE} is needed", header >> 28));
        }
        if words.len() > COMMAND_SIZE / 4 {
            return Err(format!("{} words in a command buffer", words.len()));
        }
        let body =
            words.get(1..=count).ok_or_else(|| format!("a count of {count} words and {} there", words.len() - 1))?;
        match opcode {
            OPCODE_START_UNIT => Self::read_start(header, body),
            OPCODE_CHAIN => Self::read_chain(body),
            other => Err(format!("opcode {other}")),
        }
    }

    fn read_start(header: u32, body: &[u32]) -> Result<Self, String> {
        if header >> 10 & 3 != 0 {
            return Err("extra unit masks".to_owned());
        }
        let [units, opcode, opcode_high, stream, stream_high, words, arguments @ ..] = body else {
            return Err(format!("{} words where at least 6 are needed", body.len()));
        };
        if units.count_ones() != 1 {
            return Err(format!("unit mask {units:#x}"));
        }
        if join(*opcode, *opcode_high) != RUN_STREAM {
            return Err(format!("kernel opcode {}", join(*opcode, *opcode_high)));
        }
        if arguments.len() % 2 != 0 || arguments.len() / 2 > ARGUMENT_LIMIT {
            return Err(format!("{} words of arguments", arguments.len()));
        }
        let arguments = arguments.chunks_exact(2).map(|pair| join(pair[0], pair[1])).collect();
        Ok(Self::Start { units: *units, stream: join(*stream, *stream_high), words: *words, arguments })
    }

    fn read_chain(body: &[u32]) -> Result<Self, String> {
        let handles = body.get(CHAIN_HEAD..).ok_or("a chain without its head")?;
        if body[0] as usize != handles.len() / 2 || handles.len() % 2 != 0 || handles.is_empty() {
            return Err(format!("a chain of {} commands with {} words of handles", body[0], handles.len()));
        }
        Ok(Self::Chain { handles: handles.chunks_exact(2).map(|pair| pair[0]).collect() })
    }
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_buffers_have_the_header_of_the_specification() {
        let packet = start_unit(0, 0x0400_8000, 648, &[0x10, 0x20, 0x30, 0x40, 0x1_0000_0050]).expect("five fit");
        assert_eq!(packet[0], 0x3001_0001);
        assert_eq!(packet[1..8], [1, 3, 0, 0x0400_8000, 0, 648, 0x10]);
        assert_eq!(packet[15..], [0x50, 1], "the last address");
        let read = Packet::read(&packet).expect("what was written");
        let arguments = vec![0x10, 0x20, 0x30, 0x40, 0x1_0000_0050];
        assert_eq!(read, Packet::Start { units: 1, stream: 0x0400_8000, words: 648, arguments });
    }

    #[test]
    fn what_firmware_would_cut_off_is_refused() {
        assert!(start_unit(31, 0, 1, &[0; 7]).is_ok());
        assert_eq!(start_unit(0, 0, 1, &[0; 8]), Err(PacketError::Arguments { count: 8 }));
        assert_eq!(start_unit(32, 0, 1, &[]), Err(PacketError::Unit { unit: 32 }));
        assert_eq!(start_unit(0, 0, 0, &[]), Err(PacketError::Stream { words: 0 }));
        assert_eq!(chain(&[]), Err(PacketError::Chain { count: 0 }));
        assert_eq!(chain(&[1; 61]), Err(PacketError::Chain { count: 61 }));
    }

    #[test]
    fn chains_name_their_commands() {
        let packet = chain(&[7, 9]).expect("two");
        assert_eq!(packet, [3 << 28 | 19 << 23 | 10 << 12 | 1, 2, 0, 0, 0, 0, 0, 7, 0, 9, 0]);
        assert_eq!(Packet::read(&packet), Ok(Packet::Chain { handles: vec![7, 9] }));
    }

    #[test]
    fn packets_that_are_none_are_named() {
        let packet = start_unit(0, 0, 1, &[1]).expect("one");
        for (place, word, what) in [
            (0, packet[0] + 3, "state 4"),
            (0, packet[0] & 0x0FFF_FFFF, "type 0"),
            (0, packet[0] | 1 << 22, "a count"),
            (0, packet[0] | 5 << 23, "opcode 5"),
            (0, packet[0] | 1 << 10, "extra"),
            (1, 3, "unit mask"),
            (2, 4, "kernel opcode"),
        ] {
            let mut wrong = packet.clone();
            wrong[place] = word;
            let said = Packet::read(&wrong).expect_err(what);
            assert!(said.contains(what), "{said:?} for {what:?}");
        }
        assert!(Packet::read(&[]).is_err());
    }
}
