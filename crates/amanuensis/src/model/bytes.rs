use std::ops::Deref;

use amanuensis_kernels::MappedFile;

/// The contents of a file of weights: mapped, so that several processes share them and nothing is copied; part of the
/// program; or unpacked into memory, where the file holds them compressed.
#[derive(Debug)]
pub(super) enum Bytes {
    Mapped(MappedFile),
    Embedded(&'static [u8]),
    Unpacked(Vec<u8>),
}

impl Bytes {
    /// The map, if there is one.
    pub(super) fn file(&self) -> Option<&MappedFile> {
        match self {
            Self::Mapped(file) => Some(file),
            Self::Embedded(_) | Self::Unpacked(_) => None,
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(file) => file,
            Self::Embedded(bytes) => bytes,
            Self::Unpacked(bytes) => bytes,
        }
    }
}
