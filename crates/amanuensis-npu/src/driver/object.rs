//! Buffer objects as the kernel knows them: made, mapped, synchronised, given back.

use std::sync::Arc;

use super::device::Link;
use super::error::DriverError;
use super::kernel::Placement;
use super::memory::Memory;
use crate::uapi::{self, BUFFER_DEVICE, BUFFER_HEAP, HEAP_DEVICE_BASE, HEAP_UNIT, NO_ADDRESS};

/// One buffer object. The kernel gets it back when nobody holds it any more.
pub(super) struct Object {
    pub(super) link: Arc<Link>,
    pub(super) handle: u32,
    pub(super) size: usize,
    /// What the device calls its first byte.
    pub(super) device_address: u64,
    place: Place,
}

/// Where the host finds it.
enum Place {
    /// In a mapping of its own.
    Own(Memory),
    /// In the mapping of the heap, from a byte on.
    Heap(Arc<Object>, usize),
}

impl Object {
    /// Makes one with a mapping of its own: the heap, shared pages, a command.
    pub(super) fn own(link: &Arc<Link>, kind: u32, size: usize) -> Result<Self, DriverError> {
        let (handle, info) = create(link, kind, size)?;
        let placement = if kind == BUFFER_HEAP { Placement::Aligned(HEAP_UNIT) } else { Placement::Anywhere };
        let memory = link.kernel.map(info.map_offset, size, placement).map_err(|errno| {
            close(link, handle);
            let hint = match kind {
                BUFFER_HEAP => {
                    "; the limit of locked memory is probably too low (it looks as if hardware were missing): set LimitMEMLOCK=infinity or `ulimit -l unlimited`"
                }
                _ => "",
            };
            DriverError::hinted("mmap", errno, "mapping a buffer", hint)
        })?;
        // Without an address of its own the device uses the process's.
        let device_address = if info.device_address == NO_ADDRESS { memory.address() } else { info.device_address };
        Ok(Self { link: link.clone(), handle, size, device_address, place: Place::Own(memory) })
    }

    /// Makes a piece of the heap.
    pub(super) fn in_heap(heap: &Arc<Self>, size: usize) -> Result<Self, DriverError> {
        let link = heap.link.clone();
        let (handle, info) = create(&link, BUFFER_DEVICE, size)?;
        let device_address = info.device_address;
        let start = device_address.checked_sub(HEAP_DEVICE_BASE).and_then(|start| usize::try_from(start).ok());
        match start.filter(|start| start.checked_add(size).is_some_and(|end| end <= heap.size)) {
            Some(start) => Ok(Self { link, handle, size, device_address, place: Place::Heap(heap.clone(), start) }),
            None => {
                close(&link, handle);
                let rule = "it should lie in the device heap";
                Err(DriverError::Misplaced { what: "a piece of the heap", address: device_address, rule })
            }
        }
    }

    /// The memory it lies in, and its first byte there.
    fn memory(&self) -> (&Memory, usize) {
        match &self.place {
            Place::Own(memory) => (memory, 0),
            Place::Heap(heap, start) => (heap.memory().0, *start),
        }
    }

    fn inside(&self, at: usize, length: usize) -> Result<(), DriverError> {
        match at.checked_add(length) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(DriverError::Outside { at, length, size: self.size }),
        }
    }

    pub(super) fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), DriverError> {
        self.inside(at, bytes.len())?;
        let (memory, start) = self.memory();
        memory.read(start + at, bytes);
        Ok(())
    }

    pub(super) fn write(&self, at: usize, bytes: &[u8]) -> Result<(), DriverError> {
        self.inside(at, bytes.len())?;
        let (memory, start) = self.memory();
        memory.write(start + at, bytes);
        Ok(())
    }

    /// Words of it, from a byte on that is a multiple of four.
    pub(super) fn words(&self, at: usize, count: usize) -> Result<Vec<u32>, DriverError> {
        self.inside(at, count * 4)?;
        let (memory, start) = self.memory();
        Ok((0..count).map(|word| memory.word(start + at + word * 4)).collect())
    }

    /// Writes back or discards what the caches hold of a range.
    pub(super) fn sync(&self, direction: u32, at: usize, length: usize) -> Result<(), DriverError> {
        self.inside(at, length)?;
        let (offset, size) = (at as u64, length as u64);
        let mut argument = uapi::SyncBuffer { handle: self.handle, direction, offset, size };
        self.link
            .call(uapi::SYNC_BUFFER, &mut argument, &mut [])
            .map_err(|errno| DriverError::call("SYNC_BO", errno, "synchronising a buffer"))
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        close(&self.link, self.handle);
    }
}

fn create(link: &Link, kind: u32, size: usize) -> Result<(u32, uapi::BufferInfo), DriverError> {
    let mut made = uapi::CreateBuffer { size: size as u64, kind, ..Default::default() };
    link.call(uapi::CREATE_BUFFER, &mut made, &mut [])
        .map_err(|errno| DriverError::call("CREATE_BO", errno, "making a buffer"))?;
    let mut info = uapi::BufferInfo { handle: made.handle, ..Default::default() };
    if let Err(errno) = link.call(uapi::BUFFER_INFO, &mut info, &mut []) {
        close(link, made.handle);
        return Err(DriverError::call("GET_BO_INFO", errno, "asking where a buffer is"));
    }
    Ok((made.handle, info))
}

/// Gives a buffer back. There is nobody to tell when that fails, and nothing to do about it.
fn close(link: &Link, handle: u32) {
    let _ = link.call(uapi::CLOSE_BUFFER, &mut uapi::CloseBuffer { handle, pad: 0 }, &mut []);
}
