//! Memory: aligned buffers for vectors and read-only maps of files.

use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::{Mmap, MmapMut};

/// A cache line: the unit every buffer is aligned to.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A huge page. With 4 KB pages the first touch of the weights of a model costs more than packing them, and every kernel
/// pays for page walks afterwards: a processor that walks through a guest's tables and its host's read keys and values
/// of 9 MB at 11 GB/s instead of 25.
const HUGE: usize = 2 << 20;
/// From this size on a buffer is mapped on its own; below it several share a map of this size.
const OWN: usize = 8 << 20;
/// Up to this size it is taken from the heap.
const SMALL: usize = 64 << 10;

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
    /// A part of a map that no other buffer has.
    Mapped {
        map: Arc<Map>,
        offset: usize,
    },
}

/// Zeroed memory from the system, on huge pages where it has them.
struct Map {
    start: *mut u8,
    length: usize,
    /// Keeps the memory.
    _map: MmapMut,
}

// SAFETY: the memory belongs to the map for as long as it lives; buffers use disjoint parts of it.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// An anonymous map that starts on a huge page, or nothing: the system refused.
    fn new(length: usize) -> Option<Map> {
        let mut map = MmapMut::map_anon(length.checked_add(HUGE)?).ok()?;
        // Only advice: a system without transparent huge pages works, a little slower.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let offset = map.as_ptr().align_offset(HUGE);
        let start = map.get_mut(offset..)?.as_mut_ptr();
        Some(Map { start, length, _map: map })
    }
}

/// The map that buffers share, and how much of it is taken.
static SHARED: Mutex<Option<(Arc<Map>, usize)>> = Mutex::new(None);

/// Room in a map, or nothing: too small for one, or the system refused.
fn mapped(bytes: usize) -> Option<Storage> {
    if bytes <= SMALL {
        return None;
    }
    if bytes >= OWN {
        return Some(Storage::Mapped { map: Arc::new(Map::new(bytes)?), offset: 0 });
    }
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((map, taken)) = &mut *shared
        && taken.saturating_add(bytes) <= map.length
    {
        let offset = *taken;
        *taken = (offset + bytes).next_multiple_of(64);
        return Some(Storage::Mapped { map: Arc::clone(map), offset });
    }
    let map = Arc::new(Map::new(OWN)?);
    *shared = Some((Arc::clone(&map), bytes.next_multiple_of(64)));
    Some(Storage::Mapped { map, offset: 0 })
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

impl<T: Number> Deref for AlignedBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let start = match &self.storage {
            Storage::Lines(lines) => lines.as_ptr().cast::<T>(),
            // SAFETY: the offset lies in the map.
            Storage::Mapped { map, offset } => unsafe { map.start.add(*offset).cast::<T>().cast_const() },
        };
        // SAFETY: the storage holds at least `length` numbers from `start`, aligned to 64 bytes, initialised to zero or
        // written as T, which no other buffer has, and borrowed as long as self; any bits are a T.
        unsafe { std::slice::from_raw_parts(start, self.length) }
    }
}

impl<T: Number> DerefMut for AlignedBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let start = match &mut self.storage {
            Storage::Lines(lines) => lines.as_mut_ptr().cast::<T>(),
            // SAFETY: the offset lies in the map.
            Storage::Mapped { map, offset } => unsafe { map.start.add(*offset).cast::<T>() },
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
        for length in [0, 1, 15, 1000, SMALL / 4, SMALL / 4 + 1, HUGE / 4, OWN / 4 - 1, OWN / 4, OWN / 4 + 1] {
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
    fn buffers_that_share_a_map_do_not_overlap() {
        let sizes = [SMALL + 1, 3 * SMALL, HUGE, OWN / 2, SMALL + 7, OWN - 64, 2 * SMALL];
        let mut buffers: Vec<AlignedBuffer<u8>> = sizes.map(AlignedBuffer::zeroed).into();
        for (number, buffer) in buffers.iter_mut().enumerate() {
            buffer.fill(number as u8 + 1);
        }
        for (number, buffer) in buffers.iter().enumerate() {
            assert!(buffer.iter().all(|byte| *byte == number as u8 + 1), "{number}");
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
