//! What the amdxdna kernel driver is spoken to in: structs, request numbers, and the constants in their fields. Facts of the
//! kernel's interface (Linux 6.14 and later), written down once; nothing here calls anything.
#![deny(unsafe_code)]

mod constants;
mod layout;
mod queries;
mod request;
mod structs;

#[cfg(test)]
mod tests;

pub use constants::*;
pub use layout::{Field, Layout, Plain};
pub use queries::*;
pub use request::*;
pub use structs::*;
