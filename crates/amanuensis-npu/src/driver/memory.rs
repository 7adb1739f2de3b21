//! Memory that somebody else writes into as well: a device, or a fake of one. It is touched through atomics, so that nobody
//! holds a reference to bytes that change under it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Bytes of a word that is copied at once.
const WORD: usize = 8;

/// A stretch of memory with a fixed address. All of it is readable and writable for as long as the value lives.
pub(crate) struct Memory {
    base: *mut u8,
    length: usize,
    release: Box<dyn Fn() + Send + Sync>,
}

// SAFETY: `base` is only used to make atomics of what it points to, and those may be shared between threads.
unsafe impl Send for Memory {}
// SAFETY: as above; every access is an atomic one.
unsafe impl Sync for Memory {}

impl Memory {
    /// Takes over memory that lies somewhere.
    ///
    /// # Safety
    /// `length` bytes at `base` are readable and writable until `release` was called, which gives them back, and no Rust
    /// reference to them exists in that time. `base` is a multiple of eight.
    #[cfg(target_os = "linux")]
    pub(super) unsafe fn taken(base: *mut u8, length: usize, release: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { base, length, release }
    }

    /// Zeros at a multiple of `alignment`, from the allocator.
    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn allocated(length: usize, alignment: usize) -> Self {
        // A zeroed vector costs nothing until it is touched, even where it is much larger than what is used of it.
        let words = vec![0u64; (length + alignment).div_ceil(WORD)].into_boxed_slice();
        let count = words.len();
        let first: *mut u64 = Box::into_raw(words).cast();
        let before = first.align_offset(alignment.max(WORD));
        let address = first.expose_provenance();
        let release = move || {
            let words =
                std::ptr::slice_from_raw_parts_mut(std::ptr::with_exposed_provenance_mut::<u64>(address), count);
            // SAFETY: these are the words of the box above, given back once, when the memory is dropped.
            drop(unsafe { Box::from_raw(words) });
        };
        Self { base: first.wrapping_add(before).cast(), length, release: Box::new(release) }
    }

    /// The same memory for somebody else, who keeps it from being given back.
    #[cfg(any(test, feature = "fake-driver"))]
    pub(super) fn shared(memory: std::sync::Arc<Self>) -> Self {
        Self { base: memory.base, length: memory.length, release: Box::new(move || _ = &memory) }
    }

    /// Its bytes.
    #[cfg(test)]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Where it lies.
    pub(crate) fn address(&self) -> u64 {
        self.base as u64
    }

    /// Copies out of it. The caller has checked the range.
    pub(crate) fn read(&self, at: usize, bytes: &mut [u8]) {
        let (head, words, tail) = self.cells(at, bytes.len());
        let (first, rest) = bytes.split_at_mut(head.len());
        let (middle, last) = rest.split_at_mut(words.len() * WORD);
        for (byte, cell) in first.iter_mut().zip(head).chain(last.iter_mut().zip(tail)) {
            *byte = cell.load(Relaxed);
        }
        for (place, cell) in middle.chunks_exact_mut(WORD).zip(words) {
            place.copy_from_slice(&cell.load(Relaxed).to_ne_bytes());
        }
    }

    /// Copies into it. The caller has checked the range.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
        let (head, words, tail) = self.cells(at, bytes.len());
        let (first, rest) = bytes.split_at(head.len());
        let (middle, last) = rest.split_at(words.len() * WORD);
        for (byte, cell) in first.iter().zip(head).chain(last.iter().zip(tail)) {
            cell.store(*byte, Relaxed);
        }
        for (place, cell) in middle.chunks_exact(WORD).zip(words) {
            let mut word = [0; WORD];
            word.copy_from_slice(place);
            cell.store(u64::from_ne_bytes(word), Relaxed);
        }
    }

    /// One 32-bit word of it, at a multiple of four.
    pub(crate) fn word(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        self.read(at, &mut bytes);
        u32::from_ne_bytes(bytes)
    }

    /// The bytes of a range as cells: single ones up to a multiple of eight, words, and single ones for what is left.
    fn cells(&self, at: usize, length: usize) -> (&[AtomicU8], &[AtomicU64], &[AtomicU8]) {
        assert!(
            at.checked_add(length).is_some_and(|end| end <= self.length),
            "a range is checked before memory is touched"
        );
        let head = length.min(at.wrapping_neg() % WORD);
        let words = (length - head) / WORD;
        let tail = length - head - words * WORD;
        // SAFETY: the range lies in the memory, which is readable and writable and to which no references exist. Atomics have
        // the size of what they hold. Where there are words, the first of them is at a multiple of eight, because `base` is.
        unsafe {
            let start = self.base.add(at);
            let middle =
                if words == 0 { &[] } else { std::slice::from_raw_parts(start.add(head).cast::<AtomicU64>(), words) };
            let first = std::slice::from_raw_parts(start.cast::<AtomicU8>(), head);
            let last = std::slice::from_raw_parts(start.add(head + words * WORD).cast::<AtomicU8>(), tail);
            (first, middle, last)
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        (self.release)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_every_place() {
        let memory = Memory::allocated(100, 64);
        assert_eq!((memory.address() % 64, memory.length()), (0, 100));
        let bytes: Vec<u8> = (1..=40).collect();
        for at in 0..20 {
            for length in 0..40 {
                memory.write(at, &bytes[..length]);
                let mut back = vec![0; length];
                memory.read(at, &mut back);
                assert_eq!(back, bytes[..length], "{length} bytes at {at}");
            }
        }
        let mut untouched = [9; 30];
        memory.read(70, &mut untouched);
        assert_eq!(untouched, [0; 30]);
    }

    #[test]
    #[should_panic(expected = "a range is checked")]
    fn nothing_outside_is_touched() {
        Memory::allocated(8, 8).write(4, &[0; 5]);
    }
}
