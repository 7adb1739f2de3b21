//! The driver in the kernel. This is the one file that speaks to hardware, and **no project machine had any**: what it does was
//! read from the kernel's sources and never run against them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

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
        i64::from(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(i64::from(time.tv_nsec))
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
