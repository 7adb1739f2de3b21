//! Why a pack is not used.

use std::path::PathBuf;

use crate::containers::ContainerError;
use crate::driver::Generation;

/// Why a pack is refused. Each says what, where, and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PackError {
    /// A file cannot be read.
    #[error("{}: {why}; a pack is a folder with manifest.toml and the files that it names", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A file that is larger than such a file can be.
    #[error("{}: more than {limit} bytes; no pack needs that", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// The manifest is no manifest.
    #[error("{}: {why}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        why: String,
    },
    /// A schema that is not known.
    #[error(
        "schema {found}, where this program knows {known}; use a program of the pack's age, or import the overlay again"
    )]
    Schema {
        /// The pack's.
        found: i64,
        /// The known one.
        known: u32,
    },
    /// A value that cannot be.
    #[error("{field}: {why}")]
    Value {
        /// Where in the manifest.
        field: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A file is not the one that was described.
    #[error("{}: its SHA-256 is {found}, and the manifest says {expected}; the pack is damaged or was changed, install it again", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// The manifest's.
        expected: String,
        /// The file's.
        found: String,
    },
    /// A pack for other devices.
    #[error("the pack is for {pack} and the device is {device}; install a pack for {device}")]
    Generation {
        /// The pack's.
        pack: Generation,
        /// The device's.
        device: Generation,
    },
    /// Firmware that is too old.
    #[error("the pack needs firmware {needed}, the device has {found}; update linux-firmware (amdnpu)")]
    Firmware {
        /// What it needs.
        needed: String,
        /// What there is.
        found: String,
    },
    /// The overlay is not what the manifest says.
    #[error("{what}: the manifest says {manifest}, the overlay {overlay}; import the overlay again")]
    Disagrees {
        /// What is compared.
        what: &'static str,
        /// In the manifest.
        manifest: String,
        /// In the overlay.
        overlay: String,
    },
    /// Cores that round otherwise.
    #[error(
        "the pack's cores round by {found}; results are 100 times less exact then, so build it with conv_even set at core entry"
    )]
    Rounding {
        /// How.
        found: &'static str,
    },
    /// The overlay cannot be read.
    #[error("the overlay: {0}")]
    Container(#[from] ContainerError),
}
