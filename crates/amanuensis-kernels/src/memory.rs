//! Memory: aligned buffers for vectors and read-only maps of files.

use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};

/// What every buffer is aligned to: a cache line.
const LINE: usize = 64;

/// From this size on a buffer is mapped on its own and asks for huge pages: with 4 KB pages the first touch of the
/// weights of a model costs more than packing them, and every kernel pays for page walks afterwards.
const HUGE: usize = 2 << 20;

/// Address space of a [`Shelf`], which takes memory as it fills.
const SHELF: usize = 32 << 20;

/// Numbers for which all-zero bytes are a value and every byte is initialised.
///
/// # Safety
/// The type must be valid for all bit patterns, without padding, need no drop, and have an alignment of at most 64.
pub unsafe trait Number: Copy + Send + Sync + 'static {}
// SAFETY: plain machine numbers, any bits are a value.
unsafe impl Number for f32 {}
// SAFETY: as above.
unsafe impl Number for u8 {}
// SAFETY: as above.
unsafe impl Number for i8 {}
// SAFETY: as above.
unsafe impl Number for u16 {}
// SAFETY: as above.
unsafe impl Number for i32 {}
// SAFETY: as above.
unsafe impl Number for u32 {}
// SAFETY: a transparent u16.
unsafe impl Number for half::f16 {}

enum Storage {
    /// Bytes of the heap, used from the first cache line on. Large ones take memory where they are touched.
    Heap { bytes: Vec<u8>, offset: usize },
    /// A huge page or more, used from the first one on.
    Mapped { map: MmapMut, offset: usize },
    /// A part of a map that others have their parts of.
    Shelved { shelf: Arc<Shelved>, offset: usize },
}

/// A map whose parts are handed out once each, so that nobody but the part's owner reads or writes it.
struct Shelved {
    start: *mut u8,
    _map: MmapMut,
}

// SAFETY: the pointer is used by the owners of disjoint parts alone, each as if the part were its own memory.
unsafe impl Send for Shelved {}
// SAFETY: as above.
unsafe impl Sync for Shelved {}

/// Memory for many buffers of one purpose, which live about as long as each other: they share huge pages, that each of
/// them is too small for. The memory is given back when the last of them is gone.
#[derive(Default)]
pub(crate) struct Shelf {
    shelf: Option<Arc<Shelved>>,
    used: usize,
}

impl Shelf {
    /// `length` zeros; on the shelf if they take less than half of one.
    pub(crate) fn zeroed<T: Number>(&mut self, length: usize) -> AlignedBuffer<T> {
        let bytes = length.saturating_mul(size_of::<T>()).next_multiple_of(LINE);
        if bytes > SHELF / 2 {
            return AlignedBuffer::zeroed(length);
        }
        if self.shelf.is_none() || self.used + bytes > SHELF {
            let Some((mut map, offset)) = map_huge(SHELF) else { return AlignedBuffer::zeroed(length) };
            let start = map[offset..].as_mut_ptr();
            *self = Shelf { shelf: Some(Arc::new(Shelved { start, _map: map })), used: 0 };
        }
        let Some(shelf) = self.shelf.clone() else { return AlignedBuffer::zeroed(length) };
        let offset = self.used;
        self.used += bytes;
        AlignedBuffer { storage: Storage::Shelved { shelf, offset }, length, number: PhantomData }
    }
}

/// A zeroed run of numbers on 64-byte boundaries; large ones ask the kernel for huge pages.
pub struct AlignedBuffer<T> {
    storage: Storage,
    length: usize,
    number: PhantomData<T>,
}

impl<T: Number> AlignedBuffer<T> {
    /// `length` zeros.
    pub fn zeroed(length: usize) -> AlignedBuffer<T> {
        let bytes = length.checked_mul(size_of::<T>()).expect("a buffer cannot be larger than the address space");
        let mapped = if bytes < HUGE { None } else { map_huge(bytes) };
        let storage = match mapped {
            Some((map, offset)) => Storage::Mapped { map, offset },
            None => {
                let bytes = vec![0; bytes.checked_add(LINE).expect("a buffer cannot be larger than the address space")];
                // Nothing but an interpreter of Rust leaves a pointer unaligned.
                let offset = bytes.as_ptr().align_offset(LINE);
                assert!(offset <= LINE, "the heap has no cache lines");
                Storage::Heap { bytes, offset }
            }
        };
        AlignedBuffer { storage, length, number: PhantomData }
    }

    /// A copy of `numbers`.
    pub fn copy_of(numbers: &[T]) -> AlignedBuffer<T> {
        let mut buffer = AlignedBuffer::zeroed(numbers.len());
        buffer.copy_from_slice(numbers);
        buffer
    }

    /// Make room for at least `length` numbers; what it held before is lost when it has to grow.
    pub fn ensure(&mut self, length: usize) -> &mut [T] {
        if self.length < length {
            *self = AlignedBuffer::zeroed(length);
        }
        &mut self[..length]
    }
}

/// An anonymous map, and where its first huge page begins: `bytes` follow from there. None if the system refuses.
fn map_huge(bytes: usize) -> Option<(MmapMut, usize)> {
    let map = MmapMut::map_anon(bytes.checked_add(HUGE)?).ok()?;
    let offset = map.as_ptr().align_offset(HUGE);
    if offset > HUGE {
        return None;
    }
    // Only advice: a system without transparent huge pages works, a little slower.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Some((map, offset))
}

