//! Memory that the host and the device both use. The caches are not coherent: what the host wrote is flushed before a command
//! that reads it, and what the device wrote is looked for in memory and not in the caches. A buffer keeps both in mind itself.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::DriverError;
use super::heap::Slot;
use super::life::Life;
use super::object::Object;
use crate::uapi::{SYNC_FROM_DEVICE, SYNC_TO_DEVICE};

/// Ranges that are kept apart. With more, one range around all of them is flushed.
const RANGES: usize = 8;

/// A buffer of one context. It can outlive the context, but not be used any more then.
pub struct Buffer {
    pub(super) part: Arc<Part>,
}

/// What a buffer and the commands that use it share.
pub(super) struct Part {
    pub(super) object: Arc<Object>,
    /// First byte in the object, and bytes.
    start: usize,
    length: usize,
    pub(super) life: Life,
    marks: Mutex<Marks>,
    /// Commands under way that use it.
    users: AtomicUsize,
    /// The room in the heap that goes back with it.
    _slot: Option<Slot>,
}

/// What the caches may hold.
#[derive(Debug, Default)]
struct Marks {
    /// Written by the host and not flushed.
    dirty: Vec<Range<usize>>,
    /// Perhaps written by the device since it was read.
    stale: bool,
}

impl Marks {
    fn add(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if let Some(last) = self.dirty.last_mut().filter(|last| last.start <= range.end && range.start <= last.end) {
            *last = last.start.min(range.start)..last.end.max(range.end);
            return;
        }
        self.dirty.push(range);
        if self.dirty.len() > RANGES {
            let start = self.dirty.iter().map(|range| range.start).min();
            let end = self.dirty.iter().map(|range| range.end).max();
            self.dirty.clear();
            self.dirty.extend(start.zip(end).map(|(start, end)| start..end));
        }
    }
}

impl Buffer {
    /// All of an object.
    pub(super) fn whole(object: Object, life: Life) -> Self {
        let length = object.size;
        Self::new(Arc::new(object), 0, length, life, None)
    }

    /// A piece of the heap.
    pub(super) fn slot(slot: Slot, length: usize, life: Life) -> Self {
        let (object, start) = (slot.object.clone(), slot.range.start);
        Self::new(object, start, length, life, Some(slot))
    }

    fn new(object: Arc<Object>, start: usize, length: usize, life: Life, slot: Option<Slot>) -> Self {
        let (marks, users) = (Mutex::default(), AtomicUsize::new(0));
        Self { part: Arc::new(Part { object, start, length, life, marks, users, _slot: slot }) }
    }

    /// Bytes.
    #[allow(clippy::len_without_is_empty, reason = "a buffer is never empty")]
    pub fn len(&self) -> usize {
        self.part.length
    }

    /// What the device calls its first byte.
    pub fn device_address(&self) -> u64 {
        self.part.device_address()
    }

    /// The context it belongs to.
    pub fn generation(&self) -> u64 {
        self.part.life.generation()
    }

    /// Writes bytes, from one of its bytes on. They are flushed before the next command that uses it.
    pub fn write(&self, at: usize, bytes: &[u8]) -> Result<(), DriverError> {
        let range = self.part.range(at, bytes.len())?;
        // A line that is partly old would be written back over what the device wrote.
        self.part.refresh()?;
        self.part.object.write(self.part.start + at, bytes)?;
        self.part.marks().add(range);
        Ok(())
    }

    /// Reads bytes, after looking for what the device wrote.
    pub fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), DriverError> {
        self.part.range(at, bytes.len())?;
        self.part.refresh()?;
        self.part.object.read(self.part.start + at, bytes)
    }

    /// Writes words.
    pub fn write_words(&self, at: usize, words: &[u32]) -> Result<(), DriverError> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.write(at, &bytes)
    }

    /// Reads words.
    pub fn read_words(&self, at: usize, count: usize) -> Result<Vec<u32>, DriverError> {
        let mut bytes = vec![0; count.saturating_mul(4).min(self.len())];
        self.part.range(at, count.saturating_mul(4))?;
        self.read(at, &mut bytes)?;
        Ok(bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
    }

    /// Fills it with a word, so that what is never written can be told.
    pub fn fill(&self, word: u32) -> Result<(), DriverError> {
        let bytes: Vec<u8> = word.to_le_bytes().into_iter().cycle().take(self.len()).collect();
        self.write(0, &bytes)
    }

    /// Flushes what the host wrote. Submitting a command does so for what the command uses.
    pub fn flush(&self) -> Result<(), DriverError> {
        self.part.flush()
    }

    /// Bytes that a flush would write back now.
    pub fn dirty(&self) -> usize {
        self.part.marks().dirty.iter().map(Range::len).sum()
    }
}

impl Part {
    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn device_address(&self) -> u64 {
        self.object.device_address.wrapping_add(self.start as u64)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The range, if it lies inside and may be touched now.
    fn range(&self, at: usize, length: usize) -> Result<Range<usize>, DriverError> {
        self.life.check()?;
        let end = at.checked_add(length).filter(|end| *end <= self.length);
        let end = end.ok_or(DriverError::Outside { at, length, size: self.length })?;
        if self.users.load(Ordering::Acquire) > 0 {
            return Err(DriverError::InUse { size: self.length });
        }
        Ok(at..end)
    }

    /// Forgets what the caches hold, if the device may have written since.
    fn refresh(&self) -> Result<(), DriverError> {
        let mut marks = self.marks();
        if marks.stale {
            self.object.sync(SYNC_FROM_DEVICE, self.start, self.length)?;
            marks.stale = false;
        }
        Ok(())
    }

    pub(super) fn flush(&self) -> Result<(), DriverError> {
        self.life.check()?;
        let mut marks = self.marks();
        while let Some(range) = marks.dirty.last().cloned() {
            self.object.sync(SYNC_TO_DEVICE, self.start + range.start, range.len())?;
            marks.dirty.pop();
        }
        Ok(())
    }

    /// A command begins to use it.
    pub(super) fn begin(&self) {
        self.users.fetch_add(1, Ordering::AcqRel);
    }

    /// A command does not use it any more.
    pub(super) fn end(&self, written: bool) {
        self.marks().stale |= written;
        self.users.fetch_sub(1, Ordering::AcqRel);
    }
}
