//! Numbers out of bytes, and what is said when they are not there.

use std::ops::Range;

/// Why a container is not one. It says what, where and which limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// Another kind of file.
    #[error("{what}: {found} where {expected} is needed; this is another kind of file, or a part of one")]
    Kind {
        /// The container.
        what: &'static str,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// Something lies outside.
    #[error("{what}: {size} bytes at {at}, but there are {available}; the file is cut off or damaged, fetch it again")]
    Outside {
        /// What it is.
        what: &'static str,
        /// First byte.
        at: u64,
        /// Bytes.
        size: u64,
        /// Bytes that are there.
        available: u64,
    },
    /// A number that cannot be.
    #[error("{what}: {found}, and {limit} is the limit; the file is damaged")]
    Number {
        /// What it counts.
        what: &'static str,
        /// The number.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Something is missing.
    #[error("{what} is missing; this file is no overlay for an NPU")]
    Missing {
        /// What.
        what: &'static str,
    },
}

/// The bytes of a range, if they are all there.
pub(super) fn slice<'a>(
    bytes: &'a [u8],
    what: &'static str,
    at: impl Into<u64>,
    size: impl Into<u64>,
) -> Result<&'a [u8], ContainerError> {
    let (at, size) = (at.into(), size.into());
    range(at, size).and_then(|range| bytes.get(range)).ok_or(ContainerError::Outside {
        what,
        at,
        size,
        available: bytes.len() as u64,
    })
}

fn range(at: u64, size: u64) -> Option<Range<usize>> {
    Some(usize::try_from(at).ok()?..usize::try_from(at.checked_add(size)?).ok()?)
}

pub(super) fn byte(bytes: &[u8], what: &'static str, at: usize) -> Result<u8, ContainerError> {
    slice(bytes, what, at as u64, 1u64).map(|bytes| bytes[0])
}

pub(super) fn half(bytes: &[u8], what: &'static str, at: usize) -> Result<u16, ContainerError> {
    slice(bytes, what, at as u64, 2u64).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

pub(super) fn word(bytes: &[u8], what: &'static str, at: usize) -> Result<u32, ContainerError> {
    let bytes = slice(bytes, what, at as u64, 4u64)?;
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

pub(super) fn long(bytes: &[u8], what: &'static str, at: usize) -> Result<u64, ContainerError> {
    Ok(u64::from(word(bytes, what, at)?) | u64::from(word(bytes, what, at.saturating_add(4))?) << 32)
}

/// The 16 bytes of a UUID.
pub(super) fn uuid(bytes: &[u8], what: &'static str, at: usize) -> Result<[u8; 16], ContainerError> {
    let mut uuid = [0; 16];
    uuid.copy_from_slice(slice(bytes, what, at as u64, 16u64)?);
    Ok(uuid)
}

/// Text that ends with its first zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}