impl<T: Number> Deref for AlignedBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let start = match &self.storage {
            Storage::Heap { bytes, offset } => bytes[*offset..].as_ptr().cast::<T>(),
            Storage::Mapped { map, offset } => map[*offset..].as_ptr().cast::<T>(),
            Storage::Shelved { shelf, offset } => shelf.start.cast_const().wrapping_add(*offset).cast::<T>(),
        };
        // SAFETY: the storage holds at least `length` numbers from `start`, aligned to 64 bytes, initialised to zero or
        // written as T, and borrowed as long as self; any bits are a T. A part of a shelf is this buffer's alone.
        unsafe { std::slice::from_raw_parts(start, self.length) }
    }
}

impl<T: Number> DerefMut for AlignedBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let start = match &mut self.storage {
            Storage::Heap { bytes, offset } => bytes[*offset..].as_mut_ptr().cast::<T>(),
            Storage::Mapped { map, offset } => map[*offset..].as_mut_ptr().cast::<T>(),
            Storage::Shelved { shelf, offset } => shelf.start.wrapping_add(*offset).cast::<T>(),
        };
        // SAFETY: as in deref, and self is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(start, self.length) }
    }
}

impl<T: Number> Default for AlignedBuffer<T> {
    fn default() -> Self {
        AlignedBuffer::zeroed(0)
    }
}

impl<T: Number> Clone for AlignedBuffer<T> {
    fn clone(&self) -> Self {
        AlignedBuffer::copy_of(self)
    }
}

impl<T> std::fmt::Debug for AlignedBuffer<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AlignedBuffer({} x {})", self.length, std::any::type_name::<T>())
    }
}

/// The bytes of a file: mapped read-only where the system can, read otherwise.
#[derive(Debug)]
pub struct MappedFile {
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Mapped { map: Mmap, file: File },
    Read(Vec<u8>),
}

impl MappedFile {
    /// Open `path` and map it; an empty file, or one that cannot be mapped (a pipe), is read instead.
    pub fn open(path: &Path) -> io::Result<MappedFile> {
        let mut file = File::open(path)?;
        // SAFETY: the map is read-only and private. Rust's rule that the bytes behind a shared slice do not change
        // rests on nobody truncating or rewriting the file meanwhile, which no process can prevent; model files are
        // replaced by renaming, and this is the one place that relies on it.
        if let Ok(map) = unsafe { Mmap::map(&file) }
            && !map.is_empty()
        {
            return Ok(MappedFile { bytes: Bytes::Mapped { map, file } });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(MappedFile { bytes: Bytes::Read(bytes) })
    }

    /// Copy `part`, a part of this file, to `into`, without the map where the system can: of a map every page that is
    /// touched has to be entered into the memory of the process, and counts as such until it is let go.
    ///
    /// # Panics
    /// When `part` is not one of this file, or not as long as `into`.
    pub(crate) fn copy(&self, part: &[u8], into: &mut [u8]) {
        assert_eq!(part.len(), into.len(), "a part of another length");
        #[cfg(unix)]
        if let Bytes::Mapped { map, file } = &self.bytes {
            use std::os::unix::fs::FileExt;
            if file.read_exact_at(into, offset_in(map, part) as u64).is_ok() {
                return;
            }
        }
        into.copy_from_slice(part);
    }

    /// Let go of the memory that holds what was read of the map. The bytes stay what they are and can be read again.
    pub fn release(&self) {
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped { map, .. } = &self.bytes {
            // Only advice: a system that keeps the pages works with more memory.
            // SAFETY: the map is of a file, shared and never written through, so the pages that are let go come back with
            // the same bytes when they are read next, by whoever reads them now too.
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}

/// Where `part` begins in `whole`.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    assert!(whole.start <= part.start && part.end <= whole.end, "the bytes are not a part of the file");
    part.start.addr() - whole.start.addr()
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped { map, .. } => map,
            Bytes::Read(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_zeroed_and_grow() {
        for length in [0, 1, 15, 1000, HUGE / 4, HUGE / 4 + 1] {
            let mut buffer = AlignedBuffer::<f32>::zeroed(length);
            assert_eq!(buffer.as_ptr().align_offset(64), 0);
            assert_eq!(buffer.len(), length);
            assert!(buffer.iter().all(|&x| x == 0.0));
            buffer.fill(1.0);
            assert_eq!(buffer.clone().iter().sum::<f32>(), length as f32);
            assert!(buffer.ensure(length + 7).len() == length + 7);
        }
    }

    #[test]
    fn parts_of_a_shelf_are_apart_and_outlive_it() {
        let mut shelf = Shelf::default();
        let lengths = [1, 0, 1000, SHELF / 8, SHELF / 8 + 1, SHELF / 16, 77, SHELF / 9];
        let mut buffers: Vec<AlignedBuffer<f32>> = lengths.iter().map(|length| shelf.zeroed(*length)).collect();
        drop(shelf);
        for (number, buffer) in buffers.iter_mut().enumerate() {
            assert_eq!(buffer.as_ptr().align_offset(LINE), 0);
            assert!(buffer.iter().all(|x| *x == 0.0));
            buffer.fill(number as f32);
        }
        for (number, (buffer, length)) in buffers.iter().zip(lengths).enumerate() {
            assert_eq!(buffer.len(), length);
            assert!(buffer.iter().all(|x| *x == number as f32));
        }
    }

    #[test]
    fn files_are_mapped_or_read() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let mapped = MappedFile::open(&here).unwrap();
        assert_eq!(&mapped[..], std::fs::read(&here).unwrap());
        mapped.release();
        assert_eq!(&mapped[..], std::fs::read(&here).unwrap());
        let mut copy = vec![0; mapped.len() - 3];
        mapped.copy(&mapped[3..], &mut copy);
        assert_eq!(copy, mapped[3..]);
        assert!(MappedFile::open(Path::new("/no/such/file")).is_err());
        #[cfg(target_os = "linux")]
        assert!(MappedFile::open(Path::new("/proc/self/status")).unwrap().len() > 10);
    }
}
