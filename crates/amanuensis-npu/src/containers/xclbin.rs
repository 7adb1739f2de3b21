//! xclbin, or axlf: a header and a table of sections.
//!
//! | at | what |
//! |---|---|
//! | 0 | `xclbin2\0` |
//! | 304 | length of the file, u64 |
//! | 416 | UUID |
//! | 448 | number of sections, u32 |
//! | 456 | sections, 40 bytes each: kind u32, name of 16 bytes, 4 of padding, offset u64, size u64 |

use super::layout::{self, Kernel};
use super::partition::Partition;
use super::reading::{ContainerError, long, slice, text, uuid, word};

/// What an xclbin begins with.
pub const MAGIC: &[u8; 8] = b"xclbin2\0";
/// Section: an XML text that lists kernels and their arguments.
pub const EMBEDDED_METADATA: u32 = 2;
/// Section: kernels and their numbers.
pub const IP_LAYOUT: u32 = 8;
/// Section: columns and programs.
pub const AIE_PARTITION: u32 = 32;

const LENGTH_AT: usize = 304;
const UUID_AT: usize = 416;
const COUNT_AT: usize = 448;
const TABLE_AT: usize = 456;
const ENTRY: usize = 40;
/// Sections begin at multiples of this.
const ALIGNMENT: usize = 8;

/// A section of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// What is in it.
    pub kind: u32,
    /// Its name; often empty.
    pub name: String,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A file that was read. It borrows the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xclbin<'a> {
    /// Which file this is.
    pub uuid: [u8; 16],
    /// Its sections, in the table's order.
    pub sections: Vec<Section<'a>>,
}

impl<'a> Xclbin<'a> {
    /// Reads one. Bytes behind the length that it states are left alone.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ContainerError> {
        if bytes.get(..8) != Some(MAGIC) {
            let found = format!("{:02x?}", &bytes[..bytes.len().min(8)]);
            return Err(ContainerError::Kind { what: "xclbin", found, expected: "\"xclbin2\"" });
        }
        let length = long(bytes, "the header of the xclbin", LENGTH_AT)?;
        let bytes = slice(bytes, "the xclbin, by its header", 0u64, length)?;
        let uuid = uuid(bytes, "the UUID of the xclbin", UUID_AT)?;
        let count = word(bytes, "the number of sections", COUNT_AT)?;
        let table = slice(bytes, "the table of sections", TABLE_AT as u64, u64::from(count) * ENTRY as u64)?;
        let sections = table.chunks_exact(ENTRY).map(|entry| {
            let (at, size) = (long(entry, "a section", 24)?, long(entry, "a section", 32)?);
            let bytes = slice(bytes, "a section", at, size)?;
            Ok(Section { kind: word(entry, "a section", 0)?, name: text(&entry[4..20]), bytes })
        });
        Ok(Self { uuid, sections: sections.collect::<Result<_, _>>()? })
    }

    /// The bytes of the first section of a kind.
    pub fn section(&self, kind: u32) -> Option<&'a [u8]> {
        self.sections.iter().find(|section| section.kind == kind).map(|section| section.bytes)
    }

    /// Columns and programs.
    pub fn partition(&self) -> Result<Partition<'a>, ContainerError> {
        Partition::read(self.section(AIE_PARTITION).ok_or(ContainerError::Missing { what: "AIE_PARTITION" })?)
    }

    /// Kernels and their numbers.
    pub fn kernels(&self) -> Result<Vec<Kernel>, ContainerError> {
        layout::read(self.section(IP_LAYOUT).ok_or(ContainerError::Missing { what: "IP_LAYOUT" })?)
    }

    /// The XML text that lists kernels and their arguments, as it is.
    pub fn metadata(&self) -> Option<String> {
        self.section(EMBEDDED_METADATA).map(text)
    }
}

/// Writes a file with these sections.
pub fn write(uuid: [u8; 16], sections: &[(u32, &str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; TABLE_AT + sections.len() * ENTRY];
    bytes[..8].copy_from_slice(MAGIC);
    // No signature.
    bytes[8..36].fill(0xFF);
    bytes[UUID_AT..UUID_AT + 16].copy_from_slice(&uuid);
    bytes[COUNT_AT..COUNT_AT + 4].copy_from_slice(&(sections.len() as u32).to_le_bytes());
    for (index, (kind, name, content)) in sections.iter().enumerate() {
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        let at = bytes.len() as u64;
        bytes.extend_from_slice(content);
        let entry = &mut bytes[TABLE_AT + index * ENTRY..][..ENTRY];
        entry[..4].copy_from_slice(&kind.to_le_bytes());
        let length = name.len().min(15);
        entry[4..4 + length].copy_from_slice(&name.as_bytes()[..length]);
        entry[24..32].copy_from_slice(&at.to_le_bytes());
        entry[32..40].copy_from_slice(&(content.len() as u64).to_le_bytes());
    }
    let length = bytes.len() as u64;
    bytes[LENGTH_AT..LENGTH_AT + 8].copy_from_slice(&length.to_le_bytes());
    bytes
}
