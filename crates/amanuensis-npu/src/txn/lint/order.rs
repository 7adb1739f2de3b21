//! What is done in which order: descriptors are written, patched, pushed and waited for.

use std::collections::BTreeMap;

use super::super::{
    ADDRESS_FOLD, CONTROLLER, CONTROLLER_MASK, Channel, Descriptor, Direction, Instruction, MOST_ARGUMENTS, Place,
    Push, Register, Stream, TRANSLATED_ARGUMENTS, Tile, TileKind, TokenWait,
};
use super::{Expectations, Finding, Rule};

/// Bits of an address that a descriptor has room for.
const ADDRESS_BITS: u32 = 48;

/// What is known of a descriptor.
#[derive(Default)]
struct Written {
    /// Its words and the operation that wrote them.
    at: usize,
    fields: Option<Descriptor>,
    patched: bool,
    pushed: bool,
    /// Pushed, and no wait since.
    in_flight: bool,
}

/// What is known of a channel.
#[derive(Default)]
struct Told {
    controller: bool,
    tokens: usize,
    /// Out of the array and without a token since the last that was waited for.
    unheard: bool,
}

struct State<'a> {
    columns: u8,
    arguments: u32,
    descriptors: BTreeMap<(u8, u8), Written>,
    channels: BTreeMap<Channel, Told>,
    /// The channel that was just told its controller.
    pending: Option<Channel>,
    operation: usize,
    findings: &'a mut Vec<Finding>,
}

pub(super) fn operations(stream: &Stream, expectations: &Expectations, findings: &mut Vec<Finding>) {
    let mut state = State {
        columns: stream.header.columns,
        arguments: expectations.arguments.unwrap_or(MOST_ARGUMENTS).min(MOST_ARGUMENTS),
        descriptors: BTreeMap::new(),
        channels: BTreeMap::new(),
        pending: None,
        operation: 0,
        findings,
    };
    for (operation, instruction) in stream.instructions().enumerate() {
        state.operation = operation;
        state.instruction(instruction);
    }
    state.end();
}

