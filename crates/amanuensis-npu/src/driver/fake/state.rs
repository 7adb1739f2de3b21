//! What the driver in memory knows: buffers with the host's view and the device's, contexts, queues.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Addressing, Counts, Fault, Injection, Settings};
use crate::driver::arena::Arena;
use crate::driver::error::{CommandState, Health};
use crate::driver::kernel::{Errno, Placement};
use crate::driver::memory::Memory;
use crate::driver::packet::Packet;
use crate::uapi::{
    BUFFER_COMMAND, BUFFER_DEVICE, BUFFER_HEAP, BUFFER_SHARE, HEAP_DEVICE_BASE, HEAP_UNIT, NO_ADDRESS, SYNC_TO_DEVICE,
};

/// A page: what offsets for mapping are multiples of.
const PAGE: u64 = 4096;
/// Where a device's own addresses begin.
const OWN_BASE: u64 = 0x10_0000_0000;

/// A buffer object.
pub(super) struct Object {
    pub(super) kind: u32,
    pub(super) size: usize,
    pub(super) map_offset: u64,
    /// The device's own address, or none.
    pub(super) device_address: u64,
    /// What the host sees, once it is mapped.
    host: Option<Arc<Memory>>,
    /// What the device sees. Pieces of the heap have theirs in the heap.
    pub(super) device: Vec<u32>,
}

/// A context.
pub(super) struct Context {
    pub(super) units: Vec<u32>,
    pub(super) timeline: u32,
    pub(super) submitted: u64,
    pub(super) done: u64,
}

/// A command in a queue, or a chain.
pub(super) struct Job {
    pub(super) context: u32,
    /// The command buffer that was submitted.
    pub(super) carrier: u32,
    /// The commands: the same buffer, or those of the chain.
    pub(super) commands: Vec<(u32, Packet)>,
    /// Buffers that are there for it.
    pub(super) pinned: Vec<u32>,
}

pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) objects: BTreeMap<u32, Object>,
    pub(super) contexts: BTreeMap<u32, Context>,
    pub(super) queue: VecDeque<Job>,
    pub(super) next: VecDeque<Injection>,
    pub(super) every: Option<Injection>,
    pub(super) held: bool,
    pub(super) lost: bool,
    pub(super) stop: bool,
    pub(super) refusal: Option<String>,
    pub(super) fault: Option<Fault>,
    pub(super) counts: Counts,
    handles: u32,
    mappings: u64,
    own: u64,
    heap: Option<u32>,
    pieces: Arena,
}

