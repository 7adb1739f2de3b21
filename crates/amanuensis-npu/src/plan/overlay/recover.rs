//! Where a build's compiler placed the streams, read from an instruction stream that came with the build.

use std::collections::BTreeMap;

use super::super::Arguments;
use super::{Fifo, Port};
use crate::txn::{ADDRESS_FOLD, Channel, Instruction, Place, Push, Register, Stream, TRANSLATED_ARGUMENTS, TileKind};

/// Why ports could not be read from a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecovered {
    /// A push of a descriptor that the stream did not fill in.
    #[error("{channel}: descriptor {descriptor} is pushed without an argument")]
    Unpatched {
        /// Where it is pushed.
        channel: Channel,
        /// Which one.
        descriptor: u8,
    },
    /// A channel whose argument is none of the three matrices, or that moves one the wrong way.
    #[error("{channel} moves argument {argument}, which is none of the matrices or moves the other way")]
    Argument {
        /// Which channel.
        channel: Channel,
        /// What it moves.
        argument: u32,
    },
    /// Two channels that begin at the same place.
    #[error("{first} and {second} begin at the same place, so which is which cannot be told")]
    Alike {
        /// One channel.
        first: Channel,
        /// The other.
        second: Channel,
    },
}

/// The ports of an overlay by a stream for a product on it: each channel's argument says which matrix it moves, and where it begins
/// says for which row or column of cores, since they begin one behind the other. The three matrices are different arguments.
pub fn recover_ports(stream: &Stream, arguments: &Arguments) -> Result<Vec<Port>, NotRecovered> {
    let mut patches = BTreeMap::new();
    let mut begins: BTreeMap<Channel, (u32, u64)> = BTreeMap::new();
    for instruction in stream.instructions() {
        match instruction {
            Instruction::Patch { register, argument, plus } => {
                if let Some(Place { tile, register: Register::Descriptor { id, word: 1 }, .. }) = Place::of(*register) {
                    let fold = if *argument >= TRANSLATED_ARGUMENTS { ADDRESS_FOLD } else { 0 };
                    patches.insert((tile, id), (*argument, plus.wrapping_sub(fold)));
                }
            }
            Instruction::Write { address, value } => {
                let place = Place::of(*address).filter(|place| place.tile.kind() == Some(TileKind::Shim));
                let Some(Place { tile, register: Register::Queue { direction, channel }, .. }) = place else {
                    continue;
                };
                let channel = Channel { tile, direction, index: channel };
                let descriptor = Push::decode(*value).0.descriptor;
                let patch = patches.get(&(tile, descriptor)).ok_or(NotRecovered::Unpatched { channel, descriptor })?;
                begins.entry(channel).or_insert(*patch);
            }
            _ => {}
        }
    }
    let mut ports = Vec::with_capacity(begins.len());
    type Name = fn(u8) -> Fifo;
    let matrices: [(u32, Name); 3] = [
        (arguments.activations.argument, Fifo::Activations),
        (arguments.weights.argument, Fifo::Weights),
        (arguments.results.argument, Fifo::Results),
    ];
    for (wanted, fifo) in matrices {
        let direction = fifo(0).direction();
        let of_it = |channel: &Channel, argument: u32| argument == wanted && channel.direction == direction;
        let moving = begins.iter().filter(|(channel, (argument, _))| of_it(channel, *argument));
        let mut channels: Vec<(u64, Channel)> = moving.map(|(channel, (_, begin))| (*begin, *channel)).collect();
        channels.sort_unstable();
        if let Some(pair) = channels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(NotRecovered::Alike { first: pair[0].1, second: pair[1].1 });
        }
        let named = channels.iter().zip(0..).map(|((_, channel), index)| Port {
            fifo: fifo(index),
            column: channel.tile.column,
            channel: channel.index,
        });
        ports.extend(named);
    }
    for (channel, (argument, _)) in begins {
        if !ports.iter().any(|port| port.at() == channel) {
            return Err(NotRecovered::Argument { channel, argument });
        }
    }
    Ok(ports)
}
