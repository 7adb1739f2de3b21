//! The device heap: 64 MiB of locked memory at an address that is a multiple of 64 MiB, in which firmware finds overlays and
//! instruction streams.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::arena::Arena;
use super::device::{Device, Link};
use super::error::DriverError;
use super::object::Object;
use crate::uapi::{BUFFER_HEAP, HEAP_UNIT, IMAGE_ALIGNMENT};

/// Instruction streams are 2 to 20 KB, and the driver gives out multiples of 32 KiB: they share pieces of this size.
const PIECE: usize = 1 << 20;

/// The heap of a device. It must exist before a context can be made.
#[derive(Clone)]
pub struct Heap {
    shared: Arc<Shared>,
}

struct Shared {
    object: Arc<Object>,
    pieces: Mutex<Vec<Piece>>,
}

/// A piece of the heap that several streams share.
struct Piece {
    object: Arc<Object>,
    arena: Arena,
}

impl Heap {
    /// Makes the heap and maps it (step 2 of [`run_once`](super::run_once)). A device has one at a time.
    pub fn create(device: &Device) -> Result<Self, DriverError> {
        let object = Arc::new(Object::own(&device.link, BUFFER_HEAP, HEAP_UNIT)?);
        Ok(Self { shared: Arc::new(Shared { object, pieces: Mutex::default() }) })
    }

    /// The device that it is of.
    pub(super) fn link(&self) -> Arc<Link> {
        self.shared.object.link.clone()
    }

    /// Bytes.
    pub fn size(&self) -> usize {
        self.shared.object.size
    }

    /// Bytes free in the pieces that streams share. More pieces are made when they are needed.
    pub fn free(&self) -> usize {
        self.shared.pieces().iter().map(|piece| piece.arena.free().0).sum()
    }

    /// An overlay in a piece of its own, because compute units name it by handle.
    pub(super) fn image(&self, bytes: &[u8]) -> Result<Object, DriverError> {
        let object = Object::in_heap(&self.shared.object, bytes.len().next_multiple_of(4).max(4))?;
        if object.device_address % IMAGE_ALIGNMENT != 0 {
            let rule = "a multiple of 32 KiB is needed, because firmware gets the address without its low 15 bits";
            return Err(DriverError::Misplaced { what: "an overlay", address: object.device_address, rule });
        }
        object.write(0, bytes)?;
        object.sync(crate::uapi::SYNC_TO_DEVICE, 0, object.size)?;
        Ok(object)
    }

    /// Room for a stream.
    pub(super) fn take(&self, bytes: usize) -> Result<Slot, DriverError> {
        let mut pieces = self.shared.pieces();
        for piece in pieces.iter_mut() {
            if let Some(range) = piece.arena.take(bytes) {
                return Ok(Slot { object: piece.object.clone(), range, heap: self.shared.clone() });
            }
        }
        let size = bytes.max(PIECE).next_multiple_of(IMAGE_ALIGNMENT as usize);
        let full = |pieces: &[Piece]| {
            let free = pieces.iter().map(|piece| piece.arena.free());
            let (free, count) = free.fold((0, 0), |(bytes, count), (more, pieces)| (bytes + more, count + pieces));
            DriverError::HeapFull { wanted: bytes, free, size: self.shared.object.size, pieces: count }
        };
        if size > self.shared.object.size {
            return Err(full(&pieces));
        }
        let object = match Object::in_heap(&self.shared.object, size) {
            Ok(object) => Arc::new(object),
            Err(lost @ DriverError::Lost { .. }) => return Err(lost),
            Err(_) => return Err(full(&pieces)),
        };
        let mut arena = Arena::new(size);
        let range = arena.take(bytes).ok_or_else(|| full(&pieces))?;
        pieces.push(Piece { object: object.clone(), arena });
        Ok(Slot { object, range, heap: self.shared.clone() })
    }
}

impl Shared {
    fn pieces(&self) -> MutexGuard<'_, Vec<Piece>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream's room, given back when it is dropped.
pub(super) struct Slot {
    pub(super) object: Arc<Object>,
    pub(super) range: Range<usize>,
    heap: Arc<Shared>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut pieces = self.heap.pieces();
        if let Some(place) = pieces.iter().position(|piece| Arc::ptr_eq(&piece.object, &self.object)) {
            pieces[place].arena.give(self.range.clone());
            // The last piece stays, so that one stream made again and again does not make a piece each time.
            if pieces.len() > 1 && pieces[place].arena.is_empty() {
                pieces.swap_remove(place);
            }
        }
    }
}
