//! IP_LAYOUT: which kernels there are. A count (i32, then 4 bytes of padding), and 80 bytes for each: kind u32, properties u32,
//! address u64, name of 64 bytes.

use super::reading::{ContainerError, slice, text, word};

/// The kind of the kernels of NPUs.
pub const PS_KERNEL: u32 = 7;

const HEAD: usize = 8;
const ENTRY: usize = 80;

/// A kernel of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its name and its instance's, with a colon between them.
    pub name: String,
    /// Its kind: [`PS_KERNEL`] where an NPU runs it.
    pub kind: u32,
    /// Its number, which programs name (twelve bits).
    pub id: u16,
    /// 0 for a PS kernel, 1 for a DPU kernel.
    pub subtype: u8,
    /// Which function of a compute unit it is.
    pub functional: u8,
}

/// Reads the section.
pub fn read(bytes: &[u8]) -> Result<Vec<Kernel>, ContainerError> {
    let count = word(bytes, "the number of kernels", 0)?;
    let entries = slice(bytes, "the kernels", HEAD as u64, u64::from(count) * ENTRY as u64)?;
    let kernels = entries.chunks_exact(ENTRY).map(|entry| {
        let properties = word(entry, "a kernel", 4)?;
        Ok(Kernel {
            name: text(&entry[16..]),
            kind: word(entry, "a kernel", 0)?,
            id: (properties >> 16 & 0xFFF) as u16,
            subtype: (properties & 3) as u8,
            functional: (properties >> 4 & 3) as u8,
        })
    });
    kernels.collect()
}

/// Writes the section.
pub fn write(kernels: &[Kernel]) -> Vec<u8> {
    let mut bytes = vec![0; HEAD];
    bytes[..4].copy_from_slice(&(kernels.len() as u32).to_le_bytes());
    for kernel in kernels {
        let start = bytes.len();
        bytes.resize(start + ENTRY, 0);
        let properties =
            u32::from(kernel.id & 0xFFF) << 16 | u32::from(kernel.functional & 3) << 4 | u32::from(kernel.subtype & 3);
        bytes[start..start + 4].copy_from_slice(&kernel.kind.to_le_bytes());
        bytes[start + 4..start + 8].copy_from_slice(&properties.to_le_bytes());
        let length = kernel.name.len().min(63);
        bytes[start + 16..start + 16 + length].copy_from_slice(&kernel.name.as_bytes()[..length]);
    }
    bytes
}
