//! Memory: aligned buffers for vectors and read-only maps of files.

use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use memmap2::{Mmap, MmapMut};

/// A cache line: the unit every buffer is aligned to.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// From this size on a buffer is mapped on its own and asks for huge pages: with 4 KB pages the first touch of the
/// weights of a model costs more than packing them, and every kernel pays for page walks afterwards.
const HUGE: usize = 2 << 20;

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
    Lines(Vec<Line>),
    Mapped { map: MmapMut, offset: usize },
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
        let storage = mapped(bytes).unwrap_or_else(|| Storage::Lines(vec![Line([0; 64]); bytes.div_ceil(64)]));
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

/// An anonymous map for a large buffer, starting on a huge page, or nothing: small, or the system refused.
fn mapped(bytes: usize) -> Option<Storage> {
    if bytes < HUGE {
        return None;
    }
    let map = MmapMut::map_anon(bytes.checked_add(HUGE)?).ok()?;
    let offset = map.as_ptr().align_offset(HUGE);
    if offset > HUGE {
        return None;
    }
    // Only advice: a system without transparent huge pages works, a little slower.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Some(Storage::Mapped { map, offset })
}

impl<T: Number> Deref for AlignedBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let start = match &self.storage {
            Storage::Lines(lines) => lines.as_ptr().cast::<T>(),
            Storage::Mapped { map, offset } => map[*offset..].as_ptr().cast::<T>(),
        };
        // SAFETY: the storage holds at least `length` numbers from `start`, aligned to 64 bytes, initialised to zero or
        // written as T, and borrowed as long as self; any bits are a T.
        unsafe { std::slice::from_raw_parts(start, self.length) }
    }
}

impl<T: Number> DerefMut for AlignedBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let start = match &mut self.storage {
            Storage::Lines(lines) => lines.as_mut_ptr().cast::<T>(),
            Storage::Mapped { map, offset } => map[*offset..].as_mut_ptr().cast::<T>(),
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
    Mapped(Mmap),
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
            return Ok(MappedFile { bytes: Bytes::Mapped(map) });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(MappedFile { bytes: Bytes::Read(bytes) })
    }

    /// Let go of the memory that holds `part`, a part of this file: what has been read of a map counts as memory of the
    /// process until it ends. The bytes stay what they are and can be read again.
    ///
    /// # Panics
    /// When `part` is not one of this file.
    pub fn release(&self, part: &[u8]) {
        let Bytes::Mapped(map) = &self.bytes else { return };
        if part.is_empty() {
            return;
        }
        let within = map.as_ptr_range().start <= part.as_ptr() && part.as_ptr_range().end <= map.as_ptr_range().end;
        assert!(within, "these {} bytes are not a part of the file", part.len());
        // SAFETY: the map is of a file, shared and never written through, so the pages that are let go come back with the
        // same bytes when they are read next, by whoever reads them now too.
        #[cfg(target_os = "linux")]
        unsafe {
            let offset = part.as_ptr().addr() - map.as_ptr().addr();
            // Only advice: a system that keeps the pages works with more memory.
            let _ = map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, part.len());
        }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
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
    fn files_are_mapped_or_read() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let mapped = MappedFile::open(&here).unwrap();
        assert_eq!(&mapped[..], std::fs::read(&here).unwrap());
        mapped.release(&mapped[3..]);
        mapped.release(&[]);
        assert_eq!(&mapped[..], std::fs::read(&here).unwrap());
        assert!(MappedFile::open(Path::new("/no/such/file")).is_err());
        #[cfg(target_os = "linux")]
        assert!(MappedFile::open(Path::new("/proc/self/status")).unwrap().len() > 10);
    }
}
