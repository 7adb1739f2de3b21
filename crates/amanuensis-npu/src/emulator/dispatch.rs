//! One stream, operation by operation.

use std::collections::BTreeMap;

use super::cores::Cores;
use super::host::Host;
use super::input::Input;
use super::output::{Output, Task};
use super::{Fault, Kernel, Report, Wrong};
use crate::plan::{Fifo, Overlay, WeightOrder, tile_order};
use crate::txn::{
    ADDRESS_FOLD, CONTROLLER, CONTROLLER_MASK, Channel, Descriptor, Direction, Generation, HEADER_WORDS, Instruction,
    Packet, Place, Push, Register, Stream, TRANSLATED_ARGUMENTS, Tile, TileKind, TokenWait,
};

/// A descriptor's registers and what the last patch of its address said.
#[derive(Default)]
struct Slot {
    words: Option<[u32; Descriptor::WORDS]>,
    patch: Option<(u32, u64)>,
}

/// Words of a tile of each kind.
pub(super) struct Sizes {
    /// For the rows of one stream.
    pub(super) activations: usize,
    pub(super) weights: usize,
    pub(super) multiply_adds: u64,
}

pub(super) struct Dispatch<'a, 'b> {
    pub(super) overlay: &'a Overlay,
    pub(super) kernel: &'a mut dyn Kernel,
    pub(super) cores: &'a mut Cores,
    pub(super) host: Host<'a, 'b>,
    ports: BTreeMap<Channel, Fifo>,
    slots: BTreeMap<(u8, u8), Slot>,
    pub(super) activations: Vec<Input>,
    pub(super) weights: Vec<Input>,
    pub(super) results: Vec<Output>,
    pub(super) sizes: Sizes,
    /// Where the words of a tile of the right factor come from, if not from where they are used.
    pub(super) order: Option<Vec<usize>>,
    pub(super) left: Vec<u32>,
    pub(super) right: Vec<u32>,
    pub(super) shuffled: Vec<u32>,
    pushes: usize,
    tokens: usize,
    pub(super) multiply_adds: u64,
}

