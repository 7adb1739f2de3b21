//! A device's memory, on the host.

use std::collections::BTreeMap;

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::super::memory::{bytes_of, bytes_of_mut};
use crate::driver::{GpuError, Number, View};

/// What new memory is full of. As f16 and f32 it is no number, so whatever is made of it is none either.
const POISON: u8 = 0xff;
/// Bytes in front of and behind an allocation that nobody may write.
const GUARD: usize = 256;
/// What they are.
const GUARD_BYTE: u8 = 0xa5;
/// Between the addresses of two allocations: one address more than an allocation has is in none.
const GAP: u64 = 1 << 20;

/// Everything that is allocated. Addresses are used once, so that what was given back is never mistaken for something else.
pub struct Memory {
    allocations: BTreeMap<u64, Allocation>,
    next: u64,
    capacity: u64,
    used: u64,
    /// Who uses it now.
    user: Use,
    /// For each queue that somebody waited for: everything up to this number of it is done.
    done: BTreeMap<usize, u64>,
}

/// Something that was asked of a queue, by its place among everything that was asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Use {
    pub(super) queue: usize,
    pub(super) number: u64,
}

struct Allocation {
    /// With the guards around it, aligned for every kind of number that a kernel loads at once.
    words: Vec<u128>,
    len: usize,
    /// What wrote last.
    written: Option<Use>,
    /// For each queue, what read last.
    read: BTreeMap<usize, u64>,
}

impl Allocation {
    fn new(len: usize) -> Self {
        let words = vec![u128::from_ne_bytes([GUARD_BYTE; 16]); (len + 2 * GUARD).div_ceil(16)];
        let mut new = Allocation { words, len, written: None, read: BTreeMap::new() };
        new.bytes_mut().fill(POISON);
        new
    }

    fn all(&self) -> &[u8] {
        // SAFETY: whole numbers have no padding, and bytes no alignment; the length is that of the same memory.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.words.len() * 16) }
    }

    fn bytes(&self) -> &[u8] {
        &self.all()[GUARD..GUARD + self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let count = self.words.len() * 16;
        // SAFETY: as in `all`, and any bytes make whole numbers.
        let all = unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast::<u8>(), count) };
        &mut all[GUARD..GUARD + self.len]
    }

    fn guarded(&self) -> bool {
        let all = self.all();
        all[..GUARD].iter().chain(&all[GUARD + self.len..]).all(|byte| *byte == GUARD_BYTE)
    }
}

fn misuse(what: &'static str, wanted: String, there: &str) -> GpuError {
    GpuError::Misuse { what, wanted, there: there.to_owned() }
}

