//! Numbers on their way between host and device. They pass through memory that the driver has locked, a ring of buffers, so that the
//! host goes on while they travel: it waits where a buffer is needed again that is still in use, and where a result is read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Event, Gpu, GpuError, Pinned, Seen};

/// Buffers of the ring, and bytes of each: large enough that a copy takes longer than to ask for it, and small enough that locking
/// them is nothing beside a model. Not measured.
const BUFFERS: usize = 4;
const BYTES: usize = 4 << 20;

/// The ring of a device.
#[derive(Default)]
pub struct Staging {
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    buffers: Vec<Staged>,
    next: usize,
}

struct Staged {
    memory: Pinned,
    busy: Busy,
}

/// Whether something is on its way out of a buffer or into it.
enum Busy {
    No,
    /// Until this moment has passed.
    Until(Event),
    /// Something was asked for, and nobody noted when it is done.
    Unknown,
}

impl Ring {
    /// The next buffer, once nothing uses it.
    fn take(&mut self, gpu: &dyn Gpu) -> Result<usize, GpuError> {
        let place = self.next;
        if place == self.buffers.len() {
            let memory = gpu.pin(BYTES)?;
            self.buffers.push(Staged { memory, busy: Busy::No });
        }
        self.next = (place + 1) % BUFFERS;
        let buffer = &mut self.buffers[place];
        match buffer.busy {
            Busy::No => {}
            Busy::Until(event) => drop(gpu.reach(event)?),
            Busy::Unknown => drop(gpu.wait()?),
        }
        buffer.settle(gpu);
        Ok(place)
    }
}

impl Staged {
    /// Asks for a copy from or to this buffer, and notes when it is done.
    fn copy(&mut self, gpu: &dyn Gpu, ask: impl FnOnce(&mut Pinned) -> Result<(), GpuError>) -> Result<(), GpuError> {
        self.busy = Busy::Unknown;
        ask(&mut self.memory)?;
        self.busy = Busy::Until(gpu.mark()?);
        Ok(())
    }

    /// Nothing uses it any more.
    fn settle(&mut self, gpu: &dyn Gpu) {
        if let Busy::Until(event) = std::mem::replace(&mut self.busy, Busy::No) {
            gpu.forget(&[event]);
        }
    }
}

impl Staging {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies bytes onto the device, in the order of everything else that is asked of it. They may be changed afterwards.
    pub(super) fn write(&self, gpu: &dyn Gpu, address: u64, bytes: &[u8]) -> Result<(), GpuError> {
        let mut ring = self.ring();
        for (index, piece) in bytes.chunks(BYTES).enumerate() {
            let place = ring.take(gpu)?;
            let buffer = &mut ring.buffers[place];
            gpu.put(&mut buffer.memory, piece)?;
            buffer.copy(gpu, |memory| gpu.send(memory, address + (index * BYTES) as u64, piece.len()))?;
        }
        Ok(())
    }

    /// Copies bytes off the device, once everything that was asked of it before is done: as many pieces ahead as there are buffers.
    pub(super) fn read(&self, gpu: &dyn Gpu, address: u64, bytes: &mut [u8]) -> Result<Seen, GpuError> {
        let mut ring = self.ring();
        let lengths: Vec<usize> = bytes.chunks(BYTES).map(<[u8]>::len).collect();
        let mut asked = Vec::with_capacity(lengths.len());
        let mut seen = None;
        for (index, piece) in bytes.chunks_mut(BYTES).enumerate() {
            while asked.len() < lengths.len().min(index + BUFFERS) {
                let place = ring.take(gpu)?;
                let from = address + (asked.len() * BYTES) as u64;
                let length = lengths[asked.len()];
                ring.buffers[place].copy(gpu, |memory| gpu.fetch(from, memory, length))?;
                asked.push(place);
            }
            let buffer = &mut ring.buffers[asked[index]];
            seen = Some(match buffer.busy {
                Busy::Until(event) => gpu.reach(event)?,
                Busy::No | Busy::Unknown => gpu.wait()?,
            });
            buffer.settle(gpu);
            gpu.get(&buffer.memory, piece)?;
        }
        seen.map_or_else(|| gpu.wait(), Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fake::{FakeGpu, Fault};
    use super::super::{Buffer, download, upload};
    use super::*;

    #[test]
    fn numbers_arrive_whatever_the_ring_is_used_for() {
        let fake = FakeGpu::new(64 << 20);
        let gpu: Arc<dyn Gpu> = fake.clone();
        // Less than a buffer, one, one and a number more, more than the ring holds.
        let whole = BYTES / 4;
        for count in [0, 5, whole, whole + 1, (BUFFERS + 1) * whole + 3] {
            let numbers: Vec<i32> = (0..count as i32).map(|number| number ^ 0x5a5a).collect();
            let buffer = Buffer::new(&gpu, count, "a test").expect("memory");
            let before = fake.counts();
            upload(&*gpu, buffer.view(), &numbers).expect("asked");
            let asked = fake.counts();
            // Whoever asks for no more than the ring holds waits for nothing.
            let over = count.div_ceil(whole).saturating_sub(BUFFERS) as u64;
            assert!(asked.waits - before.waits <= over, "{count} numbers: {asked:?}");
            let mut back = vec![0; count];
            download(&*gpu, buffer.view(), &mut back).expect("read");
            assert!(back == numbers, "{count} numbers");
        }
        assert_eq!(fake.pinned(), BUFFERS * BYTES);
    }

    #[test]
    fn many_small_copies_wait_for_nothing_that_was_waited_for() {
        let fake = FakeGpu::new(1 << 20);
        let gpu: Arc<dyn Gpu> = fake.clone();
        let buffer = Buffer::new(&gpu, 64, "a test").expect("memory");
        let before = fake.counts().waits;
        for step in 0..20 {
            upload(&*gpu, buffer.view(), &[step; 64]).expect("asked");
            let mut back = [0; 1];
            download(&*gpu, buffer.view().first(1), &mut back).expect("read");
            assert_eq!(back, [step]);
        }
        assert_eq!(fake.counts().waits - before, 20);
    }

    #[test]
    fn a_copy_that_failed_leaves_a_ring_that_works() {
        let fake = FakeGpu::new(1 << 20);
        let gpu: Arc<dyn Gpu> = fake.clone();
        let buffer = Buffer::<i32>::new(&gpu, 64, "a test").expect("memory");
        let there = buffer.view();
        for _ in 0..2 * BUFFERS {
            // Nothing lies there.
            let nowhere = gpu.staging().write(&*gpu, there.address() + 1024, &[1; 16]);
            assert!(matches!(nowhere, Err(GpuError::Misuse { what: "memory", .. })));
            upload(&*gpu, there, &[7; 64]).expect("asked");
        }
        let mut back = [0; 64];
        download(&*gpu, there, &mut back).expect("read");
        assert_eq!(back, [7; 64]);
        fake.fail(Fault::Gone);
        assert!(matches!(upload(&*gpu, there, &[7; 64]), Err(GpuError::Lost { .. })));
    }
}