impl<'a, 'b> Dispatch<'a, 'b> {
    pub(super) fn new(
        overlay: &'a Overlay,
        kernel: &'a mut dyn Kernel,
        cores: &'a mut Cores,
        arguments: &'a mut [&'b mut [u32]],
    ) -> Self {
        let (tile, per_word) = (overlay.tile, overlay.operands.input.per_word() as usize);
        let lines = tile.m * usize::from(overlay.rows_per_stream);
        let columns = usize::from(overlay.columns);
        let multiply_adds = (tile.m * usize::from(overlay.rows)) as u64 * (tile.k * tile.n) as u64;
        let order = (overlay.weights == WeightOrder::MicroTiles).then(|| word_order(overlay, per_word));
        Self {
            ports: overlay.ports.iter().map(|port| (port.at(), port.fifo)).collect(),
            slots: BTreeMap::new(),
            activations: (0..overlay.activation_streams()).map(|_| Input::new(columns)).collect(),
            weights: (0..columns).map(|_| Input::new(1)).collect(),
            results: (0..columns).map(|_| Output::default()).collect(),
            sizes: Sizes { activations: lines * tile.k / per_word, weights: tile.k * tile.n / per_word, multiply_adds },
            host: Host::new(arguments),
            overlay,
            kernel,
            cores,
            order,
            left: Vec::new(),
            right: Vec::new(),
            shuffled: Vec::new(),
            pushes: 0,
            tokens: 0,
            multiply_adds: 0,
        }
    }

    pub(super) fn run(mut self, stream: &Stream) -> Result<Report, Fault> {
        self.header(stream).map_err(|wrong| Fault::of(None, wrong))?;
        for (operation, instruction) in stream.instructions().enumerate() {
            self.instruction(instruction).map_err(|wrong| Fault::of(Some(operation), wrong))?;
        }
        self.end().map_err(|wrong| Fault::of(None, wrong))?;
        let moved = self.ports.iter().map(|(channel, fifo)| (*channel, self.moved(*fifo))).collect();
        Ok(Report {
            operations: stream.operations.len(),
            pushes: self.pushes,
            tokens: self.tokens,
            moved,
            multiply_adds: self.multiply_adds,
            written: self.host.into_claimed(),
        })
    }

    fn header(&self, stream: &Stream) -> Result<(), Wrong> {
        let header = &stream.header;
        let words: usize = stream.instructions().map(|instruction| instruction.words(header.form)).sum();
        let checks = [
            (Generation::of_code(header.generation) == Some(self.overlay.generation), "another generation of devices"),
            ((header.rows, header.memory_rows) == (self.overlay.generation.rows(), 1), "another number of rows"),
            (header.columns >= self.overlay.columns, "fewer columns than the overlay has"),
            (header.columns <= self.overlay.generation.columns(), "more columns than the device has"),
            (header.operations as usize == stream.operations.len(), "another number of operations"),
            (header.bytes as usize == (words + HEADER_WORDS) * 4, "another number of bytes"),
        ];
        checks.into_iter().try_for_each(|(holds, says)| if holds { Ok(()) } else { Err(Wrong::Header(says)) })
    }

    fn instruction(&mut self, instruction: &Instruction) -> Result<(), Wrong> {
        match instruction {
            Instruction::Write { address, value } => self.write(*address, *value),
            Instruction::BlockWrite { address, data } => {
                let addresses = (*address..).step_by(4);
                data.iter().zip(addresses).try_for_each(|(value, address)| self.write(address, *value))
            }
            Instruction::MaskWrite { address, value, mask } => self.controller(*address, *value, *mask),
            Instruction::Patch { register, argument, plus } => self.patch(*register, *argument, *plus),
            Instruction::Wait(wait) => self.wait(wait),
            Instruction::Noop | Instruction::Preempt { .. } => Ok(()),
            Instruction::MaskPoll { .. } | Instruction::LoadPdi { .. } | Instruction::Other { .. } => {
                Err(Wrong::Operation(instruction.opcode()))
            }
        }
    }

    fn write(&mut self, address: u32, value: u32) -> Result<(), Wrong> {
        let place = Place::of(address).ok_or(Wrong::Register(address))?;
        match (place.tile.kind(), place.register) {
            (Some(TileKind::Shim), Register::Queue { direction, channel }) => {
                self.push(Channel { tile: place.tile, direction, index: channel }, value)
            }
            (Some(TileKind::Shim), Register::Descriptor { id, word }) => {
                self.idle(place.tile, id)?;
                let slot = self.slots.entry((place.tile.column, id)).or_default();
                if let Some(place) = slot.words.get_or_insert_default().get_mut(usize::from(word)) {
                    *place = value;
                }
                if matches!(word, 1 | 2) {
                    slot.patch = None;
                }
                Ok(())
            }
            (Some(TileKind::Core), _) => self.cores.write(address, &place, value),
            _ => Err(Wrong::Register(address)),
        }
    }

    fn controller(&mut self, address: u32, value: u32, mask: u32) -> Result<(), Wrong> {
        let place = Place::of(address).filter(|place| matches!(place.register, Register::Control { .. }));
        let channel = place.and_then(|place| place.channel()).ok_or(Wrong::Register(address))?;
        match self.ports.get(&channel) {
            Some(Fifo::Results(column)) if (value, mask) == (CONTROLLER, CONTROLLER_MASK) => {
                if let Some(output) = self.results.get_mut(usize::from(*column)) {
                    output.controller = true;
                }
                Ok(())
            }
            _ => Err(Wrong::Register(address)),
        }
    }

    fn patch(&mut self, register: u32, argument: u32, plus: u64) -> Result<(), Wrong> {
        let place = Place::of(register).filter(|place| place.tile.kind() == Some(TileKind::Shim));
        let Some(Place { tile, register: Register::Descriptor { id, word: 1 }, .. }) = place else {
            return Err(Wrong::Patch(register));
        };
        self.idle(tile, id)?;
        if argument as usize >= self.host.count() {
            return Err(Wrong::Argument { argument, arguments: self.host.count() });
        }
        let folded = argument >= TRANSLATED_ARGUMENTS;
        if folded != (plus >= ADDRESS_FOLD) {
            return Err(Wrong::Fold { argument, offset: plus });
        }
        let slot = self.slots.get_mut(&(tile.column, id)).filter(|slot| slot.words.is_some());
        slot.ok_or(Wrong::Patch(register))?.patch = Some((argument, if folded { plus - ADDRESS_FOLD } else { plus }));
        Ok(())
    }

    /// Whether nothing is under way that a descriptor says.
    fn idle(&self, tile: Tile, id: u8) -> Result<(), Wrong> {
        let used = self.ports.iter().filter(|(channel, _)| channel.tile == tile).any(|(_, fifo)| match *fifo {
            Fifo::Activations(index) => self.activations.get(usize::from(index)).is_some_and(|input| input.uses(id)),
            Fifo::Weights(index) => self.weights.get(usize::from(index)).is_some_and(|input| input.uses(id)),
            Fifo::Results(index) => self.results.get(usize::from(index)).is_some_and(|output| output.uses(id)),
        });
        if used { Err(Wrong::InFlight { tile, id }) } else { Ok(()) }
    }

    fn push(&mut self, channel: Channel, word: u32) -> Result<(), Wrong> {
        let fifo = *self.ports.get(&channel).ok_or(Wrong::Unmapped(channel))?;
        let (push, reserved) = Push::decode(word);
        if reserved != 0 {
            return Err(Wrong::Unmapped(channel));
        }
        let (tile, id) = (channel.tile, push.descriptor);
        self.idle(tile, id)?;
        let wrong = |says| Wrong::Descriptor { tile, id, says };
        let slot = self.slots.get(&(tile.column, id));
        let words = slot.and_then(|slot| slot.words).ok_or(wrong("it was not written"))?;
        let (argument, offset) = slot.and_then(|slot| slot.patch).ok_or(wrong("its address was not patched"))?;
        // What is moved is decided now: the registers may change when the descriptor is worked off.
        let descriptor = Descriptor::decode(&words);
        usable(&descriptor).map_err(wrong)?;
        if !offset.is_multiple_of(4) {
            return Err(wrong("its address is no multiple of 4"));
        }
        let pattern = descriptor.pattern(offset / 4, push.passes);
        self.pushes += 1;
        match fifo {
            Fifo::Results(index) => {
                self.race_of_result(argument, pattern.extent())?;
                self.host.claim(argument, &pattern)?;
                let Some(output) = self.results.get_mut(usize::from(index)) else { return Ok(()) };
                if output.full() {
                    return Err(Wrong::QueueFull(channel));
                }
                if push.token && !output.controller {
                    return Err(Wrong::Controller(channel));
                }
                output.tasks.push_back(Task { descriptor: id, argument, pattern, token: push.token });
            }
            Fifo::Activations(_) | Fifo::Weights(_) if push.token => return Err(Wrong::Controller(channel)),
            Fifo::Activations(index) => self.feed(channel, usize::from(index), true, (id, argument), &pattern)?,
            Fifo::Weights(index) => self.feed(channel, usize::from(index), false, (id, argument), &pattern)?,
        }
        Ok(())
    }

    fn feed(
        &mut self,
        channel: Channel,
        index: usize,
        left: bool,
        (id, argument): (u8, u32),
        pattern: &crate::txn::Pattern,
    ) -> Result<(), Wrong> {
        let extent = pattern.extent();
        if self.results.iter().any(|output| output.writes(argument, extent)) {
            return Err(Wrong::Race { argument, word: extent.0 });
        }
        let inputs = if left { &mut self.activations } else { &mut self.weights };
        let Some(input) = inputs.get_mut(index) else { return Ok(()) };
        if input.full() {
            return Err(Wrong::QueueFull(channel));
        }
        // The host does not write while the command runs, so the words may as well be fetched now.
        let words = self.host.gather(argument, pattern)?;
        input.push(id, argument, pattern, words);
        Ok(())
    }

    fn race_of_result(&self, argument: u32, extent: (u64, u64)) -> Result<(), Wrong> {
        let read = self.activations.iter().chain(&self.weights).any(|input| input.reads(argument, extent));
        if read { Err(Wrong::Race { argument, word: extent.0 }) } else { Ok(()) }
    }

    fn wait(&mut self, wait: &TokenWait) -> Result<(), Wrong> {
        let columns = u16::from(wait.column)..u16::from(wait.column) + u16::from(wait.columns);
        let at =
            |column| Channel { tile: Tile { column, row: wait.row }, direction: wait.direction, index: wait.channel };
        if columns.is_empty() || wait.rows != 1 {
            return Err(Wrong::Wait(at(wait.column)));
        }
        for column in columns {
            let channel = at(u8::try_from(column).unwrap_or(u8::MAX));
            let fifo = self.ports.get(&channel).filter(|_| wait.direction == Direction::StreamToMemory);
            let Some(Fifo::Results(index)) = fifo.copied() else { return Err(Wrong::Wait(channel)) };
            self.token(channel, index)?;
            self.tokens += 1;
        }
        Ok(())
    }

    fn moved(&self, fifo: Fifo) -> u64 {
        match fifo {
            Fifo::Activations(index) => self.activations.get(usize::from(index)).map_or(0, |input| input.moved),
            Fifo::Weights(index) => self.weights.get(usize::from(index)).map_or(0, |input| input.moved),
            Fifo::Results(index) => self.results.get(usize::from(index)).map_or(0, |output| output.moved),
        }
    }

    fn end(&self) -> Result<(), Wrong> {
        // Results first: what is left of the factors is most often what they were to be made of.
        let mut ports: Vec<(&Channel, &Fifo)> = self.ports.iter().collect();
        ports.sort_by_key(|(channel, _)| channel.direction);
        for (&channel, fifo) in ports {
            let words = match *fifo {
                Fifo::Activations(index) => self.activations.get(usize::from(index)).map_or(0, Input::left),
                Fifo::Weights(index) => self.weights.get(usize::from(index)).map_or(0, Input::left),
                Fifo::Results(index) => {
                    self.results.get(usize::from(index)).map_or(0, |output| output.wanted() + output.left_over())
                }
            };
            if words != 0 {
                return Err(Wrong::Unfinished { channel, words });
            }
        }
        self.cores.finished()
    }
}

