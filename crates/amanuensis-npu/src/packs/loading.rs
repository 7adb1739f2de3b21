//! Loading packs, and finding them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::checking::parse_firmware;
use super::error::PackError;
use super::manifest::Manifest;
use crate::containers::{ContainerError, Kernel, Partition, Xclbin, layout};
use crate::driver::{self, Generation};
use crate::uapi::FirmwareVersion;

/// The name of manifests.
pub const MANIFEST: &str = "manifest.toml";

/// Bytes of a manifest. One with parameters for 32 cores has 10 KB.
const MANIFEST_LIMIT: u64 = 256 << 10;
/// Bytes of an overlay or a sample: the device heap, which has to hold it, has 64 MiB.
const FILE_LIMIT: u64 = 32 << 20;

/// The device that a pack is to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Its family.
    pub generation: Generation,
    /// Its firmware, where that is known.
    pub firmware: Option<FirmwareVersion>,
}

/// A pack whose files are those that its manifest describes.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// Where it is.
    pub folder: PathBuf,
    /// What it says.
    pub manifest: Manifest,
    /// The program of its kernel.
    pub image: Vec<u8>,
    /// The part of the array that it wants.
    pub partition: driver::Partition,
    /// The sample stream, if it has one.
    pub sample: Option<Vec<u32>>,
}

impl Pack {
    /// Loads a pack. Without a target it is compared with itself only.
    pub fn load(folder: &Path, target: Option<Target>) -> Result<Self, PackError> {
        let path = folder.join(MANIFEST);
        let text = String::from_utf8(read(&path, MANIFEST_LIMIT)?)
            .map_err(|error| PackError::Syntax { path: path.clone(), why: error.to_string() })?;
        let manifest = Manifest::from_toml(&text).map_err(|error| match error {
            PackError::Syntax { why, .. } => PackError::Syntax { path, why },
            other => other,
        })?;
        if let Some(target) = target {
            fits(&manifest, target)?;
        }
        let overlay = described(folder, &manifest.overlay.file, &manifest.overlay.sha256)?;
        let (partition, image) = agree(&manifest, &overlay)?;
        let sample = match &manifest.sample {
            None => None,
            Some(sample) => {
                let bytes = described(folder, &sample.file, &sample.sha256)?;
                Some(
                    bytes
                        .chunks_exact(4)
                        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
                        .collect(),
                )
            }
        };
        Ok(Self { folder: folder.to_owned(), manifest, image, partition, sample })
    }

    /// The overlay, as a context wants it.
    pub fn overlay(&self) -> driver::Overlay<'_> {
        driver::Overlay { image: &self.image, function: self.manifest.overlay.function }
    }
}

/// The packs of a folder, by name: each loads, or says why not.
pub fn installed(folder: &Path, target: Option<Target>) -> Vec<(PathBuf, Result<Pack, PackError>)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.join(MANIFEST).exists()).collect();
    folders.sort();
    let load = |folder: PathBuf| {
        let pack = Pack::load(&folder, target);
        (folder, pack)
    };
    folders.into_iter().map(load).collect()
}

/// Whether a pack is for a device.
fn fits(manifest: &Manifest, target: Target) -> Result<(), PackError> {
    let (pack, device) = (manifest.device.generation, target.generation);
    if pack != device {
        return Err(PackError::Generation { pack, device });
    }
    if let (Some(needed), Some(found)) = (&manifest.device.minimum_firmware, target.firmware) {
        let have = [found.major, found.minor, found.patch, found.build];
        if have < parse_firmware(needed)? {
            let found = have.map(|number| number.to_string()).join(".");
            return Err(PackError::Firmware { needed: needed.clone(), found });
        }
    }
    Ok(())
}

/// Compares an overlay with its manifest; gives its partition and its kernel's program.
fn agree(manifest: &Manifest, overlay: &[u8]) -> Result<(driver::Partition, Vec<u8>), PackError> {
    let file = Xclbin::read(overlay)?;
    let partition = file.partition()?;
    let (kernel, _) = kernel(&file.kernels()?, &partition, Some(manifest.overlay.kernel_id))?;
    let (stated, device) = (&manifest.overlay, &manifest.device);
    let texts: [(&'static str, String, String); 4] = [
        ("columns", device.columns.to_string(), partition.columns.to_string()),
        ("operations in a cycle", stated.operations_per_cycle.to_string(), partition.operations_per_cycle.to_string()),
        ("the kernel's name", stated.kernel.clone(), kernel.name),
        ("the kernel's function", stated.function.to_string(), kernel.functional.to_string()),
    ];
    if let Some((what, manifest, overlay)) = texts.into_iter().find(|(_, manifest, overlay)| manifest != overlay) {
        return Err(PackError::Disagrees { what, manifest, overlay });
    }
    let program = partition.program_of(kernel.id).ok_or(ContainerError::Missing { what: "the kernel's program" })?;
    let columns = partition.columns;
    let wanted = driver::Partition { columns, operations_per_cycle: partition.operations_per_cycle };
    Ok((wanted, program.image.to_vec()))
}

/// A kernel that has a program: the one with a number, or the first.
pub(super) fn kernel(
    kernels: &[Kernel],
    partition: &Partition<'_>,
    id: Option<u16>,
) -> Result<(Kernel, usize), PackError> {
    let runs = |kernel: &&Kernel| kernel.kind == layout::PS_KERNEL && partition.program_of(kernel.id).is_some();
    let mut able = kernels.iter().filter(runs);
    let found = able.clone().find(|kernel| id.is_none_or(|id| kernel.id == id));
    match found {
        Some(kernel) => Ok((kernel.clone(), able.count())),
        None => Err(PackError::Disagrees {
            what: "the kernel's number",
            manifest: id.map_or("any".to_owned(), |id| format!("{id:#x}")),
            overlay: match able.next() {
                Some(kernel) => format!("{:#x}", kernel.id),
                None => "has no kernel with a program".to_owned(),
            },
        }),
    }
}

/// A file of the pack, if it is the one that was described.
fn described(folder: &Path, name: &str, expected: &str) -> Result<Vec<u8>, PackError> {
    let path = folder.join(name);
    let bytes = read(&path, FILE_LIMIT)?;
    let found = sha256(&bytes);
    if found == expected { Ok(bytes) } else { Err(PackError::Hash { path, expected: expected.to_owned(), found }) }
}

/// SHA-256 in small digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, PackError> {
    let unreadable = |error: std::io::Error| PackError::Unreadable { path: path.to_owned(), why: error.to_string() };
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(PackError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}