impl State<'_> {
    fn find(&mut self, rule: Rule, detail: impl Into<String>) {
        self.findings.push(Finding { rule, operation: Some(self.operation), detail: detail.into() });
    }

    fn instruction(&mut self, instruction: &Instruction) {
        match instruction {
            Instruction::Write { address, value } => self.write(*address, *value),
            Instruction::BlockWrite { address, data } => self.block(*address, data),
            Instruction::MaskWrite { address, value, mask } => self.control(*address, *value, *mask),
            Instruction::Wait(wait) => self.wait(wait),
            Instruction::Patch { register, argument, plus } => self.patch(*register, *argument, *plus),
            Instruction::MaskPoll { address, .. } => {
                self.place(*address);
                self.find(Rule::NotEmitted, instruction.opcode().name());
            }
            Instruction::Noop
            | Instruction::Preempt { .. }
            | Instruction::LoadPdi { .. }
            | Instruction::Other { .. } => {
                self.find(Rule::NotEmitted, instruction.opcode().name());
            }
        }
    }

    /// Where an address points, if that is in the partition.
    fn place(&mut self, address: u32) -> Option<Place> {
        let place = Place::of(address).filter(|place| place.tile.column < self.columns);
        if place.is_none() {
            self.find(Rule::NoTile, format!("{address:#010x}"));
        }
        place
    }

    fn write(&mut self, address: u32, value: u32) {
        let Some(place) = self.place(address) else { return };
        let shim = place.tile.kind() == Some(TileKind::Shim);
        match place.register {
            Register::Queue { .. } if shim => {
                if let Some(channel) = place.channel() {
                    self.push(channel, value);
                }
            }
            Register::Descriptor { id, word } if shim => {
                self.find(Rule::PartialDescriptor, format!("word {word} of descriptor {id} of {}", place.tile));
            }
            Register::Control { .. } if shim => {
                self.find(Rule::ControllerWord, format!("{value:#x} is written to all of it"))
            }
            Register::Queue { .. } | Register::Descriptor { .. } | Register::Control { .. } => {
                self.find(Rule::OtherTile, format!("{address:#010x}"));
            }
            Register::Unnamed => self.find(Rule::UnknownRegister, format!("{address:#010x}")),
            Register::Lock { .. } | Register::Memory { .. } => {}
        }
    }

    fn block(&mut self, address: u32, data: &[u32]) {
        let Some(place) = self.place(address) else { return };
        let end = address.checked_add((data.len() as u32).saturating_mul(4));
        let last = end.and_then(|end| Place::of(end.saturating_sub(4)));
        if data.is_empty() || last.is_none_or(|last| last.tile != place.tile) {
            self.find(Rule::NoTile, format!("{} words from {address:#010x} on", data.len()));
            return;
        }
        let Register::Descriptor { id, word } = place.register else {
            // Configurations are written like this; planners write single words.
            self.find(Rule::UnknownRegister, format!("{} words from {address:#010x} on", data.len()));
            return;
        };
        if place.tile.kind() != Some(TileKind::Shim) {
            self.find(Rule::OtherTile, format!("descriptor {id} of {}", place.tile));
            return;
        }
        match <&[u32; Descriptor::WORDS]>::try_from(data) {
            Ok(words) if word == 0 => self.descriptor(place.tile, id, words),
            _ => self
                .find(Rule::PartialDescriptor, format!("{} words from word {word} of descriptor {id} on", data.len())),
        }
    }

    fn descriptor(&mut self, tile: Tile, id: u8, words: &[u32; Descriptor::WORDS]) {
        let fields = Descriptor::decode(words);
        let name = format!("descriptor {id} of {tile}");
        if fields.reserved != [0; 6] {
            self.find(Rule::DescriptorBits, format!("{name}: {:x?}", fields.reserved));
        }
        let usual = Descriptor {
            length: fields.length,
            base: fields.base,
            dimensions: fields.dimensions,
            outer_stride: fields.outer_stride,
            iteration: super::super::Iteration { current: 0, ..fields.iteration },
            valid: fields.valid,
            reserved: fields.reserved,
            ..Descriptor::linear(0, 0)
        };
        if fields != usual {
            self.find(Rule::DescriptorPolicy, name.clone());
        }
        if !fields.valid {
            self.find(Rule::DescriptorInvalid, name.clone());
        }
        let [inner, middle] = fields.dimensions.map(|dimension| u32::from(dimension.wrap));
        let line = inner.max(1) * middle.max(1);
        if fields.length == 0 || inner == 0 && middle != 0 || !fields.length.is_multiple_of(line) {
            self.find(Rule::DescriptorShape, format!("{name}: {} words in {middle} lines of {inner}", fields.length));
        }
        let [first, second] = fields.dimensions;
        // Without a wrap the length ends a dimension, and the ones around it are never reached.
        let taken = [
            (inner != 0 && middle != 1 && fields.length > inner, second.stride),
            (inner != 0 && middle != 0 && fields.length > line, fields.outer_stride),
            (inner != 1 && fields.length != 1, first.stride),
            (fields.iteration.size > 1, fields.iteration.stride),
        ];
        if taken.into_iter().any(|(taken, stride)| !taken && stride != 1) {
            self.find(Rule::UnusedStep, name.clone());
        }
        let written = Written { at: self.operation, fields: Some(fields), ..Written::default() };
        let before = self.descriptors.insert((tile.column, id), written);
        match before {
            Some(before) if before.in_flight => self.find(Rule::DescriptorInFlight, name),
            Some(before) if !before.pushed => self.find(Rule::DescriptorUnused, format!("{name} is written again")),
            _ => {}
        }
    }

    fn patch(&mut self, register: u32, argument: u32, plus: u64) {
        let target = Place::of(register).filter(|place| place.tile.column < self.columns);
        let target = target.filter(|place| place.tile.kind() == Some(TileKind::Shim));
        let id = match target.map(|place| (place.tile.column, place.register)) {
            Some((column, Register::Descriptor { id, word: 1 })) => Some((column, id)),
            _ => None,
        };
        let Some(written) = id.and_then(|id| self.descriptors.get_mut(&id)) else {
            self.find(Rule::PatchTarget, format!("{register:#010x}"));
            return;
        };
        let folded = argument >= TRANSLATED_ARGUMENTS;
        let offset = if folded { plus.wrapping_sub(ADDRESS_FOLD) } else { plus };
        let twice = std::mem::replace(&mut written.patched, true);
        let in_flight = written.in_flight;
        let base = written.fields.map_or(0, |fields| fields.base);
        if twice {
            self.find(Rule::PatchTwice, format!("{register:#010x}"));
        }
        if in_flight {
            self.find(Rule::DescriptorInFlight, format!("patch of {register:#010x}"));
        }
        if argument >= self.arguments {
            self.find(Rule::PatchArgument, format!("argument {argument} of {}", self.arguments));
        }
        if folded != (plus >= ADDRESS_FOLD) {
            self.find(Rule::PatchFold, format!("argument {argument}, offset {plus:#x}"));
        }
        if !plus.is_multiple_of(4) || plus >> ADDRESS_BITS != 0 {
            self.find(Rule::PatchAlignment, format!("{plus:#x}"));
        }
        if base != 0 && base != plus && base != offset {
            self.find(Rule::BaseWord, format!("{base:#x}, the offset is {plus:#x}"));
        }
    }

    fn control(&mut self, address: u32, value: u32, mask: u32) {
        let Some(place) = self.place(address) else { return };
        let Some(channel) = place.channel().filter(|_| matches!(place.register, Register::Control { .. })) else {
            self.find(Rule::UnknownRegister, format!("some bits of {address:#010x}"));
            return;
        };
        if (value, mask) != (CONTROLLER, CONTROLLER_MASK) {
            self.find(Rule::ControllerWord, format!("{value:#x}, bits {mask:#x}"));
        }
        if place.tile.kind() != Some(TileKind::Shim) {
            self.find(Rule::OtherTile, format!("{address:#010x}"));
        }
        if let Some(before) = self.pending.replace(channel) {
            self.find(Rule::ControllerFollowed, format!("{before}"));
        }
        self.channels.entry(channel).or_default().controller = true;
    }

    fn push(&mut self, channel: Channel, word: u32) {
        let (push, reserved) = Push::decode(word);
        if reserved != 0 {
            self.find(Rule::PushBits, format!("{word:#010x}"));
        }
        match self.pending.take() {
            Some(pending) if pending != channel || !push.token => {
                self.find(Rule::ControllerFollowed, format!("{pending}"))
            }
            None if push.token => self.find(Rule::ControllerAnew, format!("{channel}")),
            _ => {}
        }
        let told = self.channels.entry(channel).or_default();
        let controller = told.controller;
        told.tokens += usize::from(push.token);
        told.unheard = !push.token && channel.direction == Direction::StreamToMemory;
        if push.token && !controller {
            self.find(Rule::ControllerMissing, format!("{channel}"));
        }
        let name = format!("descriptor {} of {}", push.descriptor, channel.tile);
        let Some(written) = self.descriptors.get_mut(&(channel.tile.column, push.descriptor)) else {
            self.find(Rule::PushUnwritten, name);
            return;
        };
        let (patched, again) = (written.patched, written.in_flight);
        (written.pushed, written.in_flight) = (true, true);
        let iterations = written.fields.map_or(1, |fields| u16::from(fields.iteration.size));
        if again {
            self.find(Rule::DescriptorInFlight, format!("{name} is pushed again"));
        }
        if !patched {
            self.find(Rule::PatchMissing, name);
        }
        if iterations != 1 && iterations != push.passes {
            self.find(Rule::PushPasses, format!("{} passes, {iterations} iterations", push.passes));
        }
    }

    fn wait(&mut self, wait: &TokenWait) {
        let columns = u16::from(wait.column)..u16::from(wait.column) + u16::from(wait.columns);
        let shaped = wait.row == 0 && wait.rows == 1 && wait.channel < 2 && !columns.is_empty();
        if !shaped || columns.end > u16::from(self.columns) {
            self.find(Rule::WaitShape, format!("{wait:?}"));
            return;
        }
        for column in columns {
            let channel = Channel { tile: Tile::shim(column as u8), direction: wait.direction, index: wait.channel };
            let told = self.channels.entry(channel).or_default();
            match told.tokens.checked_sub(1) {
                Some(left) => told.tokens = left,
                None => self.find(Rule::WaitForever, format!("{channel}")),
            }
        }
        // Which descriptors are done with depends on the overlay: here all of them may be.
        self.descriptors.values_mut().for_each(|written| written.in_flight = false);
    }

    fn end(&mut self) {
        let unused: Vec<(usize, String)> = self
            .descriptors
            .iter()
            .filter(|(_, written)| !written.pushed)
            .map(|((column, id), written)| (written.at, format!("descriptor {id} of {}", Tile::shim(*column))))
            .collect();
        for (operation, detail) in unused {
            self.findings.push(Finding { rule: Rule::DescriptorUnused, operation: Some(operation), detail });
        }
        let mut ending = Vec::new();
        for (channel, told) in &self.channels {
            if told.tokens > 0 {
                ending.push((Rule::WaitMissing, format!("{channel}, {} tokens", told.tokens)));
            }
            if told.unheard {
                ending.push((Rule::QueueWait, format!("{channel}")));
            }
        }
        ending.extend(self.pending.take().map(|channel| (Rule::ControllerFollowed, format!("{channel}"))));
        for (rule, detail) in ending {
            self.findings.push(Finding { rule, operation: None, detail });
        }
    }
}
