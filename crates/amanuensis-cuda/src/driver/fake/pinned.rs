//! Memory of the host that a device copies from and to by itself, where copies take as long as they may: what is on its way arrives
//! when somebody waits for it and not before, and whoever changes or looks at a buffer that is still in use is found out.

use std::collections::BTreeMap;

use super::memory::{Memory, Use};
use crate::driver::{GpuError, Pinned};

/// What a buffer is full of before something arrives.
const POISON: u8 = 0xff;

/// All buffers of a device.
#[derive(Default)]
pub(super) struct Locked {
    buffers: BTreeMap<u64, Buffer>,
}

struct Buffer {
    bytes: Vec<u8>,
    travelling: Vec<Travel>,
}

/// A copy that nobody has waited for yet.
struct Travel {
    /// What asked for it.
    user: Use,
    /// The first bytes of the buffer.
    len: usize,
    /// What arrives, if it comes from the device.
    arriving: Option<Vec<u8>>,
}

fn misuse(wanted: String, there: &str) -> GpuError {
    GpuError::Misuse { what: "page-locked memory", wanted, there: there.to_owned() }
}

impl Locked {
    pub(super) fn add(&mut self, pinned: &Pinned, len: usize) {
        self.buffers.insert(pinned.number, Buffer { bytes: vec![POISON; len], travelling: Vec::new() });
    }

    pub(super) fn len(&self) -> usize {
        self.buffers.values().map(|buffer| buffer.bytes.len()).sum()
    }

    /// The first bytes of a buffer, which nothing may be on its way to or, where `changed`, from.
    fn find(&mut self, pinned: &Pinned, len: usize, changed: bool) -> Result<&mut Buffer, GpuError> {
        let wanted = || format!("{len} bytes of buffer {}", pinned.number);
        let Some(buffer) = self.buffers.get_mut(&pinned.number) else { return Err(misuse(wanted(), "no such buffer")) };
        if len > buffer.bytes.len() {
            return Err(misuse(wanted(), &format!("room for {}", buffer.bytes.len())));
        }
        let in_use = |travel: &Travel| len.min(travel.len) > 0 && (changed || travel.arriving.is_some());
        if buffer.travelling.iter().any(in_use) {
            return Err(misuse(wanted(), "a copy that is not done"));
        }
        Ok(buffer)
    }

    pub(super) fn put(&mut self, into: &Pinned, bytes: &[u8]) -> Result<(), GpuError> {
        self.find(into, bytes.len(), true)?.bytes[..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn get(&mut self, from: &Pinned, bytes: &mut [u8]) -> Result<(), GpuError> {
        bytes.copy_from_slice(&self.find(from, bytes.len(), false)?.bytes[..bytes.len()]);
        Ok(())
    }

    /// What is sent is on the device for whoever asks later, and in use until somebody has waited.
    pub(super) fn send(
        &mut self,
        from: &Pinned,
        len: usize,
        user: Use,
        memory: &mut Memory,
        address: u64,
    ) -> Result<(), GpuError> {
        let buffer = self.find(from, len, false)?;
        memory.write(address, &buffer.bytes[..len])?;
        buffer.travelling.push(Travel { user, len, arriving: None });
        Ok(())
    }

    pub(super) fn fetch(
        &mut self,
        into: &Pinned,
        len: usize,
        user: Use,
        memory: &mut Memory,
        address: u64,
    ) -> Result<(), GpuError> {
        let buffer = self.find(into, len, true)?;
        let mut arriving = vec![0; len];
        memory.read(address, &mut arriving)?;
        buffer.bytes[..len].fill(POISON);
        buffer.travelling.push(Travel { user, len, arriving: Some(arriving) });
        Ok(())
    }

    /// Everything that was asked of a queue up to a number is done.
    pub(super) fn done(&mut self, queue: usize, number: u64) {
        for buffer in self.buffers.values_mut() {
            for travel in
                buffer.travelling.extract_if(.., |travel| travel.user.queue == queue && travel.user.number <= number)
            {
                if let Some(arriving) = travel.arriving {
                    buffer.bytes[..travel.len].copy_from_slice(&arriving);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::driver::fake::FakeGpu;
    use crate::driver::{Gpu as _, GpuError};

    /// Whether a buffer was found to be in use.
    fn in_use<T>(outcome: Result<T, GpuError>) -> bool {
        match outcome {
            Err(GpuError::Misuse { what: "page-locked memory", there, .. }) => there == "a copy that is not done",
            _ => false,
        }
    }

    #[test]
    fn a_buffer_that_is_used_before_its_copy_is_done_is_found() {
        let gpu = FakeGpu::new(1 << 20);
        let place = gpu.allocate(64, "a test").expect("memory");
        let (mut out, mut back) = (gpu.pin(64).expect("locked"), gpu.pin(64).expect("locked"));
        gpu.put(&mut out, &[3; 64]).expect("nothing uses it");
        gpu.send(&out, place, 64).expect("asked");
        assert!(in_use(gpu.put(&mut out, &[4; 8])), "changed while it is on its way");
        let sent = gpu.mark().expect("a moment");
        gpu.fetch(place, &mut back, 64).expect("asked");
        let mut bytes = [0; 64];
        assert!(in_use(gpu.get(&back, &mut bytes)), "looked at before it is there");
        // One moment has passed, the other has not.
        gpu.reach(sent).expect("passed");
        gpu.put(&mut out, &[4; 8]).expect("nothing uses it");
        assert!(in_use(gpu.get(&back, &mut bytes)));
        gpu.wait().expect("done");
        gpu.get(&back, &mut bytes).expect("it is there");
        assert_eq!(bytes, [3; 64]);
        assert!(gpu.put(&mut out, &[4; 65]).is_err(), "longer than the buffer");
        gpu.free(place);
    }
}
