//! One command: an instruction stream, the buffers it works on, and the packet that says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::buffer::{Buffer, Part};
use super::context::Unit;
use super::error::DriverError;
use super::life::Life;
use super::object::Object;
use super::packet;
use crate::uapi::COMMAND_SIZE;

/// What a command consists of, as its maker says. It is counted when the command completes and never before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Multiplications and additions.
    pub operations: u64,
}

/// A command of one context. It can be submitted again when it is done.
pub struct Command {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    /// The buffer with the packet.
    pub(super) object: Object,
    packet: Vec<u32>,
    stream: Arc<Part>,
    arguments: Vec<Arc<Part>>,
    pub(super) work: Work,
    pub(super) life: Life,
    under_way: AtomicBool,
}

impl Command {
    pub(super) fn new(
        object: Object,
        unit: Unit,
        stream: &Buffer,
        words: usize,
        arguments: &[&Buffer],
        work: Work,
    ) -> Result<Self, DriverError> {
        if words.saturating_mul(4) > stream.len() {
            return Err(DriverError::Outside { at: 0, length: words.saturating_mul(4), size: stream.len() });
        }
        let life = stream.part.life.clone();
        arguments.iter().try_for_each(|argument| life.same(&argument.part.life))?;
        let addresses: Vec<u64> = arguments.iter().map(|argument| argument.device_address()).collect();
        let packet = packet::start_unit(unit.index, stream.device_address(), words, &addresses)?;
        let arguments = arguments.iter().map(|argument| argument.part.clone()).collect();
        let (stream, under_way) = (stream.part.clone(), AtomicBool::new(false));
        Ok(Self { shared: Arc::new(Shared { object, packet, stream, arguments, work, life, under_way }) })
    }
}

impl Shared {
    /// Flushes what it uses, writes the packet, and marks all of it as used.
    pub(super) fn begin(&self) -> Result<(), DriverError> {
        if self.under_way.swap(true, Ordering::AcqRel) {
            return Err(DriverError::InUse { size: COMMAND_SIZE });
        }
        let flushed = std::iter::once(&self.stream).chain(&self.arguments).try_for_each(|part| part.flush());
        if let Err(error) = flushed.and_then(|()| write_packet(&self.object, &self.packet)) {
            self.under_way.store(false, Ordering::Release);
            return Err(error);
        }
        self.stream.begin();
        self.arguments.iter().for_each(|part| part.begin());
        Ok(())
    }

    /// Takes the marks away. Whatever became of it, its arguments may have been written.
    pub(super) fn end(&self) {
        self.stream.end(false);
        self.arguments.iter().for_each(|part| part.end(true));
        self.under_way.store(false, Ordering::Release);
    }

    /// Handles of every buffer object that it needs, each once.
    pub(super) fn handles(&self) -> Vec<u32> {
        let mut handles = vec![self.stream.object.handle];
        for part in &self.arguments {
            if !handles.contains(&part.object.handle) {
                handles.push(part.object.handle);
            }
        }
        handles
    }

    /// Bytes of the buffers it works on.
    pub(super) fn bytes(&self) -> u64 {
        self.arguments.iter().map(|part| part.length() as u64).sum()
    }
}

/// Puts a packet into a command buffer.
pub(super) fn write_packet(object: &Object, packet: &[u32]) -> Result<(), DriverError> {
    let bytes: Vec<u8> = packet.iter().flat_map(|word| word.to_le_bytes()).collect();
    object.write(0, &bytes)
}
