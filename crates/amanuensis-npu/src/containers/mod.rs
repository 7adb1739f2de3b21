//! The files that overlays come in: xclbin, in it an AIE_PARTITION, in that PDIs, in those CDOs. They are read as hostile: every
//! number in them is compared with the bytes that are there before anything is made of it.
//!
//! The writers make synthetic files for tests. What they leave out, a real loader may want.
#![deny(unsafe_code)]

pub mod cdo;
pub mod layout;
pub mod partition;
pub mod pdi;
mod reading;
pub mod xclbin;

#[cfg(test)]
mod tests;

pub use cdo::{Cdo, Command};
pub use layout::Kernel;
pub use partition::{Group, Partition, Program};
pub use pdi::Pdi;
pub use reading::ContainerError;
pub use xclbin::{Section, Xclbin};
