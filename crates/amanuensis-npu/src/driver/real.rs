//! The driver in the kernel. This is the one file that speaks to hardware, and **no project machine had any**: what it does was
//! read from the kernel's sources and never run against them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use super::kernel::{Attached, Errno, Kernel, Placement};
use super::memory::Memory;
use crate::uapi::Request;

/// An open device node, `/dev/accel/accelN`.
pub(super) struct Node {
    file: File,
}

impl Node {
    /// Opens one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().read(true).write(true).open(path)? })
    }
}

fn last() -> Errno {
    Errno(io::Error::last_os_error().raw_os_error().unwrap_or(Errno::EIO.0))
}

impl Kernel for Node {
    fn call(&self, request: Request, argument: &mut [u8], attached: &mut [Attached<'_>]) -> Result<(), Errno> {
        if argument.len() != request.size() {
            return Err(Errno::EINVAL);
        }
        for Attached { at, bytes } in attached {
            let address = bytes.as_mut_ptr() as u64;
            argument.get_mut(*at..*at + 8).ok_or(Errno::EINVAL)?.copy_from_slice(&address.to_ne_bytes());
        }
        loop {
            // SAFETY: the argument has the size that the request number states, which is what the kernel reads and writes. The
            // addresses in it are of slices borrowed for the call, whose lengths stand in fields beside them.
            let answer = unsafe { libc::ioctl(self.file.as_raw_fd(), request.number as _, argument.as_mut_ptr()) };
            match answer {
                0.. => return Ok(()),
                _ if last() == Errno::EINTR => {}
                _ => return Err(last()),
            }
        }
    }

    fn map(&self, offset: u64, length: usize, placement: Placement) -> Result<Memory, Errno> {
        let offset = libc::off_t::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let Placement::Aligned(alignment) = placement else {
            return self.mapped(ptr::null_mut(), length, libc::MAP_SHARED, offset);
        };
        // Addresses are reserved generously, and the driver's pages put over the part that is aligned.
        let reserve = length.checked_add(alignment).ok_or(Errno::EINVAL)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: new addresses, chosen by the kernel.
        let start = unsafe { libc::mmap(ptr::null_mut(), reserve, libc::PROT_NONE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(last());
        }
        let before = (start as usize).next_multiple_of(alignment) - start as usize;
        let aligned = start.wrapping_byte_add(before);
        let flags = libc::MAP_SHARED | libc::MAP_LOCKED | libc::MAP_FIXED;
        let mapped = self.mapped(aligned, length, flags, offset);
        let (start, aligned) = (start as usize, aligned as usize);
        let rest = match mapped {
            Ok(_) => vec![(start, before), (aligned + length, reserve - before - length)],
            Err(_) => vec![(start, reserve)],
        };
        for (address, length) in rest.into_iter().filter(|(_, length)| *length > 0) {
            // SAFETY: these addresses were reserved above, are not part of what is handed out, and nobody knows them.
            unsafe { libc::munmap(ptr::without_provenance_mut(address), length) };
        }
        mapped
    }

    fn monotonic(&self) -> i64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel writes one timespec, there.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        let since_start = Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
        i64::try_from(since_start.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl Node {
    fn mapped(
        &self,
        address: *mut libc::c_void,
        length: usize,
        flags: libc::c_int,
        offset: libc::off_t,
    ) -> Result<Memory, Errno> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: with MAP_FIXED the address was reserved by the caller for this; without, the kernel chooses it.
        let base = unsafe { libc::mmap(address, length, protection, flags, self.file.as_raw_fd(), offset) };
        if base == libc::MAP_FAILED {
            return Err(last());
        }
        let place = base.expose_provenance();
        let release = move || {
            // SAFETY: mapped above with this length, and given back once.
            unsafe { libc::munmap(ptr::with_exposed_provenance_mut(place), length) };
        };
        // SAFETY: pages of the driver's, readable and writable until they are unmapped by `release`; pages are aligned.
        Ok(unsafe { Memory::taken(base.cast(), length, Box::new(release)) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom};

    use super::*;
    use crate::uapi::{GET_INFO, SYNC_BUFFER};

    /// A file in place of the node: it can be mapped as one, and answers no call.
    fn node(size: u64) -> Node {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(size).expect("room");
        Node { file }
    }

    #[test]
    fn mappings_lie_where_they_are_wanted_and_are_shared() {
        const ALIGNMENT: usize = 1 << 20;
        let mut node = node(128 << 10);
        for placement in [Placement::Anywhere, Placement::Aligned(ALIGNMENT)] {
            // Locked pages are few, because what may be locked often is.
            let memory = node.map(64 << 10, 16 << 10, placement).expect("mapped");
            if placement != Placement::Anywhere {
                assert_eq!(memory.address() % ALIGNMENT as u64, 0);
            }
            memory.write(100, b"seen by both");
            drop(memory);
            let mut seen = [0; 12];
            node.file.seek(SeekFrom::Start((64 << 10) + 100)).expect("there");
            node.file.read_exact(&mut seen).expect("there");
            assert_eq!(&seen, b"seen by both");
            let again = node.map(64 << 10, 16 << 10, placement).expect("mapped again");
            again.read(100, &mut seen);
            again.write(100, &[0; 12]);
            assert_eq!(&seen, b"seen by both");
        }
    }

    #[test]
    fn what_cannot_be_mapped_or_called_is_an_error() {
        let node = node(4096);
        assert_eq!(node.map(u64::MAX, 4096, Placement::Anywhere).map(|_| ()), Err(Errno::EINVAL));
        assert_eq!(node.map(0, usize::MAX, Placement::Aligned(4096)).map(|_| ()), Err(Errno::EINVAL));
        // An offset that is no multiple of a page is refused by the kernel, after addresses were reserved.
        assert_eq!(node.map(100, 4096, Placement::Aligned(1 << 20)).map(|_| ()), Err(Errno::EINVAL));
        // A file is no device: the kernel says "inappropriate ioctl", which is number 25.
        assert_eq!(node.call(SYNC_BUFFER, &mut [0; 24], &mut []), Err(Errno(25)));
        let attached = &mut [Attached { at: 8, bytes: &mut [0; 4] }];
        assert_eq!(node.call(GET_INFO, &mut [0; 16], attached), Err(Errno(25)));
        assert_eq!(node.call(SYNC_BUFFER, &mut [0; 23], &mut []), Err(Errno::EINVAL), "another size");
        let outside = &mut [Attached { at: 20, bytes: &mut [0; 4] }];
        assert_eq!(node.call(SYNC_BUFFER, &mut [0; 24], outside), Err(Errno::EINVAL), "an address outside");
        assert!(node.monotonic() <= node.monotonic());
    }

    #[test]
    fn nodes_that_are_not_there_say_what_to_do() {
        let missing = crate::driver::Device::open(Path::new("/dev/accel/accel-of-no-machine")).map(|_| ());
        let said = missing.expect_err("not there").to_string();
        assert!(said.contains("/dev/accel/accel-of-no-machine") && said.contains("amdxdna, Linux 6.14"), "{said}");
        let other = tempfile::NamedTempFile::new().expect("a file");
        let said = crate::driver::Device::open(other.path()).map(|_| ()).expect_err("no device").to_string();
        assert!(said.starts_with("VERSION: error number 25"), "{said}");
    }
}
