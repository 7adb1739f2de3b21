//! PDI: a boot header, a partition header, and a CDO that configures the array.

use super::cdo::{self, Cdo, Command};
use super::reading::{ContainerError, slice, word};

/// What a PDI begins with: how to find the bus's width.
const BOOT: [u8; 4] = [0xDD, 0, 0, 0];
/// What stands in the partition header, and where.
const PARTITION: &[u8; 4] = b"IDPP";
const PARTITION_AT: usize = 0x38;
/// Where the CDO begins.
const CDO_AT: usize = 0x150;

/// A PDI that was read. It borrows the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pdi<'a> {
    /// The CDO.
    pub cdo: Cdo<'a>,
}

impl<'a> Pdi<'a> {
    /// Reads one.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ContainerError> {
        let boot = slice(bytes, "the boot header of the PDI", 0u64, 4u64)?;
        if boot != BOOT {
            let found = format!("{boot:02x?}");
            return Err(ContainerError::Kind { what: "PDI", found, expected: "dd 00 00 00" });
        }
        let partition = slice(bytes, "the partition header of the PDI", PARTITION_AT as u64, 4u64)?;
        if partition != PARTITION {
            let found = format!("{partition:02x?}");
            return Err(ContainerError::Kind { what: "the partition header of the PDI", found, expected: "\"IDPP\"" });
        }
        word(bytes, "the CDO of the PDI", CDO_AT)?;
        Ok(Self { cdo: Cdo::read(&bytes[CDO_AT..])? })
    }
}

/// Writes a synthetic PDI with these commands. Its headers have only what is read here: no boot loader takes it.
pub fn write(commands: &[Command<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; CDO_AT];
    bytes[..4].copy_from_slice(&BOOT);
    bytes[4..8].copy_from_slice(&[0x44, 0x33, 0x22, 0x11]);
    bytes[PARTITION_AT..PARTITION_AT + 4].copy_from_slice(PARTITION);
    bytes.extend(cdo::write(commands));
    bytes
}