/// What a descriptor must be for a plain transfer.
fn usable(descriptor: &Descriptor) -> Result<(), &'static str> {
    let [inner, middle] = descriptor.dimensions.map(|dimension| u32::from(dimension.wrap));
    let line = inner.max(1) * middle.max(1);
    let checks = [
        (descriptor.valid, "it says that it may not be used"),
        (descriptor.reserved == [0; 6], "reserved bits are set"),
        (descriptor.packet == Packet::default(), "packets are not emulated"),
        (descriptor.locks == 0 && descriptor.next.is_none(), "locks and successors are not emulated"),
        (descriptor.iteration.current == 0, "iterations that begin in the middle are not emulated"),
        (descriptor.length != 0, "it moves nothing"),
        (inner != 0 || middle == 0, "it has lines of no length"),
        (descriptor.length.is_multiple_of(line), "its length is no whole number of its lines"),
    ];
    checks.into_iter().try_for_each(|(holds, says)| if holds { Ok(()) } else { Err(says) })
}

/// For each word of a tile of the right factor, row by row, where it is in the order of the stream. The blocks of a core's
/// instruction are whole words wide.
fn word_order(overlay: &Overlay, per_word: usize) -> Vec<usize> {
    let line = overlay.tile.n / per_word;
    let mut order = vec![0; overlay.tile.k * line];
    for (place, (row, column)) in tile_order(overlay).into_iter().step_by(per_word).enumerate() {
        if let Some(word) = order.get_mut(row * line + column / per_word) {
            *word = place;
        }
    }
    order
}
