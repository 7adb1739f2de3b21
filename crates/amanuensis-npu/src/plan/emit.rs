//! Instructions one after the other, and who has which descriptor.

use super::transfer::Lowered;
use super::{Bounds, Limit, Meaning, Overlay, Port, Refusal};
use crate::txn::{
    ADDRESS_FOLD, CONTROLLER, CONTROLLER_MASK, Channel, Direction, Generation, Instruction, Push, TRANSLATED_ARGUMENTS,
    TokenWait,
};

/// What is under way together: its descriptors are free when its tokens have come.
#[derive(Default)]
pub(super) struct Group {
    descriptors: Vec<(u8, u8)>,
    tokens: Vec<Channel>,
}

pub(super) struct Emitter {
    pub(super) instructions: Vec<Instruction>,
    /// Bits of the descriptors that are free, for each column.
    free: Vec<u16>,
    pub(super) pushes: u64,
}

impl Emitter {
    pub(super) fn new(generation: Generation) -> Self {
        let free = vec![u16::MAX; usize::from(generation.columns())];
        Self { instructions: Vec::new(), free, pushes: 0 }
    }

    /// Tells every core how often to go round, then opens the barriers: a core that is let go reads all its words.
    pub(super) fn parameters(&mut self, overlay: &Overlay, depth: u64, tiles: u64) -> Result<(), Refusal> {
        let Bounds::Runtime { parameters, barriers, .. } = &overlay.bounds else { return Ok(()) };
        let word = |value: u64| {
            let (limit, most) = (Limit::Tiles, u64::from(u32::MAX));
            u32::try_from(value).map_err(|_| Refusal::Limit { what: "a core", limit, value, most })
        };
        let (depth, tiles) = (word(depth)?, word(tiles)?);
        for parameter in parameters {
            let value = match parameter.meaning {
                Meaning::Depth => depth,
                Meaning::Tiles => tiles,
            };
            self.instructions.push(Instruction::Write { address: parameter.core.address(parameter.offset), value });
        }
        for barrier in barriers {
            self.instructions
                .push(Instruction::Write { address: barrier.core.lock(barrier.lock), value: barrier.open });
        }
        Ok(())
    }

    /// Sets off a transfer: descriptor, address, for what leaves the array who takes the token, push.
    pub(super) fn transfer(
        &mut self,
        group: &mut Group,
        port: Port,
        argument: u32,
        lowered: &Lowered,
    ) -> Result<(), Refusal> {
        let channel = port.at();
        let tile = channel.tile;
        let column = tile.column;
        // The lowest one that is free, as compilers take them.
        let free = self.free.get_mut(usize::from(column)).filter(|free| **free != 0);
        let free = free.ok_or(Refusal::Descriptors { column })?;
        let id = free.trailing_zeros() as u8;
        *free &= *free - 1;
        group.descriptors.push((column, id));
        let plus = if argument >= TRANSLATED_ARGUMENTS { lowered.offset + ADDRESS_FOLD } else { lowered.offset };
        let data = lowered.descriptor.encode().to_vec();
        self.instructions.push(Instruction::BlockWrite { address: tile.descriptor(id, 0), data });
        self.instructions.push(Instruction::Patch { register: tile.descriptor(id, 1), argument, plus });
        let token = channel.direction == Direction::StreamToMemory;
        if token {
            group.tokens.push(channel);
            let (value, mask) = (CONTROLLER, CONTROLLER_MASK);
            self.instructions.push(Instruction::MaskWrite { address: channel.control(), value, mask });
        }
        let value = Push { descriptor: id, passes: lowered.passes, token }.encode();
        self.instructions.push(Instruction::Write { address: channel.queue(), value });
        self.pushes += 1;
        Ok(())
    }

    /// Waits for a group and frees its descriptors.
    pub(super) fn wait(&mut self, group: Group) {
        for channel in group.tokens {
            let (column, row) = (channel.tile.column, channel.tile.row);
            let (direction, channel) = (channel.direction, channel.index);
            self.instructions.push(Instruction::Wait(TokenWait {
                column,
                row,
                columns: 1,
                rows: 1,
                direction,
                channel,
            }));
        }
        for (column, id) in group.descriptors {
            if let Some(free) = self.free.get_mut(usize::from(column)) {
                *free |= 1 << id;
            }
        }
    }
}
