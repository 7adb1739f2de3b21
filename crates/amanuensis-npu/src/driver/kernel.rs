//! The border to the kernel: calls and mappings. All that differs between the real driver and the fake one lies behind it.

use std::fmt;

use super::memory::Memory;
use crate::uapi::Request;

/// Bytes that a field of an argument points to. The kernel's side writes the address into the field, so no address is ever
/// made up on this side.
pub(crate) struct Attached<'a> {
    /// Where in the argument the address stands.
    pub(crate) at: usize,
    /// The bytes.
    pub(crate) bytes: &'a mut [u8],
}

/// Where a buffer is to be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Anywhere.
    Anywhere,
    /// At a multiple of this, and locked: the device heap.
    Aligned(usize),
}

/// A kernel driver, or something that behaves like one.
pub(crate) trait Kernel: Send + Sync {
    /// Makes a call. The argument has the request's size.
    fn call(&self, request: Request, argument: &mut [u8], attached: &mut [Attached<'_>]) -> Result<(), Errno>;

    /// Maps a buffer, by the offset that the driver gave for it.
    fn map(&self, offset: u64, length: usize, placement: Placement) -> Result<Memory, Errno>;

    /// The clock on which deadlines are given, in nanoseconds.
    fn monotonic(&self) -> i64;
}

/// Why the kernel refused, in Linux's numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($(#[$says:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl Errno {
            $($(#[$says])* pub const $name: Self = Self($number);)*

            /// What it is called and what it means, where that is known.
            fn describe(self) -> Option<(&'static str, &'static str)> {
                match self {
                    $(Self::$name => Some((stringify!($name), $text)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    /// Not permitted.
    EPERM = 1, "not permitted";
    /// No such thing.
    ENOENT = 2, "not there";
    /// Interrupted.
    EINTR = 4, "interrupted";
    /// Input or output failed.
    EIO = 5, "input/output error";
    /// Try again; of a locked mapping: too much memory would be locked.
    EAGAIN = 11, "temporarily unavailable";
    /// No memory.
    ENOMEM = 12, "out of memory";
    /// No access.
    EACCES = 13, "permission denied";
    /// A bad address.
    EFAULT = 14, "bad address";
    /// In use.
    EBUSY = 16, "in use";
    /// The device is gone.
    ENODEV = 19, "no such device";
    /// An argument that the driver refuses.
    EINVAL = 22, "refused by the driver";
    /// No space left.
    ENOSPC = 28, "no space left";
    /// The deadline passed.
    ETIME = 62, "the deadline passed";
    /// Not supported.
    EOPNOTSUPP = 95, "not supported";
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.describe() {
            Some((name, text)) => write!(f, "{text} ({name})"),
            None => write!(f, "error number {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