impl Memory {
    pub(super) fn new(capacity: u64) -> Self {
        Memory {
            allocations: BTreeMap::new(),
            next: GAP,
            capacity,
            used: 0,
            user: Use::default(),
            done: BTreeMap::new(),
        }
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.capacity - self.used
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn allocate(&mut self, bytes: usize, what: &'static str) -> Result<u64, GpuError> {
        let (wanted, free) = (bytes as u64, self.free_bytes());
        if wanted > free {
            return Err(GpuError::OutOfMemory { bytes: wanted, what, free, total: self.capacity });
        }
        let address = self.next;
        self.next += (wanted / GAP + 2) * GAP;
        self.used += wanted;
        self.allocations.insert(address, Allocation::new(bytes));
        Ok(address)
    }

    /// Gives an allocation back; whether its guards are whole.
    pub(super) fn free(&mut self, address: u64) -> bool {
        let Some(gone) = self.allocations.remove(&address) else { return false };
        self.used -= gone.len as u64;
        gone.guarded()
    }

    /// Whether nothing was written beside any allocation.
    pub fn guarded(&self) -> bool {
        self.allocations.values().all(Allocation::guarded)
    }

    fn find(&self, address: u64, len: usize) -> Result<(u64, usize), GpuError> {
        let wanted = || format!("{len} bytes at {address:#x}");
        let Some((first, allocation)) = self.allocations.range(..=address).next_back() else {
            return Err(misuse("memory", wanted(), "nothing allocated"));
        };
        let at = (address - first) as usize;
        if at.checked_add(len).is_some_and(|end| end <= allocation.len) {
            return Ok((*first, at));
        }
        Err(misuse("memory", wanted(), &format!("an allocation of {} bytes at {first:#x} before it", allocation.len)))
    }

    /// What is read and written from here on is for something that was asked of a queue.
    pub(super) fn used_by(&mut self, user: Use) {
        self.user = user;
    }

    /// Everything of a queue up to a number is done.
    pub(super) fn done(&mut self, queue: usize, number: u64) {
        let done = self.done.entry(queue).or_default();
        *done = number.max(*done);
    }

    /// Notes who uses an allocation. What another queue still does with it, and nobody waited for, may come before or after: where one
    /// of the two writes, that is an error.
    fn note(&mut self, first: u64, writes: bool) -> Result<&mut Allocation, GpuError> {
        let Memory { allocations, user, done, .. } = self;
        let nowhere = || misuse("memory", format!("{first:#x}"), "nothing allocated");
        let allocation = allocations.get_mut(&first).ok_or_else(nowhere)?;
        let goes_on =
            |queue: usize, number: u64| queue != user.queue && done.get(&queue).is_none_or(|done| *done < number);
        let written = allocation.written.is_some_and(|by| goes_on(by.queue, by.number));
        let read = writes && allocation.read.iter().any(|(queue, number)| goes_on(*queue, *number));
        if written || read {
            let there = if written { "what another queue writes" } else { "what another queue reads" };
            let wanted = format!("{} bytes at {first:#x} in queue {}", allocation.len, user.queue);
            return Err(misuse("memory", wanted, there));
        }
        if writes {
            allocation.written = Some(*user);
        } else {
            allocation.read.insert(user.queue, user.number);
        }
        Ok(allocation)
    }

    pub(super) fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), GpuError> {
        let (first, at) = self.find(address, into.len())?;
        into.copy_from_slice(&self.note(first, false)?.bytes()[at..][..into.len()]);
        Ok(())
    }

    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), GpuError> {
        let (first, at) = self.find(address, bytes.len())?;
        self.note(first, true)?.bytes_mut()[at..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// Where an address lies on the host, for kernels that run there.
    #[cfg(all(test, target_endian = "little", unix))]
    pub(super) fn host_address(&mut self, address: u64) -> Result<*mut u8, GpuError> {
        let (first, at) = self.find(address, 0)?;
        // Nobody sees whether a kernel writes there. What several queues share they only read.
        Ok(self.note(first, false)?.bytes_mut().as_mut_ptr().wrapping_add(at))
    }

    /// Numbers of a view.
    pub fn get<T: Number>(&mut self, view: View<T>) -> Result<Vec<T>, GpuError> {
        aligned(view)?;
        let mut numbers = vec![T::default(); view.len()];
        self.read(view.address(), bytes_of_mut(&mut numbers))?;
        Ok(numbers)
    }

    /// Halves of a view, as f32.
    pub fn get_f32(&mut self, view: View<f16>) -> Result<Vec<f32>, GpuError> {
        let halves = self.get(view)?;
        let mut numbers = vec![0.0; halves.len()];
        halves.convert_to_f32_slice(&mut numbers);
        Ok(numbers)
    }

    /// Writes numbers into a view, from its number `at` on.
    pub fn set<T: Number>(&mut self, view: View<T>, at: usize, numbers: &[T]) -> Result<(), GpuError> {
        if at.checked_add(numbers.len()).is_none_or(|end| end > view.len()) {
            let wanted = format!("{} {} from number {at} on", numbers.len(), T::NAME);
            return Err(misuse("a write", wanted, &format!("room for {}", view.len())));
        }
        let place = view.part(at..at + numbers.len());
        aligned(place)?;
        self.write(place.address(), bytes_of(numbers))
    }
}

fn aligned<T: Number>(view: View<T>) -> Result<(), GpuError> {
    if view.address().is_multiple_of(size_of::<T>() as u64) {
        return Ok(());
    }
    Err(misuse("memory", format!("{} at {:#x}", T::NAME, view.address()), "no such number at that address"))
}
