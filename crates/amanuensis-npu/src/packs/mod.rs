//! Kernel packs: a folder with `manifest.toml`, the overlay it describes, and perhaps a sample stream and sources.
//!
//! An overlay says nothing of what it computes, in which order it takes its numbers, or which channel they come by. The manifest
//! does, and is believed only as far as it can be compared: a pack whose files, device or partition are not as stated is refused
//! by name.
#![deny(unsafe_code)]

mod checking;
mod error;
mod importing;
mod loading;
mod manifest;
mod planning;
mod self_test;
#[cfg(any(test, feature = "fake-driver"))]
pub mod synthetic;

#[cfg(test)]
pub(crate) mod tests;

pub use error::PackError;
pub use importing::{Declared, import};
pub use loading::{MANIFEST, Pack, Target, installed};
pub use manifest::*;
pub use self_test::{SelfTestError, verify};
