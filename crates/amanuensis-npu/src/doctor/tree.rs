//! What the system's files say. All of it is read below a root, so that a tree of made-up files can be examined.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::driver::Generation;

/// AMD, on the PCI bus.
const VENDOR: u32 = 0x1022;
/// Bytes of such files that are read. The longest, a kernel's command line, has 2 KiB.
const TEXT_LIMIT: u64 = 64 << 10;
/// The capability that locks memory without limit.
const LOCK_CAPABILITY: u64 = 1 << 14;

/// Which NPU it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// One that can be used.
    Known(Generation, &'static str),
    /// One of the next family, whose queues are others.
    Npu3,
    /// A known device in a revision that is not known.
    Revision,
}

/// Devices: number, revision (none for all), and what it is. The first that fits counts.
const MODELS: [(u32, Option<u32>, Model); 12] = [
    (0x1502, Some(0x00), Model::Known(Generation::Xdna1, "Phoenix or Hawk Point")),
    (0x17F0, Some(0x10), Model::Known(Generation::Xdna2, "Strix")),
    (0x17F0, Some(0x11), Model::Known(Generation::Xdna2, "Strix Halo")),
    (0x17F0, Some(0x20), Model::Known(Generation::Xdna2, "Krackan")),
    (0x1502, None, Model::Revision),
    (0x17F0, None, Model::Revision),
    (0x17F1, None, Model::Npu3),
    (0x17F2, None, Model::Npu3),
    (0x17F3, None, Model::Npu3),
    (0x1B0A, None, Model::Npu3),
    (0x1B0B, None, Model::Npu3),
    (0x1B0C, None, Model::Npu3),
];

/// An NPU on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its address on the bus.
    pub address: String,
    /// Its number.
    pub device: u32,
    /// Its revision.
    pub revision: u32,
    /// Which it is.
    pub model: Model,
    folder: PathBuf,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.model {
            Model::Known(generation, name) => write!(f, "{generation} ({name})")?,
            Model::Npu3 => f.write_str("NPU3")?,
            Model::Revision => f.write_str("an NPU of an unknown revision")?,
        }
        write!(f, ", 1022:{:04x} revision {:02x} at {}", self.device, self.revision, self.address)
    }
}

/// A system's files.
pub(super) struct Tree<'a> {
    root: &'a Path,
}

impl<'a> Tree<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self { root }
    }

    fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        read(&self.root.join(path))
    }

    /// The NPUs on the bus, those that can be used first; and how many devices there are, none where there is no bus.
    pub(super) fn devices(&self) -> (Vec<Found>, Option<usize>) {
        let Ok(entries) = std::fs::read_dir(self.root.join("sys/bus/pci/devices")) else { return (Vec::new(), None) };
        let folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        let mut found: Vec<Found> = folders.iter().filter_map(|folder| device(folder)).collect();
        found.sort_by_key(|found| (!matches!(found.model, Model::Known(..)), found.address.clone()));
        (found, Some(folders.len()))
    }

    /// The name of the driver that a device has.
    pub(super) fn driver(&self, found: &Found) -> Option<String> {
        let link = std::fs::read_link(found.folder.join("driver")).ok()?;
        Some(link.file_name()?.to_string_lossy().into_owned())
    }

    /// The name of a device's node below `/dev/accel`, if its driver made one.
    pub(super) fn accelerator(&self, found: &Found) -> Option<String> {
        let entries = std::fs::read_dir(found.folder.join("accel")).ok()?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("accel")).min()
    }

    /// The path of a node.
    pub(super) fn node(&self, name: &str) -> PathBuf {
        self.root.join("dev/accel").join(name)
    }

    /// The kernel's version.
    pub(super) fn kernel(&self) -> Option<(String, [u32; 2])> {
        let text = self.text("proc/sys/kernel/osrelease")?.trim().to_owned();
        let mut numbers = text.split(|character: char| !character.is_ascii_digit()).map(str::parse);
        let version = [numbers.next()?.ok()?, numbers.next()?.ok()?];
        Some((text, version))
    }

    /// Whether the kernel was told to do without the IOMMU, and by which words.
    pub(super) fn without_iommu(&self) -> Option<String> {
        let line = self.text("proc/cmdline")?;
        line.split_whitespace().find(|word| matches!(*word, "amd_iommu=off" | "iommu=off")).map(str::to_owned)
    }

    /// Bytes that this process may lock: none where it is not said, the largest number for all.
    pub(super) fn lock_limit(&self) -> Option<u64> {
        let capable = self.text("proc/self/status").and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
            u64::from_str_radix(line.trim(), 16).ok()
        });
        if capable.is_some_and(|capabilities| capabilities & LOCK_CAPABILITY != 0) {
            return Some(u64::MAX);
        }
        let limits = self.text("proc/self/limits")?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
        match line.split_whitespace().next()? {
            "unlimited" => Some(u64::MAX),
            number => number.parse().ok(),
        }
    }
}

/// The NPU whose folder this is, if it is one.
fn device(folder: &Path) -> Option<Found> {
    let number = |name: &str| {
        let text = read(&folder.join(name))?;
        u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
    };
    if number("vendor")? != VENDOR {
        return None;
    }
    let (device, revision) = (number("device")?, number("revision").unwrap_or_default());
    let fits =
        |(other, only, _): &&(u32, Option<u32>, Model)| *other == device && only.is_none_or(|only| only == revision);
    let model = MODELS.iter().find(fits)?.2;
    let address = folder.file_name()?.to_string_lossy().into_owned();
    Some(Found { address, device, revision, model, folder: folder.to_owned() })
}

fn read(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(TEXT_LIMIT).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