impl State {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            objects: BTreeMap::new(),
            contexts: BTreeMap::new(),
            queue: VecDeque::new(),
            next: VecDeque::new(),
            every: None,
            held: false,
            lost: false,
            stop: false,
            refusal: None,
            fault: None,
            counts: Counts::default(),
            handles: 0,
            mappings: 1,
            own: OWN_BASE,
            heap: None,
            pieces: Arena::new(HEAP_UNIT),
        }
    }

    /// Refuses a call, with the words that the kernel's log would have.
    pub(super) fn refuse<T>(&mut self, errno: Errno, why: impl Into<String>) -> Result<T, Errno> {
        self.refusal = Some(why.into());
        Err(errno)
    }

    pub(super) fn handle(&mut self) -> u32 {
        self.handles += 1;
        self.handles
    }

    /// Makes a buffer object.
    pub(super) fn create(&mut self, kind: u32, size: u64) -> Result<u32, Errno> {
        let Ok(size) = usize::try_from(size) else { return self.refuse(Errno::EINVAL, "a size") };
        if size == 0 {
            return self.refuse(Errno::EINVAL, "a buffer of no bytes");
        }
        let mut device_address = NO_ADDRESS;
        match kind {
            BUFFER_HEAP if self.heap.is_some() => return self.refuse(Errno::EBUSY, "dev heap is already created"),
            BUFFER_HEAP if size % HEAP_UNIT != 0 => {
                return self.refuse(Errno::EINVAL, "dev heap size is no multiple of 64 MiB");
            }
            BUFFER_HEAP => device_address = HEAP_DEVICE_BASE,
            BUFFER_DEVICE if self.heap.is_none() => {
                return self.refuse(Errno::EINVAL, "client dev heap object not exist");
            }
            BUFFER_DEVICE => {
                let alignment = self.settings.heap_alignment;
                match self.pieces.take(size.next_multiple_of(alignment)) {
                    Some(range) => device_address = HEAP_DEVICE_BASE + range.start as u64,
                    None => return self.refuse(Errno::ENOSPC, "the dev heap is full"),
                }
            }
            BUFFER_SHARE if self.settings.addressing == Addressing::Own => {
                device_address = self.own;
                self.own += (size as u64).next_multiple_of(PAGE) + PAGE;
            }
            BUFFER_SHARE | BUFFER_COMMAND => {}
            other => return self.refuse(Errno::EINVAL, format!("buffer type {other}")),
        }
        let device = if matches!(kind, BUFFER_HEAP | BUFFER_SHARE) { vec![0; size.div_ceil(4)] } else { Vec::new() };
        let handle = self.handle();
        let map_offset = self.mappings * PAGE;
        self.mappings += 1 + size as u64 / PAGE;
        if kind == BUFFER_HEAP {
            self.heap = Some(handle);
        }
        self.objects.insert(handle, Object { kind, size, map_offset, device_address, host: None, device });
        Ok(handle)
    }

    /// Forgets a buffer object.
    pub(super) fn close(&mut self, handle: u32) -> Result<(), Errno> {
        let Some(object) = self.objects.remove(&handle) else { return self.refuse(Errno::EINVAL, "no such buffer") };
        match object.kind {
            BUFFER_DEVICE => {
                let start = (object.device_address - HEAP_DEVICE_BASE) as usize;
                let alignment = self.settings.heap_alignment;
                let length = object.size.next_multiple_of(alignment).next_multiple_of(crate::driver::arena::LINE);
                self.pieces.give(start..start + length);
            }
            BUFFER_HEAP => self.heap = None,
            _ => {}
        }
        Ok(())
    }

    /// Maps a buffer object for the host.
    pub(super) fn map(&mut self, offset: u64, length: usize, placement: Placement) -> Result<Memory, Errno> {
        if self.lost {
            return Err(Errno::ENODEV);
        }
        let found = self.objects.iter().find(|(_, object)| object.map_offset == offset).map(|(handle, _)| *handle);
        let Some(object) = found.and_then(|handle| self.objects.get_mut(&handle)) else {
            return self.refuse(Errno::EINVAL, "nothing to map at this offset");
        };
        if object.size != length || object.kind == BUFFER_DEVICE {
            return self.refuse(Errno::EINVAL, "this cannot be mapped so");
        }
        let alignment = match (object.kind, placement) {
            (BUFFER_HEAP, Placement::Aligned(alignment)) if alignment % HEAP_UNIT == 0 => alignment,
            (BUFFER_HEAP, _) => return self.refuse(Errno::EINVAL, "the dev heap is mapped at a multiple of 64 MiB"),
            (_, Placement::Aligned(alignment)) => alignment,
            (_, Placement::Anywhere) => PAGE as usize,
        };
        if object.kind == BUFFER_HEAP && length as u64 > self.settings.lock_limit {
            return self.refuse(Errno::EAGAIN, "more memory would be locked than is allowed");
        }
        let memory = Arc::new(Memory::allocated(length, alignment));
        object.host = Some(memory.clone());
        Ok(Memory::shared(memory))
    }

    /// Whether the heap is there and mapped.
    pub(super) fn heap_ready(&self) -> bool {
        self.heap.and_then(|heap| self.objects.get(&heap)).is_some_and(|heap| heap.host.is_some())
    }

    /// Copies between what the host sees and what the device sees.
    pub(super) fn sync(&mut self, handle: u32, direction: u32, offset: u64, size: u64) -> Result<(), Errno> {
        let Some(object) = self.objects.get(&handle) else { return self.refuse(Errno::ENOENT, "no such buffer") };
        let inside = offset.checked_add(size).is_some_and(|end| end <= object.size as u64);
        let (mut start, length) = (offset as usize, size as usize);
        let (kind, address) = (object.kind, object.device_address);
        if !inside {
            return self.refuse(Errno::EINVAL, "a range outside of its buffer");
        }
        // A piece of the heap is a part of the heap's memory.
        let holder = if kind == BUFFER_DEVICE { self.heap } else { Some(handle) };
        if kind == BUFFER_DEVICE {
            start += (address - HEAP_DEVICE_BASE) as usize;
        }
        if direction == SYNC_TO_DEVICE {
            self.counts.flushes += 1;
            self.counts.flushed += size;
        }
        let Some(object) = holder.and_then(|holder| self.objects.get_mut(&holder)) else {
            return self.refuse(Errno::EINVAL, "client dev heap object not exist");
        };
        let Some(host) = object.host.clone() else { return self.refuse(Errno::EINVAL, "a buffer that is not mapped") };
        let mut bytes = vec![0; length];
        if direction == SYNC_TO_DEVICE {
            host.read(start, &mut bytes);
            store(&mut object.device, start, &bytes);
        } else {
            load(&object.device, start, &mut bytes);
            host.write(start, &bytes);
        }
        Ok(())
    }

    /// Words of a command buffer. Driver and host are on the same side of the caches.
    pub(super) fn command_words(&self, handle: u32) -> Option<Vec<u32>> {
        let object = self.objects.get(&handle).filter(|object| object.kind == BUFFER_COMMAND)?;
        let host = object.host.as_ref()?;
        Some((0..object.size / 4).map(|word| host.word(word * 4)).collect())
    }

    /// Writes into a command buffer how it ended.
    pub(super) fn end_command(&self, handle: u32, state: CommandState, health: Option<Health>) {
        let Some(host) = self.objects.get(&handle).and_then(|object| object.host.as_ref()) else { return };
        let header = host.word(0) & !0xF | state.number();
        host.write(0, &header.to_ne_bytes());
        if let Some(health) = health {
            let report: Vec<u8> = health.write().iter().flat_map(|word| word.to_ne_bytes()).collect();
            host.write(4, &report);
        }
    }

    /// Writes into a chain which of its commands failed.
    pub(super) fn end_chain(&self, handle: u32, member: usize) {
        if let Some(host) = self.objects.get(&handle).and_then(|object| object.host.as_ref()) {
            host.write(12, &(member as u32).to_ne_bytes());
        }
    }

    /// What the device sees of the heap.
    pub(super) fn heap_words(&self) -> &[u32] {
        self.heap.and_then(|heap| self.objects.get(&heap)).map_or(&[], |heap| &heap.device)
    }

    /// The shared buffer in which an address lies, and the word at which it does.
    pub(super) fn find(&self, address: u64, among: &[u32]) -> Option<(u32, usize)> {
        among.iter().find_map(|handle| {
            let object = self.objects.get(handle).filter(|object| object.kind == BUFFER_SHARE)?;
            let start = match object.device_address {
                NO_ADDRESS => object.host.as_ref()?.address(),
                own => own,
            };
            let offset = address.checked_sub(start).filter(|offset| *offset < object.size as u64)?;
            Some((*handle, usize::try_from(offset / 4).ok()?))
        })
    }
}

/// Puts bytes into words, from a byte on.
fn store(words: &mut [u32], start: usize, bytes: &[u8]) {
    for (place, byte) in (start..).zip(bytes) {
        let shift = 8 * (place % 4);
        let word = &mut words[place / 4];
        *word = *word & !(0xFF << shift) | u32::from(*byte) << shift;
    }
}

/// Takes bytes out of words.
fn load(words: &[u32], start: usize, bytes: &mut [u8]) {
    for (place, byte) in (start..).zip(bytes) {
        *byte = (words[place / 4] >> (8 * (place % 4))) as u8;
    }
}
